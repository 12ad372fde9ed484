//! What the run has changed so far, by path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::record::{Entry, Record};
use super::state::{ContentState, PathKind};

/// What is known of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrackedPath {
    /// The entry's name in the record.
    pub(super) id: String,
    /// Whether nothing was there before the run.
    pub(super) was_absent: bool,
    /// Whether what it held is kept, or need not be.
    pub(super) content_kept: bool,
    /// Whether it holds a secret.
    pub(super) is_stamped: bool,
    /// Whether it came back with all it holds.
    pub(super) is_tree: bool,
}

/// What is known of all paths.
#[derive(Debug, Default)]
pub(super) struct TrackedPaths(HashMap<PathBuf, TrackedPath>);

impl TrackedPaths {
    /// Returns what a record tells.
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

    /// Returns whether nothing was at `path` before the run, since the run has made a directory above it, or it itself.
    pub(super) fn is_new(&self, path: &Path) -> bool {
        match self.0.get(path) {
            Some(tracked) => tracked.was_absent,
            None => {
                let above = path.ancestors().skip(1).filter_map(|above| self.0.get(above));
                above.filter(|tracked| tracked.was_absent).take(1).any(|tracked| !tracked.is_tree)
            }
        }
    }

    /// Forgets what is at a path and below it.
    pub(super) fn forget(&mut self, path: &Path) {
        self.0.retain(|tracked, _| !tracked.starts_with(path));
    }
}
