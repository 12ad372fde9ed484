//! Plans the undo of a run.

use std::path::{Path, PathBuf};

use super::problem::{self, Problem};
use super::projection::{Observed, Projection};
use super::step::{Action, Step, kept_is_whole};
use crate::changes::RECORD;
use crate::changes::record::{Entry, IrreversibleWork, Record};
use crate::changes::{ContentState, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::SystemView;

/// What to do, and what prevents it.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The path of the record.
    pub(super) record: PathBuf,
    pub(crate) steps: Vec<Step>,
    pub(crate) problems: Vec<Problem>,
    /// Paths that stay as they are because their old content was not kept, with the reason.
    pub(crate) lost: Vec<(PathBuf, &'static str)>,
    /// The names of all entries that are done when the plan is.
    pub(super) ids: Vec<String>,
    /// The run that has undone the changes already.
    pub(crate) undone_by: Option<String>,
    /// What modules did that is irreversible.
    pub(crate) irreversible: Vec<IrreversibleWork>,
}

/// Plans the undo of the run with this directory; `None` if nothing was recorded.
///
/// # Errors
/// If something is not accessible, or the record is damaged.
pub(crate) fn plan(directory: &Path, view: &SystemView) -> Result<Option<Plan>, Failure> {
    let path = directory.join(RECORD);
    let Some(record) = Record::read(&path).map_err(|error| cannot("read", &path, &error))? else {
        return Ok(None);
    };
    // Mark the record as recently used, so that it is not removed as old.
    if let Ok(file) = std::fs::File::options().append(true).open(&path) {
        file.set_modified(std::time::SystemTime::now()).ok();
    }
    let mut plan = Plan { record: path, irreversible: record.irreversible, ..Plan::default() };
    let mut projection = Projection::new(view);
    let mut later: Vec<PathBuf> = Vec::new();
    for mut entry in record.entries.into_iter().rev() {
        // A restored tree that was changed later is no longer as it was restored.
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
            // Nothing came of it.
            return Ok(());
        }
        let mut now = projection.observe(&entry.path)?;
        let [last, before] = entry.left();
        // The modification time of a directory changes whenever its entries do.
        let mtime = entry.was.mtime.filter(|_| entry.was.kind != PathKind::Directory);
        let was = PathState { mtime, ..entry.was.clone() };
        if now.is(&was)? {
            self.ids.push(entry.id);
            return Ok(());
        }
        if !now.is(last)? && !now.is(before)? {
            // Somebody may have restored it by hand.
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
        // If a directory was created, what the run put into it is removed by now.
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

    /// Returns, for each path of the plan, a text that identifies its state after the undo.
    pub(crate) fn becomes(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.steps.iter().map(|step| (step.path.as_path(), step.becomes.as_str()))
    }
}

/// Returns what to do if `now` is the state that the run left, or why nothing can be done.
fn action(
    was: &PathState,
    left: &PathState,
    now: &mut Observed,
) -> Result<Result<Action, &'static str>, Failure> {
    Ok(match (&was.kind, &was.content) {
        (PathKind::File | PathKind::Tree, ContentState::Secret) => {
            Err("it contained a secret, and secrets are not backed up")
        }
        (PathKind::File | PathKind::Tree, ContentState::Unreadable) => {
            Err("the user of the run could not read it")
        }
        (PathKind::Tree, _) if was.kept.is_none() => Err("it was not a file, directory or link"),
        (PathKind::Absent, _) if now.state.kind == PathKind::Directory && left.kind != PathKind::Tree => {
            Ok(Action::RemoveDirectory)
        }
        (PathKind::Absent, _) => Ok(Action::Remove),
        (kind, _) if *kind == now.state.kind && now.holds(&was.content)? => Ok(Action::Attributes),
        _ => Ok(Action::Restore),
    })
}
