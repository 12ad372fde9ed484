//! The interpreter: runs parsed templates and evaluates expressions.
//!
//! An [`Interpreter`] runs one template, or one macro, include or recursion of it. Statements emit values ([`Output`]);
//! `render` joins them into the result. `expressions` evaluates, `plugins` applies filters and tests.
//!
//! Names are looked up in the frames first (loop variables, `set`, macro parameters), then among the variables, then
//! among the global functions.

pub(crate) mod expressions;
mod functions;
mod include;
mod plugins;
mod render;
mod statements;

use std::collections::HashMap;
use std::sync::Arc;

use super::python::args::Args;
use super::python::value::{Frame, Frames, Val};
use super::rendering::Rendering;
use super::scope::ScopeRef;
use super::syntax::{Arg, Body, Template};
use crate::template::Error;

/// How deep macros, includes and recursive loops may be nested.
const MAX_DEPTH: u32 = 60;

/// The name under which a recursive loop finds itself. It is not an identifier, so templates cannot use it.
const RECURSIVE_LOOP: &str = " loop";

/// The values that a template emits.
#[derive(Default)]
pub(super) struct Output {
    parts: Vec<Val>,
}

/// Where the interpreter continues after a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// The state in which a template runs.
struct Interpreter<'r, 'a> {
    rendering: &'r Rendering<'a>,
    scope: ScopeRef,
    frames: Frames,
    /// The bodies of each block, the innermost override first.
    blocks: HashMap<Arc<str>, Vec<Body>>,
    /// The block being emitted, and the number of its overrides that `super()` has passed.
    block: Option<(Arc<str>, usize)>,
    /// The template that this one extends, once `extends` has run.
    parent: Option<Val>,
    file: Option<Arc<str>>,
    depth: u32,
}

impl<'r, 'a> Interpreter<'r, 'a> {
    fn new(rendering: &'r Rendering<'a>, scope: ScopeRef) -> Self {
        Self::nested(rendering, scope, vec![Frame::default()], None, 0)
    }

    /// Returns an interpreter for a part that runs at `depth` and sees `frames`.
    fn nested(
        rendering: &'r Rendering<'a>,
        scope: ScopeRef,
        frames: Frames,
        file: Option<Arc<str>>,
        depth: u32,
    ) -> Self {
        Self { rendering, scope, frames, blocks: HashMap::new(), block: None, parent: None, file, depth }
    }

    /// Runs a template and those that it extends.
    fn run(&mut self, template: &Template) -> Result<Output, Error> {
        if self.depth > MAX_DEPTH {
            return Err(Error::other("templates, macros or loops are nested too deeply"));
        }
        self.file.clone_from(&template.file);
        self.add_blocks(&template.body);
        let mut out = Output::default();
        self.body(&template.body, &mut out)?;
        match self.parent.take() {
            None => Ok(out),
            Some(parent) => {
                let parent = self.load(&parent)?;
                self.depth += 1;
                self.run(&parent)
            }
        }
    }

    /// Sets a name in the innermost frame.
    fn set(&mut self, name: &Arc<str>, value: Val) {
        if let Some(frame) = self.frames.last() {
            frame.borrow_mut().insert(name.clone(), value);
        }
    }

    /// Evaluates the arguments of a call.
    fn arguments(&mut self, args: &[Arg]) -> Result<Args, Error> {
        let mut values = Args::default();
        for arg in args {
            match arg {
                Arg::Pos(expr) => values.pos.push(Some(self.eval(expr)?)),
                Arg::Key(name, expr) => values.named.push((name.clone(), self.eval(expr)?)),
                Arg::Splat(expr) => {
                    let items = self.eval(expr)?;
                    values.pos.extend(self.rendering.items(&items)?.into_iter().map(Some));
                }
                Arg::KeySplat(expr) => match self.eval(expr)? {
                    Val::Dict(dict) => {
                        for (key, value) in dict.items.borrow().iter() {
                            values.named.push((key.to_string().into(), value.clone()));
                        }
                    }
                    _ => return Err(Error::type_error("argument after ** must be a mapping")),
                },
            }
        }
        Ok(values)
    }
}
