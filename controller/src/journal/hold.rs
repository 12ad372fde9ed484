//! One at a time works on a run that has ended: it is gone on with, or taken back.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use super::{Fault, RunId, Runs, by};
use crate::diagnostic::{Diagnostic, Kind};

/// The file that is locked, in the folder of the run.
const FILE: &str = "hold";

/// A run that nobody else works on, as long as this lives.
#[derive(Debug)]
pub struct Hold {
    /// None where nothing can be written, and no journal kept either.
    _file: Option<File>,
}

impl Runs {
    /// Takes hold of a run for a `command`.
    ///
    /// # Errors
    /// If somebody else has hold of it; or it cannot be taken.
    pub fn hold(&self, id: &RunId, command: &str) -> Result<Hold, Diagnostic> {
        let path = self.folder_of(id).join(FILE);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = match file {
            Ok(file) => file,
            Err(error) if cannot_be_written(&error) => return Ok(Hold { _file: None }),
            Err(error) => return Err(Diagnostic::user(Fault::new("open", &path)(error).to_string())),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).ok();
                return Err(Diagnostic::user(format!("run {id} is at work: {}", holder.trim_end()))
                    .kind(Kind::Refused)
                    .hint("wait for its end".to_owned()));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Diagnostic::user(Fault::new("lock", &path)(error).to_string()));
            }
        }
        let told = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{command} by {}, process {}", by(), std::process::id()));
        told.map_err(|error| Diagnostic::user(Fault::new("write", &path)(error).to_string()))?;
        Ok(Hold { _file: Some(file) })
    }
}

fn cannot_be_written(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
