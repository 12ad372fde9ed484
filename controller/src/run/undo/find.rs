//! Where a block that a run has begun stands in the playbooks of now.

use std::sync::Arc;

use crate::playbook::ast::{Action, Block, Entry, Task};
use crate::playbook::walk;
use crate::run::event::Include;
use crate::run::within::{called, name, place};

/// Finds a block among entries: the one at that place; where the playbook has changed, the only one of that name.
pub(super) fn block(entries: &[Entry], at: &str, called: &str) -> Option<Arc<Block>> {
    let blocks: Vec<&Arc<Block>> = walk::blocks(entries).filter(|block| !block.undo.is_empty()).collect();
    only(&blocks, |block| name(block) == called, |block| place(&block.at) == at)
}

/// Finds an include among entries, likewise.
pub(super) fn include(entries: &[Entry], include: &Include) -> Option<Arc<Task>> {
    let is_include =
        |task: &&Arc<Task>| matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole(_));
    let tasks: Vec<&Arc<Task>> = walk::entries(entries).filter(is_include).collect();
    only(&tasks, |task| called(task) == *include.name, |task| place(&task.at) == *include.at)
}

/// Returns the one of that name at that place, or else the only one of that name.
fn only<T>(all: &[&Arc<T>], named: impl Fn(&T) -> bool, placed: impl Fn(&T) -> bool) -> Option<Arc<T>> {
    let named: Vec<&Arc<T>> = all.iter().copied().filter(|one| named(one)).collect();
    match (named.iter().find(|one| placed(one)), &named[..]) {
        (Some(one), _) | (None, [one]) => Some((*one).clone()),
        _ => None,
    }
}
