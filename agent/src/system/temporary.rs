//! Temporary files and directories.

use std::fs::{DirBuilder, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{System, SystemView};
use crate::failure::Failure;
use crate::os_error::cannot;

/// The characters of random names, as in Python's `tempfile`.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";

/// How many names are tried.
const TRIES: usize = 100;

/// The prefix of the directories that hold a program to run; the process ID of the agent follows.
pub(crate) const PROGRAM_DIRECTORY_PREFIX: &str = "script-";

/// A copy of a program in its own directory. Removed when dropped.
#[derive(Debug)]
pub struct ProgramCopy {
    directory: PathBuf,
    program: PathBuf,
}

impl ProgramCopy {
    /// Returns its path.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

impl Drop for ProgramCopy {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// Returns eight random characters.
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

impl SystemView {
    /// Returns the directory for temporary files.
    pub fn temporary_directory(&self) -> PathBuf {
        let named =
            ["TMPDIR", "TEMP", "TMP"].iter().filter_map(|name| self.variable(name)).map(PathBuf::from);
        named
            .chain(["/tmp".into(), "/var/tmp".into()])
            .find(|path| path.is_dir())
            .unwrap_or_else(|| "/tmp".into())
    }
}

impl System {
    /// Creates an empty file in `directory` that only its owner can access, and returns its path.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn make_temporary_file(
        &mut self,
        directory: &Path,
        prefix: &str,
        suffix: &str,
    ) -> Result<PathBuf, Failure> {
        let path = make_file(directory, prefix, suffix)?;
        self.record_created(&path)?;
        Ok(path)
    }

    /// Creates an empty directory in `directory` that only its owner can access, and returns its path.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn make_temporary_directory(
        &mut self,
        directory: &Path,
        prefix: &str,
        suffix: &str,
    ) -> Result<PathBuf, Failure> {
        let path = make_directory(directory, prefix, suffix)?;
        self.record_created(&path)?;
        Ok(path)
    }
}

impl System {
    /// Copies the program `source`, under the name `name`, to a private directory in which programs may be executed.
    ///
    /// # Errors
    /// If it cannot be copied; nothing is left behind then.
    pub fn copy_program(&mut self, source: &Path, name: &str) -> Result<ProgramCopy, Failure> {
        let base = self.contents.directory().to_owned();
        let directory =
            make_directory(&base, &format!("{PROGRAM_DIRECTORY_PREFIX}{}-", std::process::id()), "")?;
        let copied = ProgramCopy { program: directory.join(name), directory };
        let copy = || {
            let mut file = OpenOptions::new();
            let mut file = file.write(true).create_new(true).mode(0o700).open(&copied.program)?;
            io::copy(&mut std::fs::File::open(source)?, &mut file).map(drop)
        };
        copy().map_err(|error| cannot("write", &copied.program, &error))?;
        Ok(copied)
    }
}

/// A new temporary file, whose creation is not recorded as a change. Removed when dropped.
#[derive(Debug)]
pub struct ScratchFile {
    path: PathBuf,
}

impl ScratchFile {
    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

impl System {
    /// Creates an empty temporary file in `directory` that only its owner can access.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn make_scratch_file(&mut self, directory: &Path) -> Result<ScratchFile, Failure> {
        Ok(ScratchFile { path: make_file(directory, ".convoy-", "")? })
    }
}

fn make_file(directory: &Path, prefix: &str, suffix: &str) -> Result<PathBuf, Failure> {
    make(directory, prefix, suffix, |path| {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
    })
}

fn make_directory(directory: &Path, prefix: &str, suffix: &str) -> Result<PathBuf, Failure> {
    make(directory, prefix, suffix, |path| DirBuilder::new().mode(0o700).create(path))
}

fn make(
    directory: &Path,
    prefix: &str,
    suffix: &str,
    create: impl Fn(&Path) -> io::Result<()>,
) -> Result<PathBuf, Failure> {
    for _ in 0..TRIES {
        let path = directory.join(format!("{prefix}{}{suffix}", random()));
        match create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot("create", &path, &error)),
        }
    }
    Err(Failure::new(format!("no unused name found for a temporary file in {}", directory.display())))
}
