//! Runs the statements of a template: output, conditions, loops, assignments, blocks and macros.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{Flow, Interpreter, MAX_DEPTH, Output, RECURSIVE_LOOP};
use crate::template::error::{Error, Position};
use crate::template::jinja::python::value::{Frame, Function, ListKind, Macro, Recursion, Val};
use crate::template::jinja::syntax::{Expr, For, MacroDef, Place, Stmt, StmtKind};

impl Interpreter<'_, '_> {
    /// Records the blocks of a template. Blocks of a parent come after those that override them.
    pub(super) fn add_blocks(&mut self, body: &[Stmt]) {
        for stmt in body {
            match &stmt.kind {
                StmtKind::Block(name, body) => {
                    self.blocks.entry(name.clone()).or_default().push(body.clone());
                    self.add_blocks(body);
                }
                StmtKind::If(_, a, b) => {
                    self.add_blocks(a);
                    self.add_blocks(b);
                }
                StmtKind::Group(body) | StmtKind::With(_, body) => self.add_blocks(body),
                StmtKind::For(def) => self.add_blocks(&def.body),
                _ => {}
            }
        }
    }

    /// Runs statements in order.
    pub(super) fn body(&mut self, body: &[Stmt], out: &mut Output) -> Result<Flow, Error> {
        for stmt in body {
            let flow = self.statement(stmt, out).map_err(|error| self.placed(error, stmt.place))?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Adds the position of a statement to an error that has none.
    fn placed(&self, mut error: Error, place: Place) -> Error {
        if let (None, Some(file)) = (&error.position, &self.file) {
            error.position = Some(Position { file: file.clone(), line: place.line, column: place.column });
        }
        error
    }

    fn statement(&mut self, stmt: &Stmt, out: &mut Output) -> Result<Flow, Error> {
        match &stmt.kind {
            StmtKind::Raw(text) => self.emit(out, Val::text(text.clone())),
            StmtKind::Emit(expr) => {
                let value = self.eval(expr)?.defined()?;
                let value = finalized(self.rendering.force_deep(&value)?)?;
                self.emit(out, value);
            }
            StmtKind::For(def) => return self.for_loop(def, out),
            StmtKind::If(test, yes, no) => {
                let chosen = if self.eval(test)?.truth()? { yes } else { no };
                return self.body(chosen, out);
            }
            StmtKind::With(pairs, body) => {
                let values =
                    pairs.iter().map(|(_, value)| self.eval(value)).collect::<Result<Vec<_>, _>>()?;
                self.frames.push(Frame::default());
                let result =
                    pairs.iter().zip(values).try_for_each(|((target, _), value)| self.assign(target, value));
                let flow = result.and_then(|()| self.body(body, out));
                self.frames.pop();
                return flow;
            }
            StmtKind::Set(target, value) => {
                let value = self.eval(value)?;
                self.assign(target, value)?;
            }
            StmtKind::SetBlock(target, filter, body) => {
                let mut text = self.capture(body)?;
                if let Some(filter) = filter {
                    text = self.apply_filters(filter, text)?;
                }
                self.assign(target, text)?;
            }
            StmtKind::FilterBlock(filter, body) => {
                let text = self.capture(body)?;
                let value = self.apply_filters(filter, text)?;
                self.emit(out, value);
            }
            StmtKind::Group(body) => return self.body(body, out),
            StmtKind::Block(name, _) => self.emit_block(name, 0, out)?,
            StmtKind::Do(expr) => {
                self.eval(expr)?;
            }
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Break => return Ok(Flow::Break),
            _ => self.structure(&stmt.kind, out)?,
        }
        Ok(Flow::Next)
    }

    /// Runs a statement that connects templates or macros.
    fn structure(&mut self, kind: &StmtKind, out: &mut Output) -> Result<(), Error> {
        match kind {
            StmtKind::Extends(name) => self.parent = Some(self.eval(name)?.defined()?),
            StmtKind::Include(name, ignore_missing) => self.include(name, *ignore_missing, out)?,
            StmtKind::Import(template, target) => {
                let module = self.import(template)?;
                self.assign(target, module)?;
            }
            StmtKind::FromImport(template, names) => self.import_names(template, names)?,
            StmtKind::Macro(def) => {
                let value = self.new_macro(def);
                self.set(&def.name, value);
            }
            StmtKind::CallBlock(call, def) => {
                let caller = self.new_macro(def);
                let value = self.call_with(call, Some(caller))?;
                self.emit(out, value);
            }
            _ => {}
        }
        Ok(())
    }

    fn new_macro(&self, def: &Arc<MacroDef>) -> Val {
        Val::Function(Rc::new(Function::Macro(Macro {
            def: def.clone(),
            frames: self.frames.clone(),
            scope: self.scope.clone(),
            file: self.file.clone(),
        })))
    }

    fn emit(&self, out: &mut Output, value: Val) {
        // After `extends`, the template itself emits nothing outside of blocks.
        if self.parent.is_none() || self.block.is_some() {
            out.parts.push(value);
        }
    }

    /// Emits a block: its innermost override, or the one `level` steps further out.
    pub(super) fn emit_block(
        &mut self,
        name: &Arc<str>,
        level: usize,
        out: &mut Output,
    ) -> Result<(), Error> {
        if self.parent.is_some() && self.block.is_none() {
            return Ok(());
        }
        let Some(body) = self.blocks.get(name).and_then(|bodies| bodies.get(level)).cloned() else {
            return Ok(());
        };
        let before = self.block.replace((name.clone(), level));
        self.frames.push(Frame::default());
        let result = self.body(&body, out);
        self.frames.pop();
        self.block = before;
        result.map(|_| ())
    }

    /// Runs statements and returns their output as text.
    fn capture(&mut self, body: &[Stmt]) -> Result<Val, Error> {
        let mut out = Output::default();
        self.frames.push(Frame::default());
        // A block without a name stands for the captured body, so that it emits even after `extends`.
        let before = self.block.get_or_insert_with(|| ("".into(), 0)).clone();
        let result = self.body(body, &mut out);
        self.block = (!before.0.is_empty()).then_some(before);
        self.frames.pop();
        result?;
        self.rendering.joined_text(out)
    }

    /// Applies the chain of filters of a filter block.
    fn apply_filters(&mut self, filter: &Expr, text: Val) -> Result<Val, Error> {
        let Expr::Filter(name, inner, args) = filter else {
            return Ok(text);
        };
        let subject = match inner {
            Some(inner) => self.apply_filters(inner, text)?,
            None => text,
        };
        let args = self.arguments(args)?;
        self.rendering.filter(name, subject, args)
    }

    /// Assigns a value to a name, to several names at once, or to an attribute of a namespace.
    pub(super) fn assign(&mut self, target: &Expr, value: Val) -> Result<(), Error> {
        match target {
            Expr::Var(name) => self.set(name, value),
            Expr::Tuple(targets) | Expr::List(targets) => {
                let items = self.rendering.items(&value)?;
                if items.len() != targets.len() {
                    let message = if items.len() < targets.len() {
                        format!(
                            "not enough values to unpack (expected {}, got {})",
                            targets.len(),
                            items.len()
                        )
                    } else {
                        format!("too many values to unpack (expected {})", targets.len())
                    };
                    return Err(Error::other(message));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
            }
            Expr::Attr(object, name) => match self.eval(object)? {
                Val::Namespace(names) => {
                    names.borrow_mut().insert(name.clone(), value);
                }
                _ => return Err(Error::other("cannot assign attribute on non-namespace object")),
            },
            _ => return Err(Error::syntax("cannot assign to this")),
        }
        Ok(())
    }

    fn for_loop(&mut self, def: &Arc<For>, out: &mut Output) -> Result<Flow, Error> {
        let items = self.eval(&def.iter)?;
        let items = self.rendering.items(&items)?;
        self.loop_over(def, items, 0, out)?;
        Ok(Flow::Next)
    }

    /// Runs a loop over `items`. `depth` counts the recursions of a recursive loop.
    pub(super) fn loop_over(
        &mut self,
        def: &Arc<For>,
        mut items: Vec<Val>,
        depth: u32,
        out: &mut Output,
    ) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::other("templates, macros or loops are nested too deeply"));
        }
        if let Some(filter) = &def.filter {
            let mut kept = Vec::new();
            for item in items {
                self.frames.push(Frame::default());
                let keeps = self.assign(&def.target, item.clone()).and_then(|()| self.eval(filter)?.truth());
                self.frames.pop();
                if keeps? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            self.frames.push(Frame::default());
            let result = self.body(&def.otherwise, out);
            self.frames.pop();
            return result.map(|_| ());
        }
        let changed = Rc::new(RefCell::new(None));
        for i in 0..items.len() {
            self.frames.push(Frame::default());
            let flow = self.pass(def, &items, i, depth, &changed, out);
            self.frames.pop();
            if flow? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// Runs the body of a loop for one item.
    fn pass(
        &mut self,
        def: &Arc<For>,
        items: &[Val],
        i: usize,
        depth: u32,
        changed: &Rc<RefCell<Option<Val>>>,
        out: &mut Output,
    ) -> Result<Flow, Error> {
        self.set(&"loop".into(), loop_value(items, i, depth, changed));
        if def.recursive {
            let frames = self.frames[..self.frames.len() - 1].to_vec();
            let recursion =
                Recursion { body: def.clone(), frames, depth: depth + 1, scope: self.scope.clone() };
            self.set(&RECURSIVE_LOOP.into(), Val::Function(Rc::new(Function::Recurse(recursion))));
        }
        self.assign(&def.target, items[i].clone())?;
        self.body(&def.body, out)
    }
}

/// Returns the variable `loop` for the item at `i`.
fn loop_value(items: &[Val], i: usize, depth: u32, changed: &Rc<RefCell<Option<Val>>>) -> Val {
    let len = items.len();
    let neighbor = |at: Option<usize>| {
        at.and_then(|at| items.get(at)).cloned().unwrap_or_else(|| Val::undefined("there is no such item"))
    };
    Val::pairs([
        ("index", (i + 1).into()),
        ("index0", i.into()),
        ("revindex", (len - i).into()),
        ("revindex0", (len - i - 1).into()),
        ("first", (i == 0).into()),
        ("last", (i + 1 == len).into()),
        ("length", len.into()),
        ("depth", i64::from(depth + 1).into()),
        ("depth0", i64::from(depth).into()),
        ("previtem", neighbor(i.checked_sub(1))),
        ("nextitem", neighbor(Some(i + 1))),
        ("cycle", Val::Function(Rc::new(Function::Cycle(i)))),
        ("changed", Val::Function(Rc::new(Function::Changed(changed.clone())))),
    ])
}

/// Returns a value in the form in which it is emitted: Ansible turns `None` into empty text, and Python's lazy sequences
/// into lists.
fn finalized(value: Val) -> Result<Val, Error> {
    Ok(match value.defined()? {
        Val::None => Val::text(""),
        Val::List(list) if !matches!(list.kind, ListKind::List | ListKind::Tuple) => {
            Val::list(list.items.borrow().iter().cloned().collect())
        }
        other => {
            refuse_undefined_parts(&other)?;
            other
        }
    })
}

/// Fails if a part of the value is undefined, even if it is a lenient one.
fn refuse_undefined_parts(value: &Val) -> Result<(), Error> {
    match value {
        Val::Undefined(undefined) => Err(undefined.error()),
        Val::List(list) => list.items.borrow().iter().try_for_each(refuse_undefined_parts),
        Val::Dict(dict) => dict.items.borrow().values().try_for_each(refuse_undefined_parts),
        _ => Ok(()),
    }
}
