//! The blocks with `undo:` that a host is in, and what the journal is told of them.

use std::cell::OnceCell;
use std::sync::Arc;

use convoy_protocol::{Kind, Map, Origin, Value};

use super::snapshot::{Placed, Snapshot};
use crate::events::{BlockBegun, Include};
use crate::paths::absolute;
use crate::playbook::ast::{Block, Play, Task};
use crate::template::Templar;
use crate::text::python;

/// How a file of tasks was included.
#[derive(Debug)]
pub struct IncludeFrame {
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
pub struct OpenUndoBlock {
    /// The block.
    block: Arc<Block>,
    /// How many others stand where it does before it.
    nth: u32,
    /// How it came into the play, the outermost include first.
    includes: Vec<Arc<IncludeFrame>>,
    /// What the journal knows it by on this host, once anything was started in it. Set once, by the scheduler; the host's cursor
    /// and its tasks share the block.
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

impl OpenUndoBlock {
    /// Makes one in which nothing was begun yet.
    pub fn new(block: Arc<Block>, nth: u32, includes: Vec<Arc<IncludeFrame>>) -> Self {
        Self { block, nth, includes, id: OnceCell::new() }
    }

    /// Returns the name of the block as it is for a task in it: templates rendered as far as they can be.
    pub(crate) fn title(
        &self,
        snapshot: &Snapshot,
        templar: &Templar,
        host: &Arc<str>,
        placed: Placed<'_>,
    ) -> Arc<str> {
        let name = self.block.name.as_ref();
        let rendered = name.map(|name| snapshot.display_name(templar, name, host, placed));
        rendered.unwrap_or_else(|| self::name(&self.block)).into()
    }

    /// Returns what the journal knows the block by on this host, if anything was started in it.
    pub(crate) fn id(&self) -> Option<u64> {
        self.id.get().copied()
    }

    /// Gives the block its number in the journal, and returns what the journal is to record of it. `vars`: the variables that
    /// tasks have set for the host when it enters the block.
    pub(crate) fn start(&self, id: u64, entry: BlockEntry, vars: Map) -> BlockBegun {
        let id = *self.id.get_or_init(|| id);
        let include = |frame: &Arc<IncludeFrame>| Include {
            at: place(&frame.task.at).into(),
            name: called(&frame.task).into(),
            nth: frame.nth,
            what: frame.what.clone(),
            vars: frame.vars.clone(),
            item: frame.item,
        };
        let BlockEntry { host, play, of_play, title } = entry;
        BlockBegun {
            id,
            host,
            play,
            of_play,
            at: place(&self.block.at).into(),
            nth: self.nth,
            name: name(&self.block).into(),
            title,
            includes: self.includes.iter().map(include).collect(),
            vars,
        }
    }
}

/// A host that enters a block.
#[derive(Debug)]
pub struct BlockEntry {
    /// The host.
    pub host: Arc<str>,
    /// The number of the play, counted from 1 through all playbooks.
    pub play: u32,
    /// The name of the play.
    pub of_play: Arc<str>,
    /// The name of the block as it is for this host.
    pub title: Arc<str>,
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
