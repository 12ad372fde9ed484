//! The blocks with `undo:` that a host is in, and what the journal is told of them.

use std::cell::OnceCell;
use std::sync::Arc;

use convoy_protocol::{Kind, Map, Origin, Value};

use crate::actions::VariableLevel;
use crate::events::{BlockBegun, Include, Note};
use crate::execute::outcome::HostResult;
use crate::paths::absolute;
use crate::playbook::ast::{Block, Play, Task};
use crate::python;
use crate::schedule::batch::{HostRun, Placed};
use crate::schedule::engine::Engine;

/// How a file of tasks was included.
#[derive(Debug)]
pub struct Via {
    /// The include.
    pub task: Arc<Task>,
    /// How many others stand where it does before it.
    pub nth: u32,
    /// What it included, with all names rendered.
    pub what: Map,
    /// The variables of its loop.
    pub vars: Map,
    /// How many items of the loop before this one brought in the same, as far as the journal can tell.
    pub item: u32,
}

/// A block with `undo:` that a host is in.
#[derive(Debug)]
pub struct Within {
    /// The block.
    block: Arc<Block>,
    /// How many others stand where it does before it.
    nth: u32,
    /// How it came into the play, the outermost include first.
    includes: Vec<Arc<Via>>,
    /// What the journal knows it by on this host, once anything was begun in it.
    id: OnceCell<u64>,
}

/// Returns a place as the journal has it.
pub(crate) fn place(at: &Origin) -> String {
    format!("{}:{}:{}", absolute(&*at.file).display(), at.line, at.column)
}

/// Returns the name of a block for people: where it stands, if it has none.
pub(crate) fn name(block: &Block) -> String {
    block.name.as_ref().map_or_else(|| block.at.to_string(), |name| python::label(Some(name)))
}

/// Returns what a play is called: its hosts, if it has no name.
pub(crate) fn of_play(play: &Play) -> String {
    python::label(play.name.as_ref().or(Some(&play.hosts)))
}

/// Returns what an include is called: what it includes, if it has no name.
pub(crate) fn called(include: &Task) -> String {
    python::label(include.name.as_ref().or(Some(&include.args)))
}

impl Within {
    /// Makes one in which nothing was begun yet.
    pub fn new(block: Arc<Block>, nth: u32, includes: Vec<Arc<Via>>) -> Self {
        Self { block, nth, includes, id: OnceCell::new() }
    }

    /// Returns the name of the block as it is for a task in it: templates rendered as far as they can be.
    pub(crate) fn title(&self, engine: &Engine, host: &Arc<str>, placed: &Placed<'_>) -> Arc<str> {
        let called = self.block.name.as_ref().map(|name| engine.called(name, host, placed));
        called.unwrap_or_else(|| name(&self.block)).into()
    }

    /// Returns what the journal knows the block by on this host. Notes the block when that is asked first, with the variables that
    /// its tasks may have been given.
    pub(crate) fn begin(&self, engine: &Engine, host: &Arc<str>, placed: &Placed<'_>) -> u64 {
        *self.id.get_or_init(|| {
            let id = engine.memory.ticket();
            let include = |via: &Arc<Via>| Include {
                at: place(&via.task.at).into(),
                name: called(&via.task).into(),
                nth: via.nth,
                what: via.what.clone(),
                vars: via.vars.clone(),
                item: via.item,
            };
            engine.note(Note::Block(BlockBegun {
                id,
                host: host.clone(),
                play: engine.play_number.get(),
                of_play: engine
                    .play
                    .borrow()
                    .play
                    .as_ref()
                    .map(|play| of_play(play))
                    .unwrap_or_default()
                    .into(),
                at: place(&self.block.at).into(),
                nth: self.nth,
                name: name(&self.block).into(),
                title: self.title(engine, host, placed),
                includes: self.includes.iter().map(include).collect(),
                vars: Map::clone(&engine.store.borrow().host(host).set),
            }));
            id
        })
    }
}

/// Notes what a task has set for a host that is in such blocks, for the tasks that undo them. `first`: whether it is a host
/// that the task was for, so that it has the registered result.
pub(crate) fn note_set(engine: &Engine, host: &HostRun, first: bool, task: &Task, result: &HostResult) {
    let within = host.cursor.within();
    let blocks: Vec<u64> = within.iter().filter_map(|within| within.id.get().copied()).collect();
    if blocks.is_empty() {
        return;
    }
    let mut vars = Map::new();
    for effects in &result.calls {
        let is_here = effects.facts_host.as_ref().map_or(first, |elsewhere| *elsewhere == host.name);
        if let (true, Some((set, VariableLevel::SetFact | VariableLevel::CacheableFact))) =
            (is_here, &effects.variables)
        {
            vars.extend(set.clone());
        }
    }
    let registered = task.register.iter().filter(|_| first);
    vars.extend(registered.map(|name| (name.clone().into(), result.values.clone().into())));
    if !vars.is_empty() {
        engine.note(Note::Set { host: host.name.clone(), blocks, vars });
    }
}

/// Leaves out what is secret: the journal has a placeholder there, which must not be taken for the value.
pub(crate) fn without_secrets(map: &Map) -> Map {
    let kept = map.iter().filter_map(|(key, value)| Some((key.clone(), without_secret(value)?)));
    kept.collect()
}

fn without_secret(value: &Value) -> Option<Value> {
    if value.taint.is_secret() {
        return None;
    }
    match &value.kind {
        Kind::Map(map) => Some(Value { kind: Kind::Map(Arc::new(without_secrets(map))), ..value.clone() }),
        // Of a list none can be left out: the others would have other places.
        Kind::List(list) if list.iter().any(|item| item.deep_taint().is_secret()) => None,
        _ => Some(value.clone()),
    }
}
