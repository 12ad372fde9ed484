//! Iterates over the tasks and blocks of a play.

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

/// Returns all tasks of a play with their sections, including those of `rescue:` and `always:`, but neither handlers nor
/// those of `undo:`, which only `convoy undo` runs.
pub fn tasks(play: &Play) -> impl Iterator<Item = (Section, &Arc<Task>)> {
    SECTIONS.iter().zip(&play.sections).flat_map(|(section, list)| entries(list).map(|task| (*section, task)))
}

/// Returns all tasks of a list, including those in blocks.
pub fn entries(list: &[Entry]) -> impl Iterator<Item = &Arc<Task>> {
    all(list).filter_map(|entry| match entry {
        Entry::Task(task) => Some(task),
        Entry::Block(_) => None,
    })
}

/// Returns all blocks of a list, including those in other blocks.
pub fn blocks(list: &[Entry]) -> impl Iterator<Item = &Arc<Block>> {
    all(list).filter_map(|entry| match entry {
        Entry::Task(_) => None,
        Entry::Block(block) => Some(block),
    })
}

/// Returns the entries of a list and of its blocks, except those of `undo:`.
fn all(list: &[Entry]) -> impl Iterator<Item = &Entry> {
    let mut stack: Vec<&Entry> = list.iter().rev().collect();
    std::iter::from_fn(move || {
        let entry = stack.pop()?;
        if let Entry::Block(block) = entry {
            for part in [&block.always, &block.rescue, &block.body] {
                stack.extend(part.iter().rev());
            }
        }
        Some(entry)
    })
}
