//! What is to be done to a path.

use std::path::{Path, PathBuf};

use convoy_protocol::{Map, map};

use crate::failure::Failure;
use crate::stat::Meta;
use crate::system::{Attributes, SetTime};

/// One thing to do.
#[derive(Debug)]
pub(super) enum Action {
    MakeDir(PathBuf, Attributes),
    Create(PathBuf, Attributes),
    Symlink { path: PathBuf, target: PathBuf, expected: Option<Meta> },
    HardLink { path: PathBuf, target: PathBuf, expected: Option<Meta> },
    Set(PathBuf, Attributes),
    Times(PathBuf, SetTime, SetTime),
    Remove(PathBuf),
}

/// What is to be done, in order, and what the answer says.
#[derive(Debug)]
pub struct Plan {
    pub(super) actions: Vec<Action>,
    /// The path that the answer describes.
    pub(super) shown: PathBuf,
    pub(super) values: Map,
    pub(super) before: Map,
    pub(super) after: Map,
}

impl Plan {
    pub(super) fn new(path: &Path, values: Map) -> Self {
        let sides = map! { "path" => path.to_string_lossy().as_ref() };
        Self { actions: Vec::new(), shown: path.to_owned(), values, before: sides.clone(), after: sides }
    }

    pub(super) fn both(&mut self, name: &str, before: &str, after: &str) {
        self.before.insert(name.into(), before.into());
        self.after.insert(name.into(), after.into());
    }
}

/// Returns a failure that names its path, as Ansible does.
pub(super) fn refuse(msg: String, path: &Path) -> Failure {
    Failure::new(msg).with("path", path.to_string_lossy().as_ref())
}
