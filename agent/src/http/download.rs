//! The content of an answer in a file of its own.

use std::fs::OpenOptions;
use std::io::{self, Read, Write as _};
use std::path::Path;

use super::error::Error;
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::{ScratchFile, System};

/// The content of an answer in a file of its own. Removed when dropped.
#[derive(Debug)]
pub struct Download {
    file: ScratchFile,
    /// Its length in bytes.
    pub length: u64,
}

impl Download {
    /// Returns where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

/// Writes the content of an answer to a new file in `directory` that only its owner can use.
///
/// # Errors
/// If it cannot be read or written; nothing is left of it then.
pub fn download(node: &mut System, directory: &Path, body: &mut dyn Read) -> Result<Download, Failure> {
    let file = node.make_scratch_file(directory)?;
    let length = save(body, file.path())?;
    Ok(Download { file, length })
}

/// Copies an answer's content into a file; returns how long it is.
///
/// # Errors
/// If it cannot be read or written.
fn save(body: &mut dyn Read, path: &Path) -> Result<u64, Failure> {
    let file = OpenOptions::new().write(true).open(path);
    let mut file = file.map_err(|error| cannot("write", path, &error))?;
    let (mut buffer, mut length) = (vec![0; 128 * 1024], 0);
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(n) => {
                file.write_all(&buffer[..n]).map_err(|error| cannot("write", path, &error))?;
                length += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::new(Error::of_reading(error).to_string())),
        }
    }
}
