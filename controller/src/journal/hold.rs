//! One at a time works on a run that has ended: it is gone on with, or taken back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Fault, RunId, Runs, by};
use crate::diagnostic::{Diagnostic, Kind};

/// The file in the folder of the run that says who it is.
const FILE: &str = "hold";

/// A run that nobody else works on, as long as this lives: its folder is locked.
#[derive(Debug)]
pub struct Hold {
    _folder: File,
    path: PathBuf,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // While it is locked still: else it might be that of the next one.
        fs::remove_file(&self.path).ok();
    }
}

impl Runs {
    /// Takes hold of a run for a `command`.
    ///
    /// # Errors
    /// If somebody else has hold of it; or it cannot be taken.
    pub fn hold(&self, id: &RunId, command: &str) -> Result<Hold, Diagnostic> {
        let path = self.folder_of(id);
        let wrong = |fault: Fault| Diagnostic::user(fault.to_string());
        let folder = File::open(&path).map_err(Fault::new("open", &path)).map_err(wrong)?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(path.join(FILE)).unwrap_or_default();
                let holder = if holder.is_empty() { "somebody holds it" } else { holder.trim_end() };
                return Err(Diagnostic::user(format!("run {id} is at work: {holder}"))
                    .kind(Kind::Refused)
                    .hint("wait for its end".to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(wrong(Fault::new("lock", &path)(error))),
        }
        // It only tells: where it cannot be written, the lock holds all the same.
        let text = format!("{command} by {}, process {}\n", by(), std::process::id());
        let path = path.join(FILE);
        tell(&path, &text).ok();
        Ok(Hold { _folder: folder, path })
    }
}

fn tell(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
