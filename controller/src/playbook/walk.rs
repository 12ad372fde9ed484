//! Walks over the tasks of a play.

use std::sync::Arc;

use super::ast::{Entry, Play, Task};

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

/// Returns all tasks of a play with their sections, those of `rescue:` and `always:` included, handlers not.
pub fn tasks(play: &Play) -> impl Iterator<Item = (Section, &Arc<Task>)> {
    SECTIONS.iter().zip(&play.sections).flat_map(|(section, list)| entries(list).map(|task| (*section, task)))
}

/// Returns all tasks of a list, those within blocks included.
pub fn entries(list: &[Entry]) -> impl Iterator<Item = &Arc<Task>> {
    let mut waiting: Vec<&Entry> = list.iter().rev().collect();
    std::iter::from_fn(move || {
        loop {
            match waiting.pop()? {
                Entry::Task(task) => return Some(task),
                Entry::Block(block) => {
                    waiting.extend(block.always.iter().rev());
                    waiting.extend(block.rescue.iter().rev());
                    waiting.extend(block.body.iter().rev());
                }
            }
        }
    })
}
