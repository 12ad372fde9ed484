//! What is to be done to take back a run, and what stands in the way.

use std::path::{Path, PathBuf};

use super::problem::{self, Problem};
use super::projection::{Observed, Projection};
use super::step::{Action, Step, kept_is_whole};
use crate::changes::RECORD;
use crate::changes::record::IrreversibleWork;
use crate::changes::record::{Entry, Record};
use crate::changes::{ContentState, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::SystemView;

/// What is to be done, and what stands in the way.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The record.
    pub(super) record: PathBuf,
    pub(crate) steps: Vec<Step>,
    pub(crate) problems: Vec<Problem>,
    /// Paths that stay as they are, since what they held is not kept, and why it is not.
    pub(crate) lost: Vec<(PathBuf, &'static str)>,
    /// Whatever is or was to be done, by its names in the record.
    pub(super) ids: Vec<String>,
    /// The run that has taken it back already.
    pub(crate) undone_by: Option<String>,
    /// What modules did besides.
    pub(crate) irreversible: Vec<IrreversibleWork>,
}

/// Looks at what a run has changed, by the record in this directory; nothing if there is none.
///
/// # Errors
/// If something cannot be looked at, or the record is damaged.
pub(crate) fn plan(directory: &Path, view: &SystemView) -> Result<Option<Plan>, Failure> {
    let path = directory.join(RECORD);
    let Some(record) = Record::read(&path).map_err(|error| cannot("read", &path, &error))? else {
        return Ok(None);
    };
    // It is used: it must not be removed meanwhile, as that of an old run.
    if let Ok(file) = std::fs::File::options().append(true).open(&path) {
        file.set_modified(std::time::SystemTime::now()).ok();
    }
    let mut plan = Plan { record: path, irreversible: record.cannot, ..Plan::default() };
    let mut projection = Projection::new(view);
    let mut later: Vec<PathBuf> = Vec::new();
    for mut entry in record.entries.into_iter().rev() {
        // A tree that was brought back, and changed then, is not as it was brought back.
        if later.iter().any(|path| path.starts_with(&entry.path)) {
            entry
                .left_states
                .iter_mut()
                .filter(|left| left.kind == PathKind::Tree)
                .for_each(|left| left.content = ContentState::Any);
        }
        later.push(entry.path.clone());
        plan.add(entry, &mut projection)?;
    }
    Ok(Some(plan))
}

impl Plan {
    fn add(&mut self, mut entry: Entry, projection: &mut Projection<'_>) -> Result<(), Failure> {
        if let Some(by) = entry.undone_by.take() {
            self.undone_by = Some(by);
            return Ok(());
        }
        if entry.cancelled_out || entry.left_states.is_empty() {
            // It came to nothing.
            return Ok(());
        }
        let mut now = projection.observe(&entry.path)?;
        let [last, before] = entry.left();
        // The time of a directory changes with what it holds.
        let mtime = entry.was.mtime.filter(|_| entry.was.kind != PathKind::Directory);
        let was = PathState { mtime, ..entry.was.clone() };
        if now.is(&was)? {
            self.ids.push(entry.id);
            return Ok(());
        }
        if !now.is(last)? && !now.is(before)? {
            // Somebody may have put it back by hand.
            if last.mtime.is_none() && now.is(&PathState { mtime: None, ..was })? {
                self.ids.push(entry.id);
            } else {
                self.problems.push(problem::changed(&entry, &mut now)?);
            }
            return Ok(());
        }
        let action = match action(&was, last, &mut now)? {
            Ok(action) => action,
            Err(why) => {
                self.lost.push((entry.path, why));
                return Ok(());
            }
        };
        if action == Action::Restore && !kept_is_whole(&was, projection.view)? {
            self.problems.push(problem::kept(&entry));
            return Ok(());
        }
        // Where a directory was made, what the run put into it is gone by now.
        let was_made = now.state.kind == PathKind::Directory && last.kind == PathKind::Directory;
        if was_made && matches!(action, Action::RemoveDirectory | Action::Restore) {
            let holds = projection.below(&entry.path)?;
            if !holds.is_empty() {
                self.problems.push(problem::holds(&entry, holds));
                return Ok(());
            }
        }
        projection.restored(&entry.path, &entry.was, action);
        let secret = matches!(last.content, ContentState::Stamp(..) | ContentState::Secret);
        let mut becomes = entry.was.clone();
        if action == Action::Attributes
            && let Some(digest) = now.digest()?
        {
            becomes.content = ContentState::Digest(digest);
        }
        let becomes = problem::state_words(&becomes);
        self.steps.push(Step { id: entry.id, path: entry.path, action, was: entry.was, becomes, secret });
        Ok(())
    }

    /// Returns what is at each path that is to be as it was, once that is done, as a text that tells states apart.
    pub(crate) fn becomes(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.steps.iter().map(|step| (step.path.as_path(), step.becomes.as_str()))
    }
}

/// Returns what is to be done where `now` is what the run left; or why it cannot be done.
fn action(
    was: &PathState,
    left: &PathState,
    now: &mut Observed,
) -> Result<Result<Action, &'static str>, Failure> {
    Ok(match (&was.kind, &was.content) {
        (PathKind::File | PathKind::Tree, ContentState::Secret) => Err("it held a secret, which is not kept"),
        (PathKind::File | PathKind::Tree, ContentState::Unreadable) => {
            Err("what it held could not be read by the user of the run")
        }
        (PathKind::Tree, _) if was.kept.is_none() => Err("it was neither file, directory nor link"),
        (PathKind::Absent, _) if now.state.kind == PathKind::Directory && left.kind != PathKind::Tree => {
            Ok(Action::RemoveDirectory)
        }
        (PathKind::Absent, _) => Ok(Action::Remove),
        (kind, _) if *kind == now.state.kind && now.holds(&was.content)? => Ok(Action::Attributes),
        _ => Ok(Action::Restore),
    })
}
