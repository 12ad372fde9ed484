//! Changes that are recorded for undo. Each is announced before it is made, so that it can be undone even if it is
//! interrupted.

use std::fs;
use std::io;
use std::path::Path;

use convoy_protocol::Digest;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use rustix::io::Errno;

use super::{Attributes, SetTime, System, SystemView, Temporary};
use crate::changes::{
    Announcement, ChangeKind, ContentState, Ownership, PathKind, PathState, Removal, copy, set_xattr, survey,
};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::stat::{Meta, Time};

impl SystemView {
    /// Verifies that `path` has not changed since it was examined, apart from a new hard link to it.
    ///
    /// # Errors
    /// If another program has changed it.
    pub(super) fn expect_same_content(&self, path: &Path, expected: Option<&Meta>) -> Result<(), Failure> {
        let same = |then: &Meta, now: &Meta| {
            (then.dev, then.ino, then.size, then.mtime) == (now.dev, now.ino, now.size, now.mtime)
        };
        match (expected, self.lstat(path)?) {
            (Some(then), Some(now)) if same(then, &now) => Ok(()),
            _ => self.expect_unchanged(path, expected),
        }
    }
}

impl System {
    /// Makes a change that leaves `path` in the state `left`.
    pub(super) fn with_record(
        &self,
        path: &Path,
        change: ChangeKind,
        left: PathState,
        make: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_enabled() {
            return make();
        }
        let announcement = self.recorder.announce(path, change, left)?;
        self.conclude(&announcement, None, make())
    }

    /// Puts a new file or link in place of `expected`.
    pub(super) fn install_with_record(
        &self,
        temporary: Temporary,
        expected: Option<&Meta>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_enabled() {
            return temporary.install();
        }
        let target = temporary.target.clone();
        let left = self.resulting_state(temporary.path(), temporary.digest)?;
        let announcement = self.recorder.announce(&target, ChangeKind::LosesContent, left)?;
        // Keeping the old file takes time, and may have added a hard link to it.
        let done = self.expect_same_content(&target, expected).and_then(|()| temporary.install());
        self.conclude(&announcement, None, done)
    }

    /// Returns the state of a target after `path` is moved or linked to it.
    pub(super) fn resulting_state(&self, path: &Path, digest: Option<Digest>) -> Result<PathState, Failure> {
        let meta = self.lstat(path)?;
        let state =
            PathState::observe(path, meta.as_ref()).map_err(|error| cannot("access", path, &error))?;
        let content = match (&state.kind, digest) {
            (PathKind::File, Some(digest)) => ContentState::Digest(digest),
            (PathKind::File, None) => ContentState::Digest(self.sha256(path)?),
            _ => ContentState::Any,
        };
        Ok(PathState { content, mtime: None, ..state })
    }

    /// Removes a directory tree: by moving it to where it is kept, or else with `remove`.
    pub(super) fn remove_with_record(
        &self,
        path: &Path,
        meta: &Meta,
        remove: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_enabled() {
            return remove();
        }
        let (announcement, done) = match self.recorder.announce_removal(path, meta)? {
            Removal::Discard(announcement) => (announcement, remove()),
            Removal::Move(announcement, kept) => {
                let moved = fs::rename(path, kept);
                let done = match moved {
                    Ok(()) => Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    // Permission to remove a directory does not imply permission to move it.
                    Err(_) => self.recorder.keep_copy(&announcement, path, meta).and_then(|()| remove()),
                };
                (announcement, done)
            }
        };
        if done.is_ok() {
            self.recorder.forget(path);
        }
        self.conclude(&announcement, None, done)
    }

    /// Changes attributes of `path`, or of what it links to.
    pub(super) fn set_attributes_with_record(
        &self,
        path: &Path,
        follow: bool,
        wanted: Attributes,
        mtime: Option<SetTime>,
        make: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_enabled() {
            return make();
        }
        let mut place = path.to_owned();
        if follow && self.lstat(path)?.is_some_and(|meta| meta.is_link()) {
            place = self.real_path(path);
        }
        let Some(meta) = self.lstat(&place)? else { return make() };
        let mut left =
            PathState::observe(&place, Some(&meta)).map_err(|error| cannot("access", &place, &error))?;
        let next = Attributes {
            mode: wanted.mode.or(Some(meta.mode)),
            uid: wanted.uid.or(Some(meta.uid)),
            gid: wanted.gid.or(Some(meta.gid)),
        };
        let ownership = Ownership {
            mode: next.mode.unwrap_or(meta.mode) & 0o7777,
            uid: next.uid.unwrap_or(meta.uid),
            gid: next.gid.unwrap_or(meta.gid),
        };
        let time = match mtime {
            // The times of a directory change whenever its entries do.
            Some(_) if meta.is_dir() => None,
            None | Some(SetTime::Keep) => None,
            Some(SetTime::To(time)) => Some(time),
            Some(SetTime::Now) => Some(now()),
        };
        if left.ownership == Some(ownership) && time.is_none() {
            return make();
        }
        (left.ownership, left.mtime) = (Some(ownership), time);
        let announcement = self.recorder.announce(&place, ChangeKind::KeepsContent, left.clone())?;
        self.conclude(&announcement, Some(&left), make())
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// If it is not empty or cannot be removed.
    pub(crate) fn remove_empty_directory(&mut self, path: &Path) -> Result<(), Failure> {
        self.with_record(path, ChangeKind::LosesContent, PathState::absent(), || {
            fs::remove_dir(path).map_err(|error| cannot("remove the directory", path, &error))
        })?;
        self.recorder.forget(path);
        Ok(())
    }

    /// Sets extended attributes and the modification time of a new file.
    ///
    /// # Errors
    /// If one cannot be set.
    pub(crate) fn set_xattrs_and_mtime(
        &mut self,
        file: &Temporary,
        xattrs: &[(Vec<u8>, Vec<u8>)],
        mtime: Option<Time>,
    ) -> Result<(), Failure> {
        let path = file.path();
        for (name, value) in xattrs {
            set_xattr(path, name, value).map_err(|error| {
                let verb = format!("set the attribute {} of", String::from_utf8_lossy(name));
                cannot(&verb, &file.target, &error)
            })?;
        }
        mtime.map_or(Ok(()), |time| self.set_time_of_link(path, time))
    }

    /// Sets the modification time of `path` itself, without recording it.
    ///
    /// # Errors
    /// If it cannot be set.
    pub(crate) fn set_time_of_link(&mut self, path: &Path, time: Time) -> Result<(), Failure> {
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanos };
        let times = Timestamps { last_access: omit, last_modification: time };
        utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| cannot("set the times of", path, &error.into()))
    }

    /// Restores a directory tree from where it is kept. Nothing must be at `path`.
    ///
    /// # Errors
    /// If it cannot be moved or copied.
    pub(crate) fn restore_tree(&mut self, kept: &Path, path: &Path) -> Result<(), Failure> {
        let state = |place: &Path| {
            let survey = survey(place).map_err(|error| cannot("access", place, &error))?;
            let content = ContentState::Digest(survey.digest);
            Ok::<_, Failure>(PathState { content, ..PathState::new(PathKind::Tree) })
        };
        self.recorder.forget(path);
        let announcement = self.recorder.announce(path, ChangeKind::KeepsContent, state(kept)?)?;
        let done = match fs::rename(kept, path) {
            Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
                copy(kept, path).map_err(|error| cannot("restore", path, &error))
            }
            moved => moved.map_err(|error| cannot("restore", path, &error)),
        };
        self.conclude(&announcement, None, done)?;
        if self.recorder.is_enabled() && kept.symlink_metadata().is_ok() {
            let announcement = self.recorder.announce(path, ChangeKind::KeepsContent, state(path)?)?;
            return self.conclude(&announcement, None, Ok(()));
        }
        Ok(())
    }

    /// Records the creation of a path whose name was not known beforehand.
    pub(super) fn record_created(&self, path: &Path) -> Result<(), Failure> {
        if !self.recorder.is_enabled() {
            return Ok(());
        }
        let left = self.resulting_state(path, None)?;
        let announcement = self.recorder.announce(path, ChangeKind::Created, left)?;
        self.recorder.confirm(&announcement, None)
    }

    fn conclude(
        &self,
        announcement: &Announcement,
        announced: Option<&PathState>,
        done: Result<(), Failure>,
    ) -> Result<(), Failure> {
        match done {
            Ok(()) => self.recorder.confirm(announcement, announced),
            Err(failure) => {
                self.recorder.cancel(announcement);
                Err(failure)
            }
        }
    }
}

/// Returns the current time.
fn now() -> Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time { seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX), nanos: now.subsec_nanos().into() }
}
