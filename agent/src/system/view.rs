//! Read access to files, the environment and other properties of the node.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use super::{SystemView, expand};
use crate::args::NodePath;
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::stat::Meta;

/// The size above which a file is not shown in differences, in bytes.
pub const DIFF_LIMIT: u64 = 104_448;

fn found(result: io::Result<fs::Metadata>, path: &Path) -> Result<Option<Meta>, Failure> {
    match result {
        Ok(meta) => Ok(Some(Meta::from(&meta))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        // A symbolic link that leads to itself is like a dangling one.
        Err(error) if is_loop(&error) => Ok(None),
        Err(error) => Err(cannot("access", path, &error)),
    }
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

impl SystemView {
    /// Returns the metadata of `path` itself; `None` if nothing is there.
    ///
    /// # Errors
    /// If it is not accessible.
    pub fn lstat(&self, path: &Path) -> Result<Option<Meta>, Failure> {
        found(fs::symlink_metadata(path), path)
    }

    /// Returns the metadata of `path`, following symbolic links; `None` if nothing is there.
    ///
    /// # Errors
    /// If it is not accessible.
    pub fn stat(&self, path: &Path) -> Result<Option<Meta>, Failure> {
        found(fs::metadata(path), path)
    }

    /// Returns the content of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        fs::read(path).map_err(|e| cannot("read", path, &e))
    }

    /// Returns the first `limit` bytes of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_head(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = |file: fs::File| file.take(limit).read_to_end(&mut bytes);
        fs::File::open(path).and_then(read).map_err(|e| cannot("read", path, &e))?;
        Ok(bytes)
    }

    /// Returns the content of a regular file of limited size.
    ///
    /// # Errors
    /// If it does not exist, is larger than `limit` bytes, or cannot be read.
    pub fn read_small(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        let what = match self.stat(path)? {
            None => "does not exist".to_owned(),
            Some(meta) if meta.is_dir() => "is a directory".to_owned(),
            Some(meta) if !meta.is_file() => "is not a regular file".to_owned(),
            Some(meta) if meta.size > limit => {
                format!("has {} bytes, but at most {limit} can be read", meta.size)
            }
            Some(_) => return self.read_head(path, limit),
        };
        Err(Failure::new(format!("{} {what}", path.display())))
    }

    /// Returns the target of a symbolic link.
    ///
    /// # Errors
    /// If it is not one, or cannot be read.
    pub fn read_link(&self, path: &Path) -> Result<PathBuf, Failure> {
        fs::read_link(path).map_err(|e| cannot("read the link", path, &e))
    }

    /// Returns `path` with all symbolic links resolved, even if it does not exist.
    pub fn real_path(&self, path: &Path) -> PathBuf {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Ok(real) = fs::canonicalize(&absolute) {
            return real;
        }
        // A dangling link is replaced by its target; otherwise the parent directory is resolved.
        let base = absolute.parent().map(|parent| self.real_path(parent)).unwrap_or_else(|| "/".into());
        match fs::read_link(&absolute) {
            Ok(target) if base.join(&target) != absolute && !self.loops(&absolute) => {
                self.real_path(&base.join(target))
            }
            _ => absolute.file_name().map_or_else(|| base.clone(), |name| base.join(name)),
        }
    }

    fn loops(&self, path: &Path) -> bool {
        fs::metadata(path).is_err_and(|error| is_loop(&error))
    }

    /// Returns the paths of the entries of a directory, sorted.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn list(&self, path: &Path) -> Result<Vec<PathBuf>, Failure> {
        let read = |entries: fs::ReadDir| {
            entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>()
        };
        let mut paths =
            fs::read_dir(path).and_then(read).map_err(|e| cannot("read the directory", path, &e))?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Returns whether the running user can read `path`.
    pub fn can_read(&self, path: &Path) -> bool {
        rustix::fs::access(path, rustix::fs::Access::READ_OK).is_ok()
    }

    /// Returns whether the running user can write to `path`.
    pub fn can_write(&self, path: &Path) -> bool {
        rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
    }

    /// Returns whether the running user can execute or enter `path`.
    pub fn can_execute(&self, path: &Path) -> bool {
        rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    }

    /// Returns a file with exactly the content named by `digest`.
    ///
    /// # Errors
    /// If the content is not available.
    pub fn content(&self, digest: &Digest) -> Result<PathBuf, Failure> {
        self.contents.fetch(digest)
    }

    /// Returns what an earlier order stored under `name`. Notes only save work: they may disappear at any time.
    pub(crate) fn load_note(&self, name: &str) -> Option<Vec<u8>> {
        self.contents.load_note(name)
    }

    /// Stores a note for later orders in the agent's own directory.
    pub(crate) fn store_note(&self, name: &str, bytes: &[u8]) {
        self.contents.store_note(name, bytes);
    }

    /// Returns the environment of the processes of this order.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
        let mut all: BTreeMap<String, String> =
            std::env::vars_os().map(|(k, v)| (text(k), text(v))).collect();
        all.extend(self.environment.iter().cloned());
        all
    }

    /// Returns a variable of [`environment`](Self::environment).
    pub fn variable(&self, name: &str) -> Option<String> {
        let own = self.environment.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        own.or_else(|| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Returns the variables that the order adds to the agent's environment.
    pub(super) fn added_environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Returns `path` with `~`, `~user`, `$NAME` and `${NAME}` expanded.
    pub fn expand(&self, path: &NodePath) -> PathBuf {
        self.expand_text(&path.0.to_string_lossy()).into()
    }

    /// Returns `text` with `~`, `~user`, `$NAME` and `${NAME}` expanded.
    pub fn expand_text(&self, text: &str) -> String {
        if !text.contains(['$', '~']) {
            return text.to_owned();
        }
        let expanded = expand::variables(text, |name| self.variable(name));
        expand::home(&expanded, |user| match user {
            Some(user) => self.user(user).map(|user| user.home),
            None => self.variable("HOME").or_else(|| self.user_by_id(self.uid()).map(|user| user.home)),
        })
    }

    /// Returns the running user's ID.
    pub fn uid(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// Returns the running user's group ID.
    pub fn gid(&self) -> u32 {
        rustix::process::getegid().as_raw()
    }

    /// Returns the file mode creation mask.
    pub fn umask(&self) -> u32 {
        *self.umask.get_or_init(|| {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
            line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o022)
        })
    }

    /// Returns the path of a program found through `PATH`.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let file = |directory: String| Path::new(&directory).join(name);
        self.program_directories().into_iter().map(file).find(|file| file.is_file() && self.can_execute(file))
    }

    /// Returns the path of a program that the module needs.
    ///
    /// # Errors
    /// If it is not found.
    pub fn require_program(&self, name: &str) -> Result<PathBuf, Failure> {
        self.program(name).ok_or_else(|| {
            let directories = self.program_directories().join(":");
            Failure::new(format!("Failed to find required executable \"{name}\" in paths: {directories}"))
        })
    }

    fn program_directories(&self) -> Vec<String> {
        let path = self.variable("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut directories: Vec<String> = Vec::new();
        for directory in path.split(':').chain(["/sbin", "/usr/sbin", "/usr/local/sbin"]) {
            if !directory.is_empty() && !directories.iter().any(|known| known == directory) {
                directories.push(directory.to_owned());
            }
        }
        directories
    }

    /// Returns whether SELinux is enabled.
    pub fn has_selinux(&self) -> bool {
        Path::new("/sys/fs/selinux/enforce").exists()
    }

    /// Returns the node's host name.
    pub fn host_name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
}
