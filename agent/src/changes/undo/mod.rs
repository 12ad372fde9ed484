//! Taking back what a run has changed: looked at first, all of it, the last change first.

mod perform;
mod problem;
mod view;

use std::io;
use std::path::{Path, PathBuf};

use convoy_protocol::message::{Become, Method};

pub(crate) use super::record::Beyond;
pub(crate) use perform::perform;
pub(crate) use problem::Problem;

use super::line::{read_words, words};
use super::record::{Entry, Record};
use super::state::{Content, State, Thing};
use super::{RECORD, USERS, tree};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::Look;

use view::{Seen, View};

/// What is to be done, and what stands in the way.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The record.
    record: PathBuf,
    pub(crate) steps: Vec<Step>,
    pub(crate) problems: Vec<Problem>,
    /// Paths that stay as they are, since what they held is not kept, and why it is not.
    pub(crate) lost: Vec<(PathBuf, &'static str)>,
    /// Whatever is or was to be done, by its names in the record.
    ids: Vec<String>,
    /// The run that has taken it back already.
    pub(crate) undone_by: Option<String>,
    /// What modules did besides.
    pub(crate) beyond: Vec<Beyond>,
}

/// One path that is to be as it was.
#[derive(Debug)]
pub(crate) struct Step {
    id: String,
    pub(crate) path: PathBuf,
    pub(crate) how: How,
    was: State,
    /// What will be there, as a text that tells states apart.
    becomes: String,
    /// Whether what is there is secret.
    secret: bool,
}

/// What is to be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It goes.
    Remove,
    /// A folder that was made goes, when it is empty.
    RemoveFolder,
    /// What was there comes back.
    Restore,
    /// Owner, mode and time alone.
    Attributes,
}

impl How {
    /// Returns it in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Remove | Self::RemoveFolder => "removed",
            Self::Restore => "restored",
            Self::Attributes => "attributes",
        }
    }
}

/// Returns how another user was become, as a line of a run's folder.
pub(super) fn user_line(other: &Become) -> String {
    let option =
        |value: &Option<String>| value.as_ref().map_or_else(|| "-".to_owned(), |text| format!("={text}"));
    words(&[&other.user, other.method.name(), &option(&other.exe), &option(&other.flags)])
}

/// Returns the users that were become in a run, without their passwords.
pub(crate) fn users(folder: &Path) -> Vec<Become> {
    let text = std::fs::read_to_string(folder.join(USERS)).unwrap_or_default();
    let option = |text: &String| text.strip_prefix('=').map(str::to_owned);
    let read = |line: &str| {
        let words = read_words(line)?;
        let [user, method, exe, flags] = &words[..] else { return None };
        let method = Method::named(method)?;
        Some(Become { user: user.clone(), method, exe: option(exe), flags: option(flags), password: None })
    };
    text.lines().filter_map(read).collect()
}

/// Looks at what a run has changed, by the record in this folder; nothing if there is none.
///
/// # Errors
/// If something cannot be looked at, or the record is damaged.
pub(crate) fn look(folder: &Path, look: &Look) -> Result<Option<Plan>, Failure> {
    let path = folder.join(RECORD);
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
        // The time of a folder changes with what it holds.
        let mtime = entry.was.mtime.filter(|_| entry.was.thing != Thing::Folder);
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
        // Where a folder was made, what the run put into it is gone by now.
        let was_made = now.state.thing == Thing::Folder && last.thing == Thing::Folder;
        if was_made && matches!(how, How::RemoveFolder | How::Restore) {
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
        (Thing::Tree, _) if was.kept.is_none() => Err("it was neither file, folder nor link"),
        (Thing::Nothing, _) if now.state.thing == Thing::Folder && left.thing != Thing::Tree => {
            Ok(How::RemoveFolder)
        }
        (Thing::Nothing, _) => Ok(How::Remove),
        (thing, _) if *thing == now.state.thing && now.holds(&was.content)? => Ok(How::Attributes),
        _ => Ok(How::Restore),
    })
}

/// Returns whether what is kept is what was there before the run.
fn kept_is_whole(was: &State, look: &Look) -> Result<bool, Failure> {
    let Some(kept) = &was.kept else { return Ok(!matches!(was.thing, Thing::File | Thing::Tree)) };
    let Content::Digest(wanted) = was.content else { return Ok(false) };
    if look.lstat(kept)?.is_none() {
        return Ok(false);
    }
    let found = match was.thing {
        Thing::Tree => survey(kept)?,
        _ => look.sha256(kept)?,
    };
    Ok(found == wanted)
}

/// Returns the digest of a tree.
fn survey(path: &Path) -> Result<convoy_protocol::Digest, Failure> {
    tree::survey(path).map(|survey| survey.digest).map_err(|error: io::Error| cannot("look at", path, &error))
}

impl Seen {
    /// Returns whether it holds this; what does not matter it always does.
    fn holds(&mut self, content: &Content) -> Result<bool, Failure> {
        Ok(match content {
            Content::Any => true,
            Content::Secret | Content::Unreadable => false,
            Content::Digest(digest) => self.digest()? == Some(*digest),
            Content::Stamp(device, inode, time) => self.stamp == Some((*device, *inode, *time)),
        })
    }

    /// Returns whether it is in this state.
    fn is(&mut self, wanted: &State) -> Result<bool, Failure> {
        if wanted.thing == Thing::Tree {
            return Ok(match wanted.content {
                Content::Digest(digest) => self.survey()? == Some(digest),
                Content::Any => !self.state.is_nothing(),
                _ => false,
            });
        }
        Ok(self.state.thing == wanted.thing
            && wanted.owned.is_none_or(|owned| self.state.owned == Some(owned))
            && wanted.mtime.is_none_or(|time| self.state.mtime == Some(time))
            && self.holds(&wanted.content)?)
    }
}
