//! Backup copies of files that are about to be replaced.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::system::{Attributes, Bytes, SetTime, System};

/// Copies the file at `path`, with its attributes and times, to a name with a timestamp beside it, and returns that name;
/// `None` if there is no file.
///
/// # Errors
/// If it cannot be copied.
pub fn make(node: &mut System, path: &Path) -> Result<Option<PathBuf>, Failure> {
    let Some(meta) = node.stat(path)? else { return Ok(None) };
    let now = node.local_time(node.now()).stamp("-", "@", ":");
    let name = format!("{}.{}.{now}~", path.display(), std::process::id());
    let backup = PathBuf::from(name);
    let attributes = Attributes { mode: Some(meta.mode), uid: Some(meta.uid), gid: Some(meta.gid) };
    let there = node.lstat(&backup)?;
    node.replace(&backup, there.as_ref(), Bytes::File(path), attributes)?;
    node.set_times(&backup, SetTime::To(meta.atime), SetTime::To(meta.mtime))?;
    Ok(Some(backup))
}
