//! Records each change before it is made, and keeps what the change would destroy.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use convoy_protocol::message::{Become, Order};

use super::keep::Keeper;
use super::line::RecordLine;
use super::record::Writer;
use super::state::{ContentState, PathKind, PathState};
use super::tracked::{TrackedPath, TrackedPaths};
use super::users::user_line;
use super::{RECORD, USERS, prune, with_real_parent};
use crate::failure::Failure;
use crate::os_error::reason;
use crate::stat::{Meta, Time};
use crate::state;
use crate::sync::lock;

/// Records the changes of a run, if it has a name. All parts of an agent share one recorder.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The state directory, if it is not the user's default one.
    state: Option<PathBuf>,
    run: Option<String>,
    open: Option<Open>,
    /// The ticket of the current order.
    ticket: Option<u64>,
    /// Whether that order was given secrets.
    secret: bool,
}

/// The open record of a run.
#[derive(Debug)]
struct Open {
    writer: Writer,
    keeper: Keeper,
    tracked: TrackedPaths,
    /// How many entries were created.
    names: u64,
}

/// How a change affects the content of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// The content is kept: the change only affects attributes, or the path does not exist.
    KeepsContent,
    /// The content is replaced or removed.
    LosesContent,
    /// The path was just created, under a name that was not known beforehand.
    Created,
}

/// An announced change.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Announcement(Option<(PathBuf, TrackedPath)>, First);

/// Whether a change is the first one of its path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum First {
    Yes,
    #[default]
    No,
}

impl First {
    fn of(line: &RecordLine) -> Self {
        if matches!(line, RecordLine::Change { .. }) { Self::Yes } else { Self::No }
    }
}

/// How to remove a directory.
#[derive(Debug)]
pub(crate) enum Removal {
    /// Permanently: it is empty, or the run created it.
    Discard(Announcement),
    /// By moving it to this path.
    Move(Announcement, PathBuf),
}

fn cannot_record(error: &io::Error) -> Failure {
    Failure::new(format!("cannot record a change for undo: {}; nothing was changed", reason(error)))
}

impl Recorder {
    /// Makes one that uses this state directory instead of the user's default one.
    pub fn below(state: &Path) -> Self {
        Self(Arc::new(Mutex::new(Inner { state: Some(state.to_owned()), ..Inner::default() })))
    }

    /// Starts recording the changes of a run; with `None`, stops recording.
    pub fn begin(&self, run: Option<&str>) {
        let mut inner = lock(&self.0);
        inner.run = run.map(str::to_owned);
        inner.open = None;
    }

    /// Returns whether changes are recorded.
    pub(crate) fn is_enabled(&self) -> bool {
        lock(&self.0).run.is_some()
    }

    /// Sets the current order.
    pub(crate) fn set_order(&self, order: &Order) {
        let quiet = order.ticket.is_some_and(|ticket| ticket.quiet);
        let mut inner = lock(&self.0);
        inner.ticket = order.ticket.map(|ticket| ticket.number);
        inner.secret = quiet || order.args.values().any(|value| value.deep_taint().is_secret());
    }

    /// Sets whether file contents are secret, whatever the order says.
    pub(crate) fn set_secret(&self, secret: bool) {
        lock(&self.0).secret = secret;
    }

    /// Returns the name of the recorded run.
    pub(crate) fn run(&self) -> Option<String> {
        lock(&self.0).run.clone()
    }

    /// Returns the directory of a run, which need not exist.
    ///
    /// # Errors
    /// If `run` is not a valid name of a run, or there is no state directory.
    pub(crate) fn directory_of(&self, run: &str) -> io::Result<PathBuf> {
        lock(&self.0).directory_of(run)
    }

    /// Records that a module is about to do something irreversible.
    ///
    /// # Errors
    /// If it cannot be recorded.
    pub(crate) fn record_irreversible(&self, module: &str, why: &str) -> Result<(), Failure> {
        let mut inner = lock(&self.0);
        let ticket = inner.ticket;
        let Some(open) = inner.opened()? else { return Ok(()) };
        let line = RecordLine::Irreversible { module: module.to_owned(), why: why.to_owned(), ticket };
        open.writer.append(&[line], false).map_err(|error| cannot_record(&error))
    }

    /// Records that the agent of another user is about to work for the run.
    pub(crate) fn record_user(&self, other: &Become) -> Result<(), Failure> {
        let inner = lock(&self.0);
        let Some(run) = &inner.run else { return Ok(()) };
        let write = || -> io::Result<()> {
            let directory = inner.directory_of(run)?;
            state::make_private(&directory)?;
            let path = directory.join(USERS);
            let line = user_line(other);
            if fs::read_to_string(&path).is_ok_and(|text| text.contains(&line)) {
                return Ok(());
            }
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
            file.write_all(line.as_bytes())
        };
        write().map_err(|error| cannot_record(&error))
    }

    /// Announces a change that will leave `path` in the state `left`, and keeps the old content if it would be lost.
    ///
    /// # Errors
    /// If it cannot be recorded or kept; the change must not be made then.
    pub(crate) fn announce(
        &self,
        path: &Path,
        change: ChangeKind,
        left: PathState,
    ) -> Result<Announcement, Failure> {
        Ok(self.announce_all(vec![(path.to_owned(), left)], change)?.pop().unwrap_or_default())
    }

    /// Announces changes that are made together.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub(crate) fn announce_all(
        &self,
        changes: Vec<(PathBuf, PathState)>,
        change: ChangeKind,
    ) -> Result<Vec<Announcement>, Failure> {
        let mut inner = lock(&self.0);
        let secret = inner.secret;
        let Some(open) = inner.opened()? else { return Ok(Vec::new()) };
        let (mut lines, mut announcements) = (Vec::new(), Vec::new());
        for (path, left) in changes {
            match open.announce(with_real_parent(&path), change, left, secret)? {
                Some((line, path, tracked)) => {
                    announcements.push(Announcement(Some((path, tracked)), First::of(&line)));
                    lines.push(line);
                }
                None => announcements.push(Announcement::default()),
            }
        }
        open.write(&lines, &announcements, change == ChangeKind::LosesContent)?;
        Ok(announcements)
    }

    /// Announces the removal of the directory at `path`, and returns how to remove it.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub(crate) fn announce_removal(&self, path: &Path, meta: &Meta) -> Result<Removal, Failure> {
        let mut inner = lock(&self.0);
        let secret = inner.secret;
        let Some(open) = inner.opened()? else { return Ok(Removal::Discard(Announcement::default())) };
        let path = with_real_parent(path);
        let is_empty = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        if is_empty || open.tracked.is_new(&path) {
            let announcement = open.announce(path, ChangeKind::LosesContent, PathState::absent(), secret)?;
            let announcement = match announcement {
                Some((line, path, tracked)) => {
                    let announcement = Announcement(Some((path, tracked)), First::of(&line));
                    open.write(&[line], std::slice::from_ref(&announcement), true)?;
                    announcement
                }
                None => Announcement::default(),
            };
            return Ok(Removal::Discard(announcement));
        }
        let id = open.name();
        let tracked = TrackedPath {
            id: id.clone(),
            was_absent: false,
            content_kept: true,
            is_stamped: false,
            is_tree: false,
        };
        let announcement = Announcement(Some((path.clone(), tracked)), First::Yes);
        let (was, kept) = if secret {
            (
                PathState {
                    content: ContentState::Secret,
                    ownership: Some(meta.into()),
                    ..PathState::new(PathKind::Tree)
                },
                None,
            )
        } else {
            match open.keeper.keep_tree(&path, meta, &id)? {
                Some(state) => (state.clone(), state.kept),
                None => (open.keeper.keep_copy_of_tree(&path, meta, &id)?, None),
            }
        };
        let line = RecordLine::Change { id, path, was, left: PathState::absent() };
        open.write(&[line], &[], true)?;
        Ok(match kept {
            Some(kept) => Removal::Move(announcement, kept),
            None => Removal::Discard(announcement),
        })
    }

    /// Keeps a copy of the directory at `path`, since it could not be moved.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub(crate) fn keep_copy(
        &self,
        announcement: &Announcement,
        path: &Path,
        meta: &Meta,
    ) -> Result<(), Failure> {
        let mut inner = lock(&self.0);
        let (Some(open), Some((_, tracked))) = (inner.opened()?, &announcement.0) else { return Ok(()) };
        let was = open.keeper.keep_copy_of_tree(&with_real_parent(path), meta, &tracked.id)?;
        let line =
            RecordLine::ChangeAgain { id: tracked.id.clone(), was: Some(was), left: PathState::absent() };
        open.write(&[line], &[], true)
    }

    /// Stops tracking a removed directory and everything below it: whatever appears there is something else.
    pub(crate) fn forget(&self, path: &Path) {
        if let Some(open) = lock(&self.0).open.as_mut() {
            open.tracked.forget(&with_real_parent(path));
        }
    }

    /// Records that a change was not made. If this fails, [`Entry::left`](super::record::Entry::left) still allows for it.
    pub(crate) fn cancel(&self, announcement: &Announcement) {
        let mut inner = lock(&self.0);
        let (Some(open), Some((path, tracked))) = (inner.open.as_mut(), &announcement.0) else { return };
        open.writer.append(&[RecordLine::Cancelled { id: tracked.id.clone() }], false).ok();
        if announcement.1 == First::Yes {
            open.tracked.remove(path);
        }
    }

    /// Records the actual state after a change, if it differs from the announced state or was not known.
    ///
    /// # Errors
    /// If it cannot be recorded; the change was made.
    pub(crate) fn confirm(
        &self,
        announcement: &Announcement,
        announced: Option<&PathState>,
    ) -> Result<(), Failure> {
        let mut inner = lock(&self.0);
        let (Some(open), Some((path, tracked))) = (inner.open.as_mut(), &announcement.0) else {
            return Ok(());
        };
        let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
        let seen =
            PathState::observe(path, Some(&Meta::from(&meta))).map_err(|error| cannot_record(&error))?;
        let stamp = Time { seconds: meta.ctime(), nanos: meta.ctime_nsec() };
        let left = if tracked.is_stamped {
            PathState { content: ContentState::Stamp(meta.dev(), meta.ino(), stamp), mtime: None, ..seen }
        } else {
            let told = |state: &&PathState| {
                state.ownership == seen.ownership && state.mtime.is_none_or(|time| Some(time) == seen.mtime)
            };
            let Some(announced) = announced.filter(|state| !told(state)) else { return Ok(()) };
            PathState { mtime: announced.mtime.and(seen.mtime), ..seen }
        };
        let line = RecordLine::ChangeAgain { id: tracked.id.clone(), was: None, left };
        open.writer.append(&[line], false).map_err(|error| {
            Failure::new(format!(
                "{} was changed, but its new state cannot be recorded: {}",
                path.display(),
                reason(&error)
            ))
        })
    }
}

impl Inner {
    fn directory_of(&self, run: &str) -> io::Result<PathBuf> {
        match &self.state {
            Some(state) => state::run_directory_in(state, run),
            None => state::run_directory_in(&state::directory()?, run),
        }
    }

    /// Returns the open record, opening it first if necessary; `None` if changes are not recorded.
    fn opened(&mut self) -> Result<Option<&mut Open>, Failure> {
        if self.open.is_none() {
            let Some(run) = self.run.clone() else { return Ok(None) };
            let open = self.directory_of(&run).and_then(|directory| {
                state::make_private(&directory)?;
                let (writer, record) = Writer::open(&directory.join(RECORD))?;
                prune::in_background(&directory);
                let keeper = Keeper::new(&directory, &run)?;
                Ok(Open {
                    writer,
                    keeper,
                    tracked: TrackedPaths::from_record(&record),
                    names: record.entries.len() as u64,
                })
            });
            self.open = Some(open.map_err(|error| cannot_record(&error))?);
        }
        Ok(self.open.as_mut())
    }
}

impl Open {
    /// Returns a name for an entry that is unique, even among other processes.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}.{}", std::process::id(), self.names)
    }

    /// Returns the line that announces a change and the tracked state of the path; `None` if the path does not exist and will
    /// not exist.
    fn announce(
        &mut self,
        path: PathBuf,
        change: ChangeKind,
        mut left: PathState,
        secret: bool,
    ) -> Result<Option<(RecordLine, PathBuf, TrackedPath)>, Failure> {
        let is_stamped = secret && left.kind == PathKind::File && left.content != ContentState::Any;
        if is_stamped {
            left.content = ContentState::Secret;
        }
        let meta = fs::symlink_metadata(&path).ok().map(|meta| Meta::from(&meta));
        let tracked = self.tracked.get(&path).cloned();
        if let Some(tracked) = &tracked
            && (change != ChangeKind::LosesContent || tracked.content_kept)
        {
            let line = RecordLine::ChangeAgain { id: tracked.id.clone(), was: None, left };
            let tracked = TrackedPath {
                is_stamped: is_stamped || tracked.is_stamped && change != ChangeKind::LosesContent,
                ..tracked.clone()
            };
            return Ok(Some((line, path, tracked)));
        }
        let was_absent = change == ChangeKind::Created || meta.is_none() || self.tracked.is_new(&path);
        if meta.is_none() && left.is_absent() && tracked.is_none() {
            return Ok(None);
        }
        let id = tracked.as_ref().map_or_else(|| self.name(), |tracked| tracked.id.clone());
        let was = match &meta {
            Some(meta) if !was_absent => self.before(&path, meta, change, secret, &id)?,
            _ => PathState::absent(),
        };
        let content_kept = was_absent || change == ChangeKind::LosesContent;
        let is_tree = left.kind == PathKind::Tree;
        let next = TrackedPath { id: id.clone(), was_absent, content_kept, is_stamped, is_tree };
        let line = match tracked {
            None => RecordLine::Change { id, path: path.clone(), was, left },
            Some(_) => RecordLine::ChangeAgain { id, was: Some(was), left },
        };
        Ok(Some((line, path, next)))
    }

    /// Returns the state of `path`, and keeps its content if it would be lost.
    fn before(
        &mut self,
        path: &Path,
        meta: &Meta,
        change: ChangeKind,
        secret: bool,
        id: &str,
    ) -> Result<PathState, Failure> {
        if change == ChangeKind::LosesContent && !secret {
            return self.keeper.keep(path, meta, id);
        }
        let mut state = PathState::observe(path, Some(meta)).map_err(|error| cannot_record(&error))?;
        if change == ChangeKind::LosesContent && state.kind == PathKind::File {
            state.content = ContentState::Secret;
        }
        Ok(state)
    }

    fn write(
        &mut self,
        lines: &[RecordLine],
        announcement: &[Announcement],
        durably: bool,
    ) -> Result<(), Failure> {
        self.writer.append(lines, durably).map_err(|error| cannot_record(&error))?;
        for (path, tracked) in announcement.iter().filter_map(|announcement| announcement.0.clone()) {
            self.tracked.insert(path, tracked);
        }
        Ok(())
    }
}
