//! Files and folders under names that nothing has yet.

use std::fs::{DirBuilder, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Look, System, cannot};
use crate::module::Failure;

/// The characters of a random name, as Python's `tempfile` has them.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";

/// How many names are tried before the folder is given up.
const TRIES: usize = 100;

/// Returns eight characters that nobody can guess.
fn random() -> String {
    let mut number = RandomState::new().build_hasher().finish();
    let mut text = String::with_capacity(8);
    for _ in 0..8 {
        let letter = (number % LETTERS.len() as u64) as usize;
        text.push(char::from(LETTERS[letter]));
        number /= LETTERS.len() as u64;
    }
    text
}

impl Look {
    /// Returns the folder for temporary files.
    pub fn temporary_folder(&self) -> PathBuf {
        let named =
            ["TMPDIR", "TEMP", "TMP"].iter().filter_map(|name| self.variable(name)).map(PathBuf::from);
        named
            .chain(["/tmp".into(), "/var/tmp".into()])
            .find(|path| path.is_dir())
            .unwrap_or_else(|| "/tmp".into())
    }
}

impl System {
    /// Makes an empty file in `folder` that only its owner can use, and returns its path.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_temporary_file(
        &mut self,
        folder: &Path,
        prefix: &str,
        suffix: &str,
    ) -> Result<PathBuf, Failure> {
        make(folder, prefix, suffix, |path| {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
        })
    }

    /// Makes an empty folder in `folder` that only its owner can use, and returns its path.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_temporary_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        suffix: &str,
    ) -> Result<PathBuf, Failure> {
        make(folder, prefix, suffix, |path| DirBuilder::new().mode(0o700).create(path))
    }
}

fn make(
    folder: &Path,
    prefix: &str,
    suffix: &str,
    create: impl Fn(&Path) -> io::Result<()>,
) -> Result<PathBuf, Failure> {
    for _ in 0..TRIES {
        let path = folder.join(format!("{prefix}{}{suffix}", random()));
        match create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot("make", &path, &error)),
        }
    }
    Err(Failure::new(format!("no name is free for a temporary file in {}", folder.display())))
}
