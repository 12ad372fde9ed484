//! Keeps what is about to be replaced or removed: by hard link, else by reflink, else by copying.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use super::line::path_line;
use super::state::{ContentState, PathKind, PathState, xattrs};
use super::{KEPT, PLACES, tree};
use crate::failure::Failure;
use crate::os_error::{cannot, reason};
use crate::stat::Meta;
use crate::state::is_private;

/// Copies leave this share of the file system free, as a divisor.
const RESERVED_SHARE: u64 = 20;

/// Keeps the old files of one run.
#[derive(Debug)]
pub(super) struct Keeper {
    /// The run's directory.
    directory: PathBuf,
    run: String,
    device: u64,
    /// For each other file system, the directory that can keep its files without copying, if there is one.
    places: HashMap<u64, Option<PathBuf>>,
}

/// Returns the failure that `path` cannot be kept; nothing was changed.
fn cannot_keep(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!(
        "cannot back up {} for undo: {}; nothing was changed",
        path.display(),
        reason(error)
    ))
}

impl Keeper {
    pub(super) fn new(directory: &Path, run: &str) -> io::Result<Self> {
        let device = fs::metadata(directory)?.dev();
        Ok(Self { directory: directory.to_owned(), run: run.to_owned(), device, places: HashMap::new() })
    }

    /// Keeps the file at `path` under a name derived from `id`, and returns its state.
    pub(super) fn keep(&mut self, path: &Path, meta: &Meta, id: &str) -> Result<PathState, Failure> {
        let mut state = PathState::observe(path, Some(meta)).map_err(|error| cannot_keep(path, &error))?;
        if state.kind != PathKind::File {
            return Ok(state);
        }
        state.xattrs = xattrs(path);
        let digest = match File::open(path).and_then(|mut file| Digest::of_reader(&mut file)) {
            Ok((digest, _)) => digest,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(PathState { content: ContentState::Unreadable, ..state });
            }
            Err(error) => return Err(cannot_keep(path, &error)),
        };
        state.content = ContentState::Digest(digest);
        if let Some(place) = self.place(path, meta.dev)? {
            let name = place.join(id);
            if fs::hard_link(path, &name).is_ok() {
                state.kept = Some(name);
                return Ok(state);
            }
            if reflink(path, &name).is_ok() {
                copy_attributes(path, &name);
                state.kept = Some(name);
                return Ok(state);
            }
        }
        let place = self.own_place().map_err(|error| cannot_keep(path, &error))?;
        self.expect_space(path, meta.size)?;
        let name = place.join(id);
        copy(path, &name).map_err(|error| cannot_keep(path, &error))?;
        copy_attributes(path, &name);
        state.kept = Some(name);
        Ok(state)
    }

    /// Returns the state of the directory tree at `path` and where it is to be moved; `None` if it cannot be moved and must be
    /// [copied](Self::keep_copy_of_tree).
    pub(super) fn keep_tree(
        &mut self,
        path: &Path,
        meta: &Meta,
        id: &str,
    ) -> Result<Option<PathState>, Failure> {
        let Some(place) = self.place(path, meta.dev)? else { return Ok(None) };
        let survey = tree::survey(path).map_err(|error| cannot_keep(path, &error))?;
        let state = PathState {
            content: ContentState::Digest(survey.digest),
            kept: Some(place.join(id)),
            ownership: Some(meta.into()),
            ..PathState::new(PathKind::Tree)
        };
        Ok(survey.one_system.then_some(state))
    }

    /// Copies the directory tree at `path`, and returns its state.
    pub(super) fn keep_copy_of_tree(
        &mut self,
        path: &Path,
        meta: &Meta,
        id: &str,
    ) -> Result<PathState, Failure> {
        let kept = self.own_place().map_err(|error| cannot_keep(path, &error))?.join(id);
        let survey = tree::survey(path).map_err(|error| cannot_keep(path, &error))?;
        self.expect_space(path, survey.bytes)?;
        let copied = tree::copy(path, &kept).and_then(|()| tree::survey(&kept));
        let survey = copied.map_err(|error| cannot_keep(path, &error))?;
        Ok(PathState {
            content: ContentState::Digest(survey.digest),
            kept: Some(kept),
            ownership: Some(meta.into()),
            ..PathState::new(PathKind::Tree)
        })
    }

    fn own_place(&self) -> io::Result<PathBuf> {
        let place = self.directory.join(KEPT);
        private(&place)?;
        Ok(place)
    }

    /// Returns the directory that keeps files of the file system of `path` without copying, if there is one.
    fn place(&mut self, path: &Path, device: u64) -> Result<Option<PathBuf>, Failure> {
        if device == self.device {
            return self.own_place().map(Some).map_err(|error| cannot_keep(path, &error));
        }
        if let Some(place) = self.places.get(&device) {
            return Ok(place.clone());
        }
        let place = self.place_on(path, device);
        if let Some(place) = &place {
            let note = || -> io::Result<()> {
                let file = self.directory.join(PLACES);
                let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
                file.write_all(path_line(place).as_bytes())?;
                file.sync_data()
            };
            note().map_err(|error| cannot_keep(path, &error))?;
        }
        self.places.insert(device, place.clone());
        Ok(place)
    }

    /// Creates a private directory at the mount point of the file system of `path`.
    fn place_on(&self, path: &Path, device: u64) -> Option<PathBuf> {
        let on_it =
            |directory: &&Path| fs::symlink_metadata(directory).is_ok_and(|meta| meta.dev() == device);
        let mount = path.ancestors().skip(1).take_while(on_it).last()?;
        let user = mount.join(format!(".convoy-{}", rustix::process::geteuid().as_raw()));
        let place = user.join(&self.run);
        private(&user).and_then(|()| private(&place)).ok()?;
        on_it(&place.as_path()).then_some(place)
    }

    fn expect_space(&self, path: &Path, bytes: u64) -> Result<(), Failure> {
        let stat = rustix::fs::statvfs(&self.directory)
            .map_err(|error| cannot("access the file system of", &self.directory, &error.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let reserve = stat.f_blocks.saturating_mul(stat.f_frsize) / RESERVED_SHARE;
        if bytes <= free.saturating_sub(reserve) {
            return Ok(());
        }
        let all = self.directory.parent().unwrap_or(&self.directory);
        Err(Failure::new(format!(
            "cannot back up {} for undo: it has {} kB, but {} is on a file system with only {} kB \
             free, of which {} kB are reserved; nothing was changed. Free some space: {} has the backups of earlier runs, \
             the oldest first",
            path.display(),
            bytes.div_ceil(1000),
            self.directory.display(),
            free / 1000,
            reserve / 1000,
            all.display()
        )))
    }
}

/// Creates a directory that only its owner can access.
fn private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_private(directory) && fs::symlink_metadata(directory)?.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} is not a directory that only this user can enter", directory.display()),
    ))
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Copies the file's attributes, as far as possible, for the benefit of users who restore it by hand.
fn copy_attributes(path: &Path, kept: &Path) {
    fs::symlink_metadata(path).and_then(|meta| tree::copy_attributes(path, kept, &meta)).ok();
}

fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    let (source, file) = (File::open(from)?, new_file(to)?);
    let done =
        rustix::fs::ioctl_ficlone(&file, &source).map_err(io::Error::from).and_then(|()| file.sync_all());
    if done.is_err() {
        fs::remove_file(to).ok();
    }
    done
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, mut file) = (File::open(from)?, new_file(to)?);
    let done = io::copy(&mut source, &mut file).and_then(|_| file.sync_all());
    if done.is_err() {
        fs::remove_file(to).ok();
    }
    done
}
