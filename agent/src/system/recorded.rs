//! Changes with their records: announced before, so that they can be undone also if they are cut off.

use std::fs;
use std::io;
use std::path::Path;

use convoy_protocol::Digest;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use rustix::io::Errno;

use super::{Attributes, Look, SetTime, System, Temporary};
use crate::changes::{Content, Loses, Noted, Owned, Removal, State, Thing, copy, set_xattr, survey};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::stat::{Meta, Time};

impl Look {
    /// Checks that `path` still is what it was when it was looked at, but for having been given another name meanwhile.
    ///
    /// # Errors
    /// If something else has changed it since.
    pub(super) fn expect_kept(&self, path: &Path, expected: Option<&Meta>) -> Result<(), Failure> {
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
    /// Makes a change after which `path` is as `left`.
    pub(super) fn recorded(
        &self,
        path: &Path,
        loses: Loses,
        left: State,
        make: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_on() {
            return make();
        }
        let noted = self.recorder.change(path, loses, left)?;
        self.finish(&noted, None, make())
    }

    /// Lets a new file, link or the like take its place, where is `expected`.
    pub(super) fn recorded_placing(
        &self,
        temporary: Temporary,
        expected: Option<&Meta>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_on() {
            return temporary.take_place();
        }
        let target = temporary.target.clone();
        let left = self.left_by(temporary.path(), temporary.digest)?;
        let noted = self.recorder.change(&target, Loses::Content, left)?;
        // Keeping takes time, and the other name of what is kept is a change, too.
        let done = self.expect_kept(&target, expected).and_then(|()| temporary.take_place());
        self.finish(&noted, None, done)
    }

    /// Returns the state of a path that what is at `path` is moved or linked to.
    pub(super) fn left_by(&self, path: &Path, digest: Option<Digest>) -> Result<State, Failure> {
        let meta = self.lstat(path)?;
        let state = State::seen(path, meta.as_ref()).map_err(|error| cannot("look at", path, &error))?;
        let content = match (&state.thing, digest) {
            (Thing::File, Some(digest)) => Content::Digest(digest),
            (Thing::File, None) => Content::Digest(self.sha256(path)?),
            _ => Content::Any,
        };
        Ok(State { content, mtime: None, ..state })
    }

    /// Removes a directory with all it holds: by moving it to where it is kept, or by `remove`.
    pub(super) fn recorded_removal(
        &self,
        path: &Path,
        meta: &Meta,
        remove: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_on() {
            return remove();
        }
        let (noted, done) = match self.recorder.removal(path, meta)? {
            Removal::Discard(noted) => (noted, remove()),
            Removal::Move(noted, kept) => {
                let moved = fs::rename(path, kept);
                let done = match moved {
                    Ok(()) => Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    // Whoever may remove a directory need not be allowed to move it.
                    Err(_) => self.recorder.copy_instead(&noted, path, meta).and_then(|()| remove()),
                };
                (noted, done)
            }
        };
        if done.is_ok() {
            self.recorder.forget(path);
        }
        self.finish(&noted, None, done)
    }

    /// Changes attributes of what is at `path`, or what that leads to.
    pub(super) fn recorded_attributes(
        &self,
        path: &Path,
        follow: bool,
        wanted: Attributes,
        mtime: Option<SetTime>,
        make: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if !self.recorder.is_on() {
            return make();
        }
        let mut place = path.to_owned();
        if follow && self.lstat(path)?.is_some_and(|meta| meta.is_link()) {
            place = self.real_path(path);
        }
        let Some(meta) = self.lstat(&place)? else { return make() };
        let mut left = State::seen(&place, Some(&meta)).map_err(|error| cannot("look at", &place, &error))?;
        let next = Attributes {
            mode: wanted.mode.or(Some(meta.mode)),
            uid: wanted.uid.or(Some(meta.uid)),
            gid: wanted.gid.or(Some(meta.gid)),
        };
        let owned = Owned {
            mode: next.mode.unwrap_or(meta.mode) & 0o7777,
            uid: next.uid.unwrap_or(meta.uid),
            gid: next.gid.unwrap_or(meta.gid),
        };
        let time = match mtime {
            // Those of a directory change with what it holds.
            Some(_) if meta.is_dir() => None,
            None | Some(SetTime::Keep) => None,
            Some(SetTime::To(time)) => Some(time),
            Some(SetTime::Now) => Some(now()),
        };
        if left.owned == Some(owned) && time.is_none() {
            return make();
        }
        (left.owned, left.mtime) = (Some(owned), time);
        let noted = self.recorder.change(&place, Loses::Nothing, left.clone())?;
        self.finish(&noted, Some(&left), make())
    }

    /// Removes a directory, if it is empty.
    ///
    /// # Errors
    /// If it is not, or cannot be removed.
    pub(crate) fn remove_empty_directory(&mut self, path: &Path) -> Result<(), Failure> {
        self.recorded(path, Loses::Content, State::nothing(), || {
            fs::remove_dir(path).map_err(|error| cannot("remove the directory", path, &error))
        })?;
        self.recorder.forget(path);
        Ok(())
    }

    /// Gives a new file extended attributes and the time when it was changed.
    ///
    /// # Errors
    /// If one cannot be set.
    pub(crate) fn dress(
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

    /// Sets the time of change of what is at `path` itself, without recording it.
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

    /// Brings a directory back from where it is kept, with all it holds; nothing is at `path`.
    ///
    /// # Errors
    /// If it cannot be moved or copied.
    pub(crate) fn bring_back(&mut self, kept: &Path, path: &Path) -> Result<(), Failure> {
        let state = |place: &Path| {
            let survey = survey(place).map_err(|error| cannot("look at", place, &error))?;
            let content = Content::Digest(survey.digest);
            Ok::<_, Failure>(State { content, ..State::of(Thing::Tree) })
        };
        self.recorder.forget(path);
        let noted = self.recorder.change(path, Loses::Nothing, state(kept)?)?;
        let done = match fs::rename(kept, path) {
            Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => {
                copy(kept, path).map_err(|error| cannot("restore", path, &error))
            }
            moved => moved.map_err(|error| cannot("restore", path, &error)),
        };
        self.finish(&noted, None, done)?;
        if self.recorder.is_on() && kept.symlink_metadata().is_ok() {
            let noted = self.recorder.change(path, Loses::Nothing, state(path)?)?;
            return self.finish(&noted, None, Ok(()));
        }
        Ok(())
    }

    /// Records what was made under a name that nobody knew before.
    pub(super) fn recorded_new(&self, path: &Path) -> Result<(), Failure> {
        if !self.recorder.is_on() {
            return Ok(());
        }
        let left = self.left_by(path, None)?;
        let noted = self.recorder.change(path, Loses::Made, left)?;
        self.recorder.settle(&noted, None)
    }

    fn finish(
        &self,
        noted: &Noted,
        announced: Option<&State>,
        done: Result<(), Failure>,
    ) -> Result<(), Failure> {
        match done {
            Ok(()) => self.recorder.settle(noted, announced),
            Err(failure) => {
                self.recorder.void(noted);
                Err(failure)
            }
        }
    }
}

/// Returns the time of the clock.
fn now() -> Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time { seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX), nanos: now.subsec_nanos().into() }
}
