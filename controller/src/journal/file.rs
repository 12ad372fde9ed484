//! The journal as a file: its name, and the errors of working with it.

use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;

/// The name of the journal in the directory of its run.
pub(super) const FILE_NAME: &str = "journal";

/// A failed operation on a file or directory of the journal.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}: {error}", path = path.display())]
pub struct FileError {
    operation: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl FileError {
    /// Returns what makes the error of an operation, such as `read`, on a path.
    pub(super) fn new(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { operation, path: path.to_owned(), error }
    }
}

impl From<FileError> for Diagnostic {
    fn from(error: FileError) -> Self {
        Self::user(error.to_string())
    }
}
