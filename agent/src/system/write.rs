//! Changing the node's files: each change is whole or not there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;
use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, utimensat};

use super::{System, SystemView};
use crate::changes::{ChangeKind, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::stat::{Meta, Time};

/// Where the bytes of a file come from.
#[derive(Debug, Clone, Copy)]
pub enum Bytes<'a> {
    /// From memory.
    Memory(&'a [u8]),
    /// From a file, which is copied.
    File(&'a Path),
}

/// Attributes of a file. What is `None` stays as it was; of a new file it is what the running user's files have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The permission bits.
    pub mode: Option<u32>,
    /// The owner's number.
    pub uid: Option<u32>,
    /// The group's number.
    pub gid: Option<u32>,
}

/// A whole new file beside the one that it shall replace. Removed when dropped, unless it took its place.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    pub(super) target: PathBuf,
    placed: bool,
    /// The digest of what it holds, if that is known.
    pub(super) digest: Option<Digest>,
}

impl Temporary {
    /// Makes an empty file beside `path`, which only its owner can use.
    pub(super) fn create(path: &Path) -> Result<(Self, File), Failure> {
        let temporary =
            Self { path: unused_sibling(path), target: path.to_owned(), placed: false, digest: None };
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).custom_flags(flags);
        let file =
            options.open(&temporary.path).map_err(|e| cannot("write to the directory of", path, &e))?;
        Ok((temporary, file))
    }

    /// Names an existing file as the one that shall take the place of `target`.
    pub(super) fn at_path(path: PathBuf, target: &Path) -> Self {
        Self { path, target: target.to_owned(), placed: false, digest: None }
    }

    /// Moves it to its place, without making that durable.
    pub(super) fn install(mut self) -> Result<(), Failure> {
        fs::rename(&self.path, &self.target).map_err(|e| cannot("replace", &self.target, &e))?;
        self.placed = true;
        Ok(())
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the digest of what it holds, so that it need not be read again.
    pub fn set_digest(&mut self, digest: Digest) {
        self.digest = Some(digest);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Returns the directory that `path` is in.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns a name beside `path` that nothing has and nobody can guess. It ends as `path` does, since programs that
/// validate a file may look at its extension.
pub(super) fn unused_sibling(path: &Path) -> PathBuf {
    let random = RandomState::new().build_hasher().finish();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    directory(path).join(format!(".convoy-{random:016x}{extension}"))
}

/// Makes what was done in a directory survive a power failure.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

fn write_bytes(mut file: &File, bytes: Bytes<'_>) -> io::Result<()> {
    match bytes {
        Bytes::Memory(bytes) => file.write_all(bytes)?,
        Bytes::File(source) => {
            io::copy(&mut File::open(source)?, &mut file)?;
        }
    }
    Ok(())
}

fn owner(uid: Option<u32>, gid: Option<u32>) -> (Option<rustix::fs::Uid>, Option<rustix::fs::Gid>) {
    (uid.map(rustix::fs::Uid::from_raw), gid.map(rustix::fs::Gid::from_raw))
}

impl SystemView {
    /// Checks that `path` still is what it was when it was looked at.
    ///
    /// # Errors
    /// If something else has changed it since.
    pub fn expect_unchanged(&self, path: &Path, expected: Option<&Meta>) -> Result<(), Failure> {
        let now = self.lstat(path)?;
        let same = match (expected, &now) {
            (None, None) => true,
            (Some(then), Some(now)) => then.is_unchanged(now),
            _ => false,
        };
        if same {
            return Ok(());
        }
        Err(Failure::new(format!(
            "{} was changed by someone else while convoy was at work on it; nothing was written, run again",
            path.display()
        )))
    }
}

impl System {
    /// Writes a whole new file beside `path`, with the attributes it shall have, and makes it durable.
    ///
    /// # Errors
    /// If it cannot be written; nothing is left of it then.
    pub fn prepare(
        &mut self,
        path: &Path,
        bytes: Bytes<'_>,
        attributes: Attributes,
    ) -> Result<Temporary, Failure> {
        let old = self.lstat(path)?.filter(Meta::is_file);
        let (temporary, file) = Temporary::create(path)?;
        let write = || -> io::Result<()> {
            write_bytes(&file, bytes)?;
            self.apply_attributes(&file, old.as_ref(), attributes)?;
            file.sync_all()
        };
        write().map_err(|e| cannot("write", path, &e))?;
        Ok(temporary)
    }

    /// Gives a new file its attributes: those of the `old` one that it shall replace, where none are asked for.
    pub(super) fn apply_attributes(
        &self,
        file: &File,
        old: Option<&Meta>,
        attributes: Attributes,
    ) -> io::Result<()> {
        let mode = attributes.mode.or(old.map(|meta| meta.mode)).unwrap_or(0o666 & !self.umask());
        let (own_uid, own_gid) = (self.uid(), self.gid());
        let uid = attributes.uid.or(old.map(|meta| meta.uid)).unwrap_or(own_uid);
        let gid = attributes.gid.or(old.map(|meta| meta.gid));
        if uid != own_uid || gid.is_some_and(|gid| gid != own_gid) {
            let (uid, gid) = owner(Some(uid), gid);
            match rustix::fs::fchown(file, uid, gid) {
                // Who may write a file, but does not own it, replaces it by one of their own, as Ansible does.
                Err(rustix::io::Errno::PERM) if attributes.uid.is_none() && attributes.gid.is_none() => {}
                other => other?,
            }
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// Puts a prepared file in its place, if what is there still is `expected` (`None`: nothing).
    ///
    /// # Errors
    /// If something has changed what was there, or the file cannot be moved; the old one is untouched then.
    pub fn place(&mut self, temporary: Temporary, expected: Option<&Meta>) -> Result<(), Failure> {
        let target = temporary.target.clone();
        self.expect_unchanged(&target, expected)?;
        self.install_with_record(temporary, expected)?;
        sync_directory(&target).map_err(|e| cannot("make durable", &target, &e))
    }

    /// Replaces the file at `path`, if what is there still is `expected` (`None`: nothing). At any moment, also
    /// after a crash, the old file is there or the new one, whole.
    ///
    /// # Errors
    /// If it cannot be done; the old file is untouched then.
    pub fn replace(
        &mut self,
        path: &Path,
        expected: Option<&Meta>,
        bytes: Bytes<'_>,
        attributes: Attributes,
    ) -> Result<(), Failure> {
        let temporary = self.prepare(path, bytes, attributes)?;
        self.place(temporary, expected)
    }

    /// Makes one directory.
    ///
    /// # Errors
    /// If it is there already or cannot be made.
    pub fn make_dir(&mut self, path: &Path) -> Result<(), Failure> {
        self.with_record(path, ChangeKind::KeepsContent, PathState::new(PathKind::Directory), || {
            fs::create_dir(path).map_err(|e| cannot("make the directory", path, &e))
        })
    }

    /// Makes a symbolic link, in the place of what is there if that still is `expected`.
    ///
    /// # Errors
    /// If it cannot be made; what was there is untouched then.
    pub fn symlink(&mut self, target: &Path, path: &Path, expected: Option<&Meta>) -> Result<(), Failure> {
        let left = PathState::new(PathKind::Link(target.to_owned()));
        self.link_with(path, expected, left, |new| std::os::unix::fs::symlink(target, new))
    }

    /// Gives the file `existing` another name, in the place of what is there if that still is `expected`.
    ///
    /// # Errors
    /// If it cannot be done; what was there is untouched then.
    pub fn hard_link(
        &mut self,
        existing: &Path,
        path: &Path,
        expected: Option<&Meta>,
    ) -> Result<(), Failure> {
        let left = if self.recorder.is_enabled() {
            self.resulting_state(existing, None)?
        } else {
            PathState::new(PathKind::File)
        };
        self.link_with(path, expected, left, |new| fs::hard_link(existing, new))
    }

    fn link_with(
        &mut self,
        path: &Path,
        expected: Option<&Meta>,
        left: PathState,
        make: impl Fn(&Path) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if expected.is_none() {
            // Made in place: if something has come there since, it is left alone.
            return self.with_record(path, ChangeKind::KeepsContent, left, || {
                make(path).map_err(|e| cannot("make the link", path, &e))
            });
        }
        let temporary = Temporary::at_path(unused_sibling(path), path);
        make(&temporary.path).map_err(|e| cannot("make the link", path, &e))?;
        self.expect_unchanged(path, expected)?;
        if expected.is_some_and(Meta::is_dir) {
            self.remove_empty_directory(path)?;
            self.with_record(path, ChangeKind::KeepsContent, left, || temporary.install())?;
        } else {
            self.with_record(path, ChangeKind::LosesContent, left, || {
                self.expect_same_content(path, expected)?;
                temporary.install()
            })?;
        }
        sync_directory(path).map_err(|e| cannot("make durable", path, &e))
    }

    /// Removes a file, a link or an empty place; a directory with all it holds. Links are removed, not followed. That
    /// it is gone already is no error.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, &error)),
            _ => Ok(()),
        };
        match self.lstat(path)? {
            None => Ok(()),
            Some(meta) if meta.is_dir() => {
                self.remove_with_record(path, &meta, || gone(fs::remove_dir_all(path)))
            }
            Some(_) => self.with_record(path, ChangeKind::LosesContent, PathState::absent(), || {
                gone(fs::remove_file(path))
            }),
        }
    }

    /// Sets the permission bits of a file or directory; a link is followed.
    ///
    /// # Errors
    /// If they cannot be set.
    pub fn chmod(&mut self, path: &Path, mode: u32) -> Result<(), Failure> {
        self.set_attributes_with_record(
            path,
            true,
            Attributes { mode: Some(mode), ..Attributes::default() },
            None,
            || {
                fs::set_permissions(path, Permissions::from_mode(mode))
                    .map_err(|e| cannot("set the mode of", path, &e))
            },
        )
    }

    /// Sets owner and group of what is at `path` itself; a link is not followed.
    ///
    /// # Errors
    /// If they cannot be set.
    pub fn lchown(&mut self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<(), Failure> {
        self.set_attributes_with_record(path, false, Attributes { mode: None, uid, gid }, None, || {
            let (uid, gid) = owner(uid, gid);
            rustix::fs::chownat(CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|e| cannot("set the owner of", path, &e.into()))
        })
    }

    /// Sets owner and group of what `path` leads to.
    ///
    /// # Errors
    /// If they cannot be set.
    pub fn chown(&mut self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<(), Failure> {
        self.set_attributes_with_record(path, true, Attributes { mode: None, uid, gid }, None, || {
            let (uid, gid) = owner(uid, gid);
            rustix::fs::chownat(CWD, path, uid, gid, AtFlags::empty())
                .map_err(|e| cannot("set the owner of", path, &e.into()))
        })
    }

    /// Sets the times of access and modification; a link is followed.
    ///
    /// # Errors
    /// If they cannot be set.
    pub fn set_times(&mut self, path: &Path, atime: SetTime, mtime: SetTime) -> Result<(), Failure> {
        self.set_attributes_with_record(path, true, Attributes::default(), Some(mtime), || {
            let times = Timestamps { last_access: atime.timespec(), last_modification: mtime.timespec() };
            utimensat(CWD, path, &times, AtFlags::empty())
                .map_err(|e| cannot("set the times of", path, &e.into()))
        })
    }
}

/// What a time of a file shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// What it is.
    Keep,
    /// The moment at which it is set.
    Now,
    /// This.
    To(Time),
}

impl SetTime {
    fn timespec(self) -> Timespec {
        match self {
            Self::Keep => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
            Self::Now => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
            Self::To(time) => Timespec { tv_sec: time.seconds, tv_nsec: time.nanos },
        }
    }
}
