//! Files and directories under names that nothing has yet.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{System, SystemView};
use crate::failure::Failure;
use crate::os_error::cannot;

/// The characters of a random name, as Python's `tempfile` has them.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";

/// How many names are tried before the directory is given up.
const TRIES: usize = 100;

/// What the names of directories begin with in which something is run; the number of the agent's process follows.
pub(crate) const PROGRAM_DIRECTORY_PREFIX: &str = "script-";

/// A copy of a program in a directory of its own. Removed when dropped.
#[derive(Debug)]
pub struct ProgramCopy {
    directory: PathBuf,
    program: PathBuf,
}

impl ProgramCopy {
    /// Returns where the program is.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

impl Drop for ProgramCopy {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

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
    /// Makes an empty file in `directory` that only its owner can use, and returns its path.
    ///
    /// # Errors
    /// If it cannot be made.
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

    /// Makes an empty directory in `directory` that only its owner can use, and returns its path.
    ///
    /// # Errors
    /// If it cannot be made.
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
    /// Copies `source` to where only this user can see it and programs may be run, under this name.
    ///
    /// # Errors
    /// If it cannot be copied; nothing is left of it then.
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

/// A new file outside the record of changes. Removed when dropped.
#[derive(Debug)]
pub struct ScratchFile {
    path: PathBuf,
    file: File,
}

impl ScratchFile {
    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file, open for writing.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

impl System {
    /// Makes an empty file in `directory` that only its owner can use.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_scratch_file(&mut self, directory: &Path) -> Result<ScratchFile, Failure> {
        let path = make_file(directory, ".convoy-", "")?;
        let file = OpenOptions::new().write(true).open(&path);
        let file = file.map_err(|error| cannot("write", &path, &error))?;
        Ok(ScratchFile { path, file })
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
            Err(error) => return Err(cannot("make", &path, &error)),
        }
    }
    Err(Failure::new(format!("no name is free for a temporary file in {}", directory.display())))
}
