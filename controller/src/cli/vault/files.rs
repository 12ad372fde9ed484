//! Reading and replacing files: whole or not at all, with the mode and owner that they had.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::real;
use crate::diagnostic::Diagnostic;

/// What a replaced file held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Old {
    /// Text in clear, which is overwritten.
    Clear,
    /// Encrypted text.
    Sealed,
}

/// A file, or standard input, that was read.
pub(super) struct Input {
    /// What is in it.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The file with links followed; none for standard input.
    path: Option<PathBuf>,
}

/// Reads a file; `-` is standard input.
pub(super) fn read(file: &str) -> Result<Input, Diagnostic> {
    let path = (file != "-").then(|| real(file));
    let mut bytes = Zeroizing::new(Vec::new());
    let read = match &path {
        Some(path) => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
        None => io::stdin().lock().read_to_end(&mut bytes),
    };
    read.map_err(|error| Diagnostic::user(format!("cannot read {file}: {error}")))?;
    Ok(Input { bytes, path })
}

/// Writes a file; `-` is standard output. A new file is for the user alone.
pub(super) fn write(file: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
    if file == "-" {
        let written = io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().lock().flush());
        return written.map_err(|error| Diagnostic::user(format!("cannot write: {error}")));
    }
    replace(&real(file), bytes, Old::Sealed)
}

impl Input {
    /// Writes the answer: in the place of the file, or to standard output.
    pub(super) fn replace(&self, bytes: &[u8], old: Old) -> Result<(), Diagnostic> {
        match &self.path {
            Some(path) => replace(path, bytes, old),
            None => write("-", bytes),
        }
    }

    /// Returns whether the file still holds what was read.
    pub(super) fn is_current(&self) -> bool {
        self.path.as_ref().is_none_or(|path| fs::read(path).is_ok_and(|now| now == **self.bytes))
    }
}

/// Puts a new file in the place of the one at `path`.
fn replace(path: &Path, bytes: &[u8], old: Old) -> Result<(), Diagnostic> {
    let before = fs::metadata(path).ok();
    let clear = (old == Old::Clear).then(|| File::options().read(true).write(true).open(path).ok()).flatten();
    put(path, bytes, before.as_ref())
        .map_err(|error| Diagnostic::user(format!("cannot write {}: {error}", path.display())))?;
    if let Some(clear) = clear {
        wipe(&clear).map_err(|error| {
            Diagnostic::user(format!(
                "{} is encrypted, but what it held in clear may still be on the disk: {error}",
                path.display()
            ))
        })?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8], before: Option<&Metadata>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".convoy-vault-").tempfile_in(folder)?;
    new.write_all(bytes)?;
    let file = new.as_file();
    if let Some(before) = before {
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid())).map_err(|error| {
                io::Error::new(error.kind(), format!("its owner cannot be kept: {error}"))
            })?;
        }
        file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777))?;
    }
    file.sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Overwrites what has no name any more. A file that has another name is one that somebody else uses.
fn wipe(mut file: &File) -> io::Result<()> {
    let meta = file.metadata()?;
    if meta.nlink() > 0 {
        return Ok(());
    }
    file.rewind()?;
    io::copy(&mut io::repeat(0).take(meta.len()), &mut file)?;
    file.sync_all()
}

/// Overwrites the files below a folder.
pub(super) fn wipe_folder(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            wipe_folder(&path);
        } else if meta.is_file()
            && let Ok(mut file) = File::options().write(true).open(&path)
        {
            // What cannot be overwritten is removed all the same.
            let _ = io::copy(&mut io::repeat(0).take(meta.len()), &mut file).and_then(|_| file.sync_all());
        }
    }
}
