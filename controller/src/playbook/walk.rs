//! Walks over the tasks of a play.

use std::sync::Arc;

use super::ast::{Block, Entry, Play, Task};

/// The sections of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `pre_tasks:`.
    PreTasks,
    /// `roles:` and `tasks:`.
    Tasks,
    /// `post_tasks:`.
    PostTasks,
}

const SECTIONS: [Section; 3] = [Section::PreTasks, Section::Tasks, Section::PostTasks];

/// Returns all tasks of a play with their sections, those of `rescue:` and `always:` included, handlers not, nor those of
/// `undo:`, which no run does.
pub fn tasks(play: &Play) -> impl Iterator<Item = (Section, &Arc<Task>)> {
    SECTIONS.iter().zip(&play.sections).flat_map(|(section, list)| entries(list).map(|task| (*section, task)))
}

/// Returns all tasks of a list, those within blocks included.
pub fn entries(list: &[Entry]) -> impl Iterator<Item = &Arc<Task>> {
    all(list).filter_map(|entry| match entry {
        Entry::Task(task) => Some(task),
        Entry::Block(_) => None,
    })
}

/// Returns all blocks of a list, those within others included.
pub fn blocks(list: &[Entry]) -> impl Iterator<Item = &Arc<Block>> {
    all(list).filter_map(|entry| match entry {
        Entry::Task(_) => None,
        Entry::Block(block) => Some(block),
    })
}

/// Returns the entries of a list and those within its blocks, but for those of `undo:`.
fn all(list: &[Entry]) -> impl Iterator<Item = &Entry> {
    let mut waiting: Vec<&Entry> = list.iter().rev().collect();
    std::iter::from_fn(move || {
        let entry = waiting.pop()?;
        if let Entry::Block(block) = entry {
            for part in [&block.always, &block.rescue, &block.body] {
                waiting.extend(part.iter().rev());
            }
        }
        Some(entry)
    })
}
