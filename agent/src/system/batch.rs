//! Installs many new files together, with one sync of the file system instead of one per file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;
use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::write::{directory, unused_sibling};
use super::{Attributes, System, Temporary};
use crate::changes::{Announcement, ChangeKind, ContentState, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::stat::Meta;

/// The largest number of files in a batch. Each keeps a file open, and each sync also waits for everything that other
/// programs have written to the file system, so it should be rare.
const FILES: u64 = 8192;

/// The largest total size of a batch in bytes.
pub const BYTES: u64 = 512 << 20;

/// Raises the limit of open files. Dropping it restores the limit, so that processes started later do not inherit it.
#[derive(Debug)]
pub struct OpenFileLimit {
    before: Rlimit,
    most: usize,
}

impl OpenFileLimit {
    /// Raises the limit as far as allowed and useful.
    pub fn take() -> Self {
        let before = getrlimit(Resource::Nofile);
        let wanted = before.maximum.unwrap_or(u64::MAX).min(2 * FILES);
        let raised = Rlimit { current: Some(wanted), maximum: before.maximum };
        let allowed = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => wanted,
            Err(_) => before.current.unwrap_or(256),
        };
        // Reserve half of them for other purposes.
        Self { before, most: usize::try_from(allowed / 2).unwrap_or(100).max(1) }
    }
}

impl Drop for OpenFileLimit {
    fn drop(&mut self) {
        // Lowering the limit is always allowed.
        setrlimit(Resource::Nofile, self.before).ok();
    }
}

/// Complete new files that are not yet in place. A file without a name disappears by itself, even if the agent is killed.
#[derive(Debug, Default)]
pub struct Batch {
    files: Vec<PendingFile>,
    bytes: u64,
}

#[derive(Debug)]
struct PendingFile {
    file: File,
    /// Its current path; `None` if it has no name.
    temporary: Option<Temporary>,
    target: PathBuf,
    expected: Option<Meta>,
    digest: Digest,
}

impl Batch {
    /// Returns whether the batch must be placed before another file is added.
    pub fn is_full(&self, open: &OpenFileLimit) -> bool {
        self.files.len() >= open.most || self.bytes >= BYTES
    }
}

/// Creates an unnamed file in the directory of `path`; `None` if the file system does not support that.
fn unnamed_file(path: &Path) -> Option<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).ok()?;
    OpenOptions::new().write(true).mode(0o600).custom_flags(flags).open(directory(path)).ok()
}

/// Gives an unnamed file a name.
fn name(file: &File, path: &Path) -> io::Result<()> {
    let known = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, known, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

impl System {
    /// Writes a complete new file for `path`, which currently is `expected` (`None`: nothing). `fill` writes the content and
    /// returns its size and digest; `mtime` is the modification time in seconds since 1970.
    ///
    /// # Errors
    /// If it cannot be written, and errors of `fill`; the file is removed then.
    pub fn add(
        &mut self,
        batch: &mut Batch,
        path: &Path,
        expected: Option<Meta>,
        attributes: Attributes,
        mtime: i64,
        fill: impl FnOnce(&File) -> Result<(u64, Digest), Failure>,
    ) -> Result<(), Failure> {
        let (temporary, file) = match unnamed_file(path) {
            Some(file) => (None, file),
            None => Temporary::create(path).map(|(temporary, file)| (Some(temporary), file))?,
        };
        let (length, digest) = fill(&file)?;
        batch.bytes += length;
        let conclude = || -> io::Result<()> {
            self.apply_attributes(&file, expected.as_ref().filter(|meta| meta.is_file()), attributes)?;
            let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
            Ok(rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })?)
        };
        conclude().map_err(|e| cannot("write", path, &e))?;
        batch.files.push(PendingFile { file, temporary, target: path.to_owned(), expected, digest });
        Ok(())
    }

    /// Syncs the files of a batch to disk and puts them in place.
    ///
    /// # Errors
    /// If a path was changed by another program, or a file cannot be moved; earlier files are in place then.
    pub fn place_all(&mut self, batch: Batch) -> Result<(), Failure> {
        sync(&batch.files)?;
        let announcements = self.announce(&batch.files)?;
        let mut announcements = announcements.into_iter();
        for new in batch.files {
            let change = announcements.next().unwrap_or_default();
            let placed = self.place_one(new, &change);
            if placed.is_err() {
                [change].into_iter().chain(announcements).for_each(|change| self.recorder.cancel(&change));
                return placed;
            }
        }
        Ok(())
    }

    /// Announces the changes to the recorder, after verifying that the paths are as expected.
    fn announce(&self, files: &[PendingFile]) -> Result<Vec<Announcement>, Failure> {
        if !self.recorder.is_enabled() {
            return Ok(Vec::new());
        }
        let mut changes = Vec::with_capacity(files.len());
        for new in files {
            self.expect_still(&new.target, new.expected.as_ref())?;
            let meta = new.file.metadata().map_err(|e| cannot("access", &new.target, &e))?;
            let left = PathState {
                ownership: Some((&Meta::from(&meta)).into()),
                content: ContentState::Digest(new.digest),
                ..PathState::new(PathKind::File)
            };
            changes.push((new.target.clone(), left));
        }
        self.recorder.announce_all(changes, ChangeKind::LosesContent)
    }

    fn place_one(&self, new: PendingFile, change: &Announcement) -> Result<(), Failure> {
        if self.recorder.is_enabled() {
            self.expect_same_content(&new.target, new.expected.as_ref())?;
        } else {
            self.expect_still(&new.target, new.expected.as_ref())?;
        }
        let write = |path: &Path| name(&new.file, path).map_err(|e| cannot("write", &new.target, &e));
        match (new.temporary, &new.expected) {
            (Some(temporary), _) => temporary.install()?,
            // Fails if something has appeared there in the meantime.
            (None, None) => write(&new.target)?,
            (None, Some(_)) => {
                let path = unused_sibling(&new.target);
                write(&path)?;
                Temporary::at_path(path, &new.target).install()?;
            }
        }
        self.recorder.confirm(change, None)
    }

    /// Like [`expect_unchanged`](super::SystemView::expect_unchanged), but tolerates a change of the link count: other files of
    /// the batch may be links to the same file.
    fn expect_still(&self, path: &Path, expected: Option<&Meta>) -> Result<(), Failure> {
        let same = |then: &Meta, now: &Meta| {
            (then.dev, then.ino, then.size, then.mtime) == (now.dev, now.ino, now.size, now.mtime)
        };
        match (expected, self.lstat(path)?) {
            (Some(then), Some(now)) if then.nlink > 1 && same(then, &now) => Ok(()),
            _ => self.expect_unchanged(path, expected),
        }
    }

    /// Syncs the file system of `directory` to disk.
    ///
    /// # Errors
    /// If the file system reports an error.
    pub fn sync(&mut self, directory: &Path) -> Result<(), Failure> {
        let sync = |file: File| rustix::fs::syncfs(file).map_err(io::Error::from);
        File::open(directory).and_then(sync).map_err(|e| cannot("sync", directory, &e))
    }
}

/// Syncs all file systems that have files of the batch.
fn sync(files: &[PendingFile]) -> Result<(), Failure> {
    let mut systems = HashMap::new();
    for new in files {
        let device = new.file.metadata().map_err(|e| cannot("access", &new.target, &e))?.dev();
        systems.entry(device).or_insert(new);
    }
    for new in systems.values() {
        rustix::fs::syncfs(&new.file).map_err(|e| cannot("sync", &new.target, &e.into()))?;
    }
    Ok(())
}
