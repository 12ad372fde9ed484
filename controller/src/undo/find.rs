//! Finds in the current playbooks what a run began.
//!
//! It is what stands at the same place under the same name. Where the playbooks have changed it may stand elsewhere: then it is
//! what has that name, if all that has it stands at one place.

use std::sync::Arc;

use convoy_protocol::Origin;

use super::begun;
use crate::diagnostic::{Diagnostic, Kind};
use crate::events::Include;
use crate::playbook::ast::{Action, Block, Entry, Play, Task};
use crate::playbook::walk;
use crate::state::undo_blocks::{called, name, of_play, place};

/// Says that a block is not there any more.
pub(super) fn gone(block: &begun::Block) -> Diagnostic {
    Diagnostic::user(format!("the block \"{}\" is not in the playbooks any more", block.title()))
        .kind(Kind::Refused)
        .note(format!("it was at {}, and the run has begun it: {}", block.at, block.names()))
        .hint("put it back with its name and its `undo:`, or undo files alone with --files-only".to_owned())
}

/// Finds the play that has a block, or the outermost of the includes that brought it.
///
/// # Errors
/// If there is none, or more than one that it could be.
pub(super) fn play<'p>(plays: &'p [Arc<Play>], wanted: &begun::Block) -> Result<&'p Arc<Play>, Diagnostic> {
    let has = |play: &Play, exactly: bool| {
        let entries: Vec<Entry> = play.sections.iter().flatten().cloned().collect();
        match wanted.includes.first() {
            Some(first) => {
                include(&entries, first).is_some_and(|task| !exactly || place(&task.at) == *first.at)
            }
            None => block(&entries, wanted).is_some_and(|block| !exactly || place(&block.at) == *wanted.at),
        }
    };
    let is_named = |play: &&Arc<Play>| of_play(play) == *wanted.of_play;
    let there = (wanted.play as usize).checked_sub(1).and_then(|index| plays.get(index));
    if let Some(there) = there.filter(is_named).filter(|play| has(play, true)) {
        return Ok(there);
    }
    let fits: Vec<&Arc<Play>> = plays.iter().filter(is_named).filter(|play| has(play, false)).collect();
    match &fits[..] {
        [play] => Ok(play),
        [] => Err(gone(wanted)),
        several => Err(Diagnostic::user(format!(
            "{} plays have the block \"{}\" now",
            several.len(),
            wanted.title()
        ))
        .kind(Kind::Refused)
        .note(format!("it was at {}, in the play \"{}\"", wanted.at, wanted.of_play))
        .hint("give these plays names of their own, or undo files alone with --files-only".to_owned())),
    }
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
