//! What a play is made of, as a [`Cursor`](crate::state::cursor::Cursor) goes through it.

use std::sync::Arc;

use convoy_protocol::Map;

use super::snapshot::Placed;
use super::undo_blocks::IncludeFrame;
use crate::playbook::ast::{Block, Entry, Play, Task};

/// Something to do, with what it needs to know of the way it came into the play.
#[derive(Debug, Clone)]
pub enum Item {
    /// A task.
    Task(TaskRef),
    /// A block, an included file, a section of the play.
    Section(Arc<Section>),
    /// Handlers that were notified are run here: those that stand at `after` or later in the list of handlers.
    Flush {
        /// The number of handlers passed over.
        after: usize,
    },
}

/// A task as it stands in a play.
#[derive(Debug, Clone)]
pub struct TaskRef {
    /// The task.
    pub task: Arc<Task>,
    /// Variables given to the dynamic includes that brought it, inner over outer.
    pub params: Arc<Map>,
    /// Whether it runs as a handler.
    pub handler: bool,
    /// Check mode: why it is not known whether it runs.
    pub uncertain: Option<Arc<str>>,
}

impl TaskRef {
    /// Returns a task that is known to run, with the variables given to the includes that brought it.
    pub fn new(task: Arc<Task>, params: Arc<Map>, handler: bool) -> Self {
        Self { task, params, handler, uncertain: None }
    }

    /// Returns the task with the parameters of the includes that brought it, as variables are looked up for it.
    pub fn placed(&self) -> Placed<'_> {
        (&self.task, &self.params)
    }

    /// Returns whether this is the gathering of facts at the start of the play: it stands where the play does.
    pub fn is_gathering(&self, play: &Play) -> bool {
        Arc::ptr_eq(&self.task.at, &play.at)
    }

    /// Returns whether both are the same task at the same place of the play.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.task, &other.task) && Arc::ptr_eq(&self.params, &other.params)
    }
}

/// A sequence of items with what is done after a failure in it.
#[derive(Debug, Default)]
pub struct Section {
    /// What is done.
    pub body: Vec<Item>,
    /// What is done after a failure in the body.
    pub rescue: Vec<Item>,
    /// What is done at the end, failure or not.
    pub always: Vec<Item>,
    /// Its place among the sections that hosts put at one position (includes of one task, notified handlers);
    /// `None` where the position says it all.
    pub rank: Option<usize>,
    /// The block that it is, if that has an `undo:`.
    pub block: Option<Arc<Block>>,
    /// How it came into the play, if by an include.
    pub include: Option<Arc<IncludeFrame>>,
}

impl Section {
    /// Makes a section of the entries of a file or play.
    pub fn of(entries: &[Entry], params: &Arc<Map>, handler: bool) -> Self {
        Self { body: items(entries, params, handler), ..Self::default() }
    }
}

fn items(entries: &[Entry], params: &Arc<Map>, handler: bool) -> Vec<Item> {
    let section = |entry: &Entry| match entry {
        Entry::Task(task) => Item::Task(TaskRef::new(task.clone(), params.clone(), handler)),
        Entry::Block(block) => Item::Section(Arc::new(Section {
            body: items(&block.body, params, handler),
            rescue: items(&block.rescue, params, handler),
            always: items(&block.always, params, handler),
            block: (!block.undo.is_empty()).then(|| block.clone()),
            ..Section::default()
        })),
    };
    entries.iter().map(section).collect()
}

/// Returns all items, those within sections included, in the order in which they are written.
pub(crate) fn all(items: &[Item]) -> impl Iterator<Item = &Item> {
    let mut waiting: Vec<&Item> = items.iter().rev().collect();
    std::iter::from_fn(move || {
        let item = waiting.pop()?;
        if let Item::Section(section) = item {
            for part in [&section.always, &section.rescue, &section.body] {
                waiting.extend(part.iter().rev());
            }
        }
        Some(item)
    })
}
