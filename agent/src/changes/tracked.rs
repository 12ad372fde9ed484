//! The paths that the run has changed so far.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::record::{Entry, Record};
use super::state::{ContentState, PathKind};

/// What is tracked about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrackedPath {
    /// The name of its entry in the record.
    pub(super) id: String,
    /// Whether it did not exist before the run.
    pub(super) was_absent: bool,
    /// Whether the old content is kept, or need not be.
    pub(super) content_kept: bool,
    /// Whether its content is a secret.
    pub(super) is_stamped: bool,
    /// Whether it was restored as a directory tree.
    pub(super) is_tree: bool,
}

/// All tracked paths.
#[derive(Debug, Default)]
pub(super) struct TrackedPaths(HashMap<PathBuf, TrackedPath>);

impl TrackedPaths {
    /// Makes one from a record.
    pub(super) fn from_record(record: &Record) -> Self {
        let mut all = Self::default();
        record.entries.iter().for_each(|entry| all.add(entry));
        all
    }

    fn add(&mut self, entry: &Entry) {
        if entry.closed || entry.left_states.is_empty() {
            return;
        }
        let left = entry.left()[0];
        let tracked = TrackedPath {
            id: entry.id.clone(),
            was_absent: entry.was.is_absent(),
            content_kept: entry.was.kind != PathKind::File || entry.was.content != ContentState::Any,
            is_stamped: matches!(left.content, ContentState::Stamp(..)),
            is_tree: left.kind == PathKind::Tree,
        };
        self.0.insert(entry.path.clone(), tracked);
    }

    pub(super) fn get(&self, path: &Path) -> Option<&TrackedPath> {
        self.0.get(path)
    }

    pub(super) fn insert(&mut self, path: PathBuf, tracked: TrackedPath) {
        self.0.insert(path, tracked);
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Returns whether `path` did not exist before the run, because the run created it or a directory above it.
    pub(super) fn is_new(&self, path: &Path) -> bool {
        match self.0.get(path) {
            Some(tracked) => tracked.was_absent,
            None => {
                let above = path.ancestors().skip(1).filter_map(|above| self.0.get(above));
                above.filter(|tracked| tracked.was_absent).take(1).any(|tracked| !tracked.is_tree)
            }
        }
    }

    /// Stops tracking a path and everything below it.
    pub(super) fn forget(&mut self, path: &Path) {
        self.0.retain(|tracked, _| !tracked.starts_with(path));
    }
}
