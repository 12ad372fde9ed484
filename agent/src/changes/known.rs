//! What the run has changed so far, by path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::record::{Entry, Record};
use super::state::{Content, Thing};

/// What is known of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The entry's name in the record.
    pub(super) id: String,
    /// Whether nothing was there before the run.
    pub(super) nothing: bool,
    /// Whether what it held is kept, or need not be.
    pub(super) content: bool,
    /// Whether it holds a secret.
    pub(super) stamped: bool,
    /// Whether it came back with all it holds.
    pub(super) tree: bool,
}

/// What is known of all paths.
#[derive(Debug, Default)]
pub(super) struct All(HashMap<PathBuf, Known>);

impl All {
    /// Returns what a record tells.
    pub(super) fn of(record: &Record) -> Self {
        let mut all = Self::default();
        record.entries.iter().for_each(|entry| all.add(entry));
        all
    }

    fn add(&mut self, entry: &Entry) {
        if entry.closed || entry.lefts.is_empty() {
            return;
        }
        let left = entry.left()[0];
        let known = Known {
            id: entry.id.clone(),
            nothing: entry.was.is_nothing(),
            content: entry.was.thing != Thing::File || entry.was.content != Content::Any,
            stamped: matches!(left.content, Content::Stamp(..)),
            tree: left.thing == Thing::Tree,
        };
        self.0.insert(entry.path.clone(), known);
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Known> {
        self.0.get(path)
    }

    pub(super) fn insert(&mut self, path: PathBuf, known: Known) {
        self.0.insert(path, known);
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Returns whether nothing was at `path` before the run, since the run has made a directory above it, or it itself.
    pub(super) fn is_new(&self, path: &Path) -> bool {
        match self.0.get(path) {
            Some(known) => known.nothing,
            None => {
                let above = path.ancestors().skip(1).filter_map(|above| self.0.get(above));
                above.filter(|known| known.nothing).take(1).any(|known| !known.tree)
            }
        }
    }

    /// Forgets what is at a path and below it.
    pub(super) fn forget(&mut self, path: &Path) {
        self.0.retain(|known, _| !known.starts_with(path));
    }
}
