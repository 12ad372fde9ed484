//! The blocks with `undo:` that a host is in, and what the journal is told of them.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::{Map, Origin};

use super::batch::Placed;
use super::engine::Engine;
use super::event::{BlockBegun, Include, Note};
use super::host_result::HostResult;
use crate::actions::Kept;
use crate::paths::absolute;
use crate::playbook::ast::{Block, Task};
use crate::python;
use crate::template::unknown::known;

/// How a file of tasks was included.
#[derive(Debug)]
pub struct Via {
    /// The include.
    pub task: Arc<Task>,
    /// What it included, with all names rendered.
    pub what: Map,
    /// The variables of its loop.
    pub vars: Map,
}

/// A block with `undo:` that a host is in.
#[derive(Debug)]
pub struct Within {
    /// The block.
    pub block: Arc<Block>,
    /// How it came into the play, the outermost include first.
    pub includes: Vec<Arc<Via>>,
    /// What the journal knows it by on this host, once anything was begun in it.
    id: OnceCell<u64>,
}

/// Returns a place as the journal has it.
pub(super) fn place(at: &Origin) -> String {
    format!("{}:{}:{}", absolute(&*at.file).display(), at.line, at.column)
}

/// Returns the name of a block for people: where it stands, if it has none.
pub(super) fn name(block: &Block) -> String {
    block.name.as_ref().map_or_else(|| block.at.to_string(), |name| python::label(Some(name)))
}

/// Returns what an include is called: what it includes, if it has no name.
pub(super) fn called(include: &Task) -> String {
    python::label(include.name.as_ref().or(Some(&include.args)))
}

impl Within {
    /// Makes one in which nothing was begun yet.
    pub fn new(block: Arc<Block>, includes: Vec<Arc<Via>>) -> Self {
        Self { block, includes, id: OnceCell::new() }
    }

    /// Returns the name of the block as it is for a task in it: templates rendered as far as they can be.
    pub(super) fn title(&self, engine: &Engine, host: &Arc<str>, placed: &Placed<'_>) -> Arc<str> {
        let Some(name) = &self.block.name else { return name(&self.block).into() };
        let scope = engine.scope(host, Some(placed));
        let rendered = engine.templar.render(name, &scope, &engine.context(Vec::new(), false));
        let title = rendered.and_then(known).unwrap_or_else(|_| name.clone());
        python::label(Some(&title)).into()
    }

    /// Returns what the journal knows the block by on this host: the ticket of the first order in it. Notes the block before
    /// that, with the variables that its tasks may have been given.
    pub(super) fn begin(&self, engine: &Engine, host: &Arc<str>, placed: &Placed<'_>, ticket: u64) -> u64 {
        *self.id.get_or_init(|| {
            let include = |via: &Arc<Via>| Include {
                at: place(&via.task.at).into(),
                name: called(&via.task).into(),
                what: via.what.clone(),
                vars: via.vars.clone(),
            };
            engine.note(Note::Block(BlockBegun {
                id: ticket,
                host: host.clone(),
                play: engine.play_number.get(),
                at: place(&self.block.at).into(),
                name: name(&self.block).into(),
                title: self.title(engine, host, placed),
                includes: self.includes.iter().map(include).collect(),
                vars: Map::clone(&engine.store.borrow().host(host).set),
            }));
            ticket
        })
    }
}

/// Notes what a task in such blocks has set, for the tasks that undo them.
pub(super) fn note_set(
    engine: &Engine,
    host: &Arc<str>,
    within: &[Rc<Within>],
    task: &Task,
    result: &HostResult,
) {
    let blocks: Vec<u64> = within.iter().filter_map(|within| within.id.get().copied()).collect();
    if blocks.is_empty() {
        return;
    }
    let mut vars = Map::new();
    for effects in &result.calls {
        if let Some((set, Kept::Set | Kept::Facts)) = &effects.variables {
            vars.extend(set.clone());
        }
    }
    vars.extend(task.register.iter().map(|name| (name.clone().into(), result.values.clone().into())));
    if !vars.is_empty() {
        engine.note(Note::Set { host: host.clone(), blocks, vars });
    }
}
