//! Free space of file systems.

use std::path::Path;

use super::SystemView;
use crate::failure::Failure;
use crate::os_error::cannot;

/// The space that is available to the running user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Available bytes.
    pub bytes: u64,
    /// Available inodes; `None` if the file system does not count them.
    pub files: Option<u64>,
    /// The allocation unit in bytes.
    pub block: u64,
}

impl SystemView {
    /// Returns the space available on the file system of `path`.
    ///
    /// # Errors
    /// If the file system cannot be queried.
    pub fn space(&self, path: &Path) -> Result<Space, Failure> {
        let stat =
            rustix::fs::statvfs(path).map_err(|e| cannot("access the file system of", path, &e.into()))?;
        Ok(Space {
            bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            files: (stat.f_files > 0).then_some(stat.f_favail),
            block: stat.f_frsize.max(1),
        })
    }
}
