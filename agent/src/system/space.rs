//! How much room a file system has.

use std::path::Path;

use super::SystemView;
use crate::failure::Failure;
use crate::os_error::cannot;

/// What the running user may still put on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// In bytes.
    pub bytes: u64,
    /// In files; `None` where they are not counted.
    pub files: Option<u64>,
    /// What a file takes is a multiple of this, in bytes.
    pub block: u64,
}

impl SystemView {
    /// Returns the room on the file system that `path` is on.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn space(&self, path: &Path) -> Result<Space, Failure> {
        let stat =
            rustix::fs::statvfs(path).map_err(|e| cannot("look at the file system of", path, &e.into()))?;
        Ok(Space {
            bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            files: (stat.f_files > 0).then_some(stat.f_favail),
            block: stat.f_frsize.max(1),
        })
    }
}
