//! What is to be done to take back a run, and what stands in the way.

use std::path::{Path, PathBuf};

use super::problem::{self, Problem};
use super::step::{How, Step, kept_is_whole};
use super::view::{Seen, View};
use crate::changes::RECORD;
use crate::changes::record::Beyond;
use crate::changes::record::{Entry, Record};
use crate::changes::{Content, State, Thing};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::Look;

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
    pub(crate) beyond: Vec<Beyond>,
}

/// Looks at what a run has changed, by the record in this directory; nothing if there is none.
///
/// # Errors
/// If something cannot be looked at, or the record is damaged.
pub(crate) fn look(directory: &Path, look: &Look) -> Result<Option<Plan>, Failure> {
    let path = directory.join(RECORD);
    let Some(record) = Record::read(&path).map_err(|error| cannot("read", &path, &error))? else {
        return Ok(None);
    };
    // It is used: it must not be removed meanwhile, as that of an old run.
    if let Ok(file) = std::fs::File::options().append(true).open(&path) {
        file.set_modified(std::time::SystemTime::now()).ok();
    }
    let mut plan = Plan { record: path, beyond: record.cannot, ..Plan::default() };
    let mut view = View::new(look);
    let mut later: Vec<PathBuf> = Vec::new();
    for mut entry in record.entries.into_iter().rev() {
        // A tree that was brought back, and changed then, is not as it was brought back.
        if later.iter().any(|path| path.starts_with(&entry.path)) {
            entry
                .lefts
                .iter_mut()
                .filter(|left| left.thing == Thing::Tree)
                .for_each(|left| left.content = Content::Any);
        }
        later.push(entry.path.clone());
        plan.add(entry, &mut view)?;
    }
    Ok(Some(plan))
}

impl Plan {
    fn add(&mut self, mut entry: Entry, view: &mut View<'_>) -> Result<(), Failure> {
        if let Some(by) = entry.undone.take() {
            self.undone_by = Some(by);
            return Ok(());
        }
        if entry.moot || entry.lefts.is_empty() {
            // It came to nothing.
            return Ok(());
        }
        let mut now = view.see(&entry.path)?;
        let [last, before] = entry.left();
        // The time of a directory changes with what it holds.
        let mtime = entry.was.mtime.filter(|_| entry.was.thing != Thing::Directory);
        let was = State { mtime, ..entry.was.clone() };
        if now.is(&was)? {
            self.ids.push(entry.id);
            return Ok(());
        }
        if !now.is(last)? && !now.is(before)? {
            // Somebody may have put it back by hand.
            if last.mtime.is_none() && now.is(&State { mtime: None, ..was })? {
                self.ids.push(entry.id);
            } else {
                self.problems.push(problem::changed(&entry, &mut now)?);
            }
            return Ok(());
        }
        let how = match how(&was, last, &mut now)? {
            Ok(how) => how,
            Err(why) => {
                self.lost.push((entry.path, why));
                return Ok(());
            }
        };
        if how == How::Restore && !kept_is_whole(&was, view.look)? {
            self.problems.push(problem::kept(&entry));
            return Ok(());
        }
        // Where a directory was made, what the run put into it is gone by now.
        let was_made = now.state.thing == Thing::Directory && last.thing == Thing::Directory;
        if was_made && matches!(how, How::RemoveDirectory | How::Restore) {
            let holds = view.below(&entry.path)?;
            if !holds.is_empty() {
                self.problems.push(problem::holds(&entry, holds));
                return Ok(());
            }
        }
        view.restored(&entry.path, &entry.was, how);
        let secret = matches!(last.content, Content::Stamp(..) | Content::Secret);
        let mut becomes = entry.was.clone();
        if how == How::Attributes
            && let Some(digest) = now.digest()?
        {
            becomes.content = Content::Digest(digest);
        }
        let becomes = problem::told(&becomes);
        self.steps.push(Step { id: entry.id, path: entry.path, how, was: entry.was, becomes, secret });
        Ok(())
    }

    /// Returns what is at each path that is to be as it was, once that is done, as a text that tells states apart.
    pub(crate) fn becomes(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.steps.iter().map(|step| (step.path.as_path(), step.becomes.as_str()))
    }
}

/// Returns what is to be done where `now` is what the run left; or why it cannot be done.
fn how(was: &State, left: &State, now: &mut Seen) -> Result<Result<How, &'static str>, Failure> {
    Ok(match (&was.thing, &was.content) {
        (Thing::File | Thing::Tree, Content::Secret) => Err("it held a secret, which is not kept"),
        (Thing::File | Thing::Tree, Content::Unreadable) => {
            Err("what it held could not be read by the user of the run")
        }
        (Thing::Tree, _) if was.kept.is_none() => Err("it was neither file, directory nor link"),
        (Thing::Nothing, _) if now.state.thing == Thing::Directory && left.thing != Thing::Tree => {
            Ok(How::RemoveDirectory)
        }
        (Thing::Nothing, _) => Ok(How::Remove),
        (thing, _) if *thing == now.state.thing && now.holds(&was.content)? => Ok(How::Attributes),
        _ => Ok(How::Restore),
    })
}
