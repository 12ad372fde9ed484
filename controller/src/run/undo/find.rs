//! Where what a run has begun stands in the playbooks of now.
//!
//! It is what stands at the same place under the same name. Where the playbooks have changed it may stand elsewhere: then it is
//! what has that name, if all that has it stands at one place.

use std::sync::Arc;

use convoy_protocol::Origin;

use super::begun;
use crate::playbook::ast::{Action, Block, Entry, Play, Task};
use crate::playbook::walk;
use crate::run::event::Include;
use crate::run::within::{called, name, of_play, place};

/// Finds the play of a block.
pub(super) fn play<'p>(plays: &'p [Arc<Play>], block: &begun::Block) -> Option<&'p Arc<Play>> {
    let is_it = |play: &&Arc<Play>| of_play(play) == *block.of_play;
    let there = (block.play as usize).checked_sub(1).and_then(|index| plays.get(index)).filter(is_it);
    there.or_else(|| {
        let mut named = plays.iter().filter(is_it);
        named.next().filter(|_| named.next().is_none())
    })
}

/// Finds a block among entries.
pub(super) fn block(entries: &[Entry], wanted: &begun::Block) -> Option<Arc<Block>> {
    let undone = walk::blocks(entries).filter(|block| !block.undo.is_empty());
    let named = undone.filter(|block| name(block) == *wanted.name);
    at(named.map(|block| (&*block.at, block)).collect(), &wanted.at, wanted.nth)
}

/// Finds an include among entries.
pub(super) fn include(entries: &[Entry], wanted: &Include) -> Option<Arc<Task>> {
    let is_include =
        |task: &&Arc<Task>| matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole(_));
    let named = walk::entries(entries).filter(is_include).filter(|task| called(task) == *wanted.name);
    at(named.map(|task| (&*task.at, task)).collect(), &wanted.at, wanted.nth)
}

/// Returns the one of that number at that place, or at the only place.
fn at<T>(named: Vec<(&Origin, &Arc<T>)>, wanted: &str, nth: u32) -> Option<Arc<T>> {
    let first = named.first()?.0;
    let is_there = |(at, _): &(&Origin, &Arc<T>)| place(at) == wanted;
    let known = named.iter().any(is_there);
    if !known && named.iter().any(|(at, _)| *at != first) {
        return None;
    }
    let mut there = named.iter().filter(|one| !known || is_there(one));
    there.nth(nth as usize).map(|(_, one)| (*one).clone())
}
