//! Changes to the node's files. Each change is atomic.

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

/// The source of a file's content.
#[derive(Debug, Clone, Copy)]
pub enum Bytes<'a> {
    /// Memory.
    Memory(&'a [u8]),
    /// A file, which is copied.
    File(&'a Path),
}

/// Attributes of a file. Those that are `None` are left unchanged; a new file gets the running user's defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The permission bits.
    pub mode: Option<u32>,
    /// The owner's user ID.
    pub uid: Option<u32>,
    /// The group ID.
    pub gid: Option<u32>,
}

/// A complete new file beside the path that it will replace. Removed when dropped, unless it was installed.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    pub(super) target: PathBuf,
    placed: bool,
    /// The digest of its content, if known.
    pub(super) digest: Option<Digest>,
}

impl Temporary {
    /// Creates an empty file beside `path` that only its owner can access.
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

    /// Makes one from an existing file that will replace `target`.
    pub(super) fn at_path(path: PathBuf, target: &Path) -> Self {
        Self { path, target: target.to_owned(), placed: false, digest: None }
    }

    /// Moves it to its target, without syncing the directory.
    pub(super) fn install(mut self) -> Result<(), Failure> {
        fs::rename(&self.path, &self.target).map_err(|e| cannot("replace", &self.target, &e))?;
        self.placed = true;
        Ok(())
    }

    /// Returns its current path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets the digest of its content, so that it need not be read again.
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

/// Returns the parent directory of `path`.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns a random name beside `path` with the same extension, which programs that validate a file may check.
pub(super) fn unused_sibling(path: &Path) -> PathBuf {
    let random = RandomState::new().build_hasher().finish();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    directory(path).join(format!(".convoy-{random:016x}{extension}"))
}

/// Syncs a directory to disk.
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
    /// Verifies that `path` has not changed since it was examined.
    ///
    /// # Errors
    /// If another program has changed it.
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
            "{} was changed by another program while convoy was working on it; nothing was written, run the task again",
            path.display()
        )))
    }
}

impl System {
    /// Writes a complete new file beside `path`, with its final attributes, and syncs it to disk.
    ///
    /// # Errors
    /// If it cannot be written; nothing is left behind then.
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

    /// Sets the attributes of a new file; by default, those of the `old` file that it will replace.
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
                // A user who can write to a file without owning it replaces it with a file of their own, as in Ansible.
                Err(rustix::io::Errno::PERM) if attributes.uid.is_none() && attributes.gid.is_none() => {}
                other => other?,
            }
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    /// Installs a prepared file, if its target still is `expected` (`None`: nothing).
    ///
    /// # Errors
    /// If another program has changed the target, or the file cannot be moved; the old file is unchanged then.
    pub fn place(&mut self, temporary: Temporary, expected: Option<&Meta>) -> Result<(), Failure> {
        let target = temporary.target.clone();
        self.expect_unchanged(&target, expected)?;
        self.install_with_record(temporary, expected)?;
        sync_directory(&target).map_err(|e| cannot("sync", &target, &e))
    }

    /// Replaces the file at `path`, if it still is `expected` (`None`: nothing). At any time, even after a crash, either the
    /// old or the new file is there, complete.
    ///
    /// # Errors
    /// If it cannot be replaced; the old file is unchanged then.
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

    /// Creates a directory.
    ///
    /// # Errors
    /// If it exists or cannot be created.
    pub fn make_dir(&mut self, path: &Path) -> Result<(), Failure> {
        self.with_record(path, ChangeKind::KeepsContent, PathState::new(PathKind::Directory), || {
            fs::create_dir(path).map_err(|e| cannot("create the directory", path, &e))
        })
    }

    /// Creates a symbolic link, replacing what is there if it still is `expected`.
    ///
    /// # Errors
    /// If it cannot be created; the old file is unchanged then.
    pub fn symlink(&mut self, target: &Path, path: &Path, expected: Option<&Meta>) -> Result<(), Failure> {
        let left = PathState::new(PathKind::Link(target.to_owned()));
        self.link_with(path, expected, left, |new| std::os::unix::fs::symlink(target, new))
    }

    /// Creates a hard link to `existing`, replacing what is there if it still is `expected`.
    ///
    /// # Errors
    /// If it cannot be created; the old file is unchanged then.
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
            // Created in place: this fails if something has appeared there in the meantime.
            return self.with_record(path, ChangeKind::KeepsContent, left, || {
                make(path).map_err(|e| cannot("create the link", path, &e))
            });
        }
        let temporary = Temporary::at_path(unused_sibling(path), path);
        make(&temporary.path).map_err(|e| cannot("create the link", path, &e))?;
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
        sync_directory(path).map_err(|e| cannot("sync", path, &e))
    }

    /// Removes a file or link, or a directory tree. Symbolic links are not followed. It is not an error if nothing is there.
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

    /// Sets the permission bits of a file or directory; a symbolic link is followed.
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

    /// Sets owner and group of `path` itself; a symbolic link is not followed.
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

    /// Sets owner and group of `path`; a symbolic link is followed.
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

    /// Sets the access and modification times; a symbolic link is followed.
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

/// A new value for a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// Leave it unchanged.
    Keep,
    /// The current time.
    Now,
    /// The given time.
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
