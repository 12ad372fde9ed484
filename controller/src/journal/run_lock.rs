//! The lock on the directory of a run that has ended: only one process at a time resumes or undoes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::file::FileError;
use super::id::RunId;
use super::operator::operator;
use super::runs::Runs;
use crate::diagnostic::{Diagnostic, Kind};

/// The file in the directory of the run that names the process with the lock.
const HOLDER_FILE: &str = "hold";

/// Holds the lock on the directory of a run until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    _folder: File,
    holder: PathBuf,
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Before the lock is released: afterwards the file might be that of the next holder.
        fs::remove_file(&self.holder).ok();
    }
}

impl Runs {
    /// Locks the directory of a run for `command`.
    ///
    /// # Errors
    /// If another process holds the lock, or locking fails.
    pub fn lock(&self, id: &RunId, command: &str) -> Result<RunLock, Diagnostic> {
        let path = self.folder_of(id);
        let folder = File::open(&path).map_err(FileError::new("open", &path))?;
        let holder = path.join(HOLDER_FILE);
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(holder).unwrap_or_default();
                let holder = if holder.is_empty() { "another process holds it" } else { holder.trim_end() };
                return Err(Diagnostic::user(format!("run {id} is in use: {holder}"))
                    .kind(Kind::Refused)
                    .hint("wait until it ends".to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", &path)(error).into()),
        }
        // The file only informs others: if it cannot be written, the lock holds all the same.
        let text = format!("{command} by {}, process {}\n", operator(), std::process::id());
        write_holder(&holder, &text).ok();
        Ok(RunLock { _folder: folder, holder })
    }
}

fn write_holder(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
