//! A folder that only the user can enter, in memory where there is such a file system, for text in clear.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::files::wipe_folder;
use super::warn;
use crate::diagnostic::Diagnostic;

/// The kinds of file systems that live in memory: tmpfs and ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// A private folder; dropping it overwrites and removes what is in it.
pub(super) struct Private {
    folder: Option<TempDir>,
}

impl Private {
    /// Makes one.
    pub(super) fn new() -> Result<Self, Diagnostic> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = runtime.into_iter().chain([PathBuf::from("/dev/shm"), std::env::temp_dir()]);
        for place in places.filter(|place| is_in_memory(place)) {
            if let Ok(folder) = folder_in(&place) {
                return Ok(Self { folder: Some(folder) });
            }
        }
        let place = std::env::temp_dir();
        let folder = folder_in(&place).map_err(|error| {
            Diagnostic::user(format!("cannot make a folder in {}: {error}", place.display()))
        })?;
        warn(&format!(
            "there is no file system in memory: while it is edited, the text is on disk in {}",
            folder.path().display()
        ));
        Ok(Self { folder: Some(folder) })
    }

    /// Returns its path.
    pub(super) fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new("/nonexistent"), TempDir::path)
    }

    /// Overwrites and removes it.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn close(mut self) -> Result<(), Diagnostic> {
        let path = self.path().to_owned();
        wipe_folder(&path);
        let closed = self.folder.take().map_or(Ok(()), TempDir::close);
        closed.map_err(|error| {
            Diagnostic::user(format!(
                "the folder with the text in clear is still there: {}: {error}",
                path.display()
            ))
            .hint("remove it".to_owned())
        })
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.folder.is_some() {
            wipe_folder(self.path());
        }
    }
}

fn folder_in(place: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("convoy-vault-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(place)
}

fn is_in_memory(place: &Path) -> bool {
    rustix::fs::statfs(place).is_ok_and(|kind| IN_MEMORY.contains(&kind.f_type))
}
