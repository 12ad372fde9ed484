//! Small files of the kernel and the system, below a root that tests can choose.

use std::path::PathBuf;

/// Where the files are.
pub(super) struct Files(PathBuf);

impl Files {
    /// Returns the node's own.
    pub(super) fn here() -> Self {
        Self("/".into())
    }

    /// Returns those below a directory.
    #[cfg(test)]
    pub(super) fn below(root: &std::path::Path) -> Self {
        Self(root.to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name.trim_start_matches('/'))
    }

    /// Returns the text of a file; empty if it cannot be read.
    pub(super) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// Returns the text of a file with one line.
    pub(super) fn line(&self, name: &str) -> String {
        self.text(name).trim().to_owned()
    }

    /// Returns whether there is such a file or directory.
    pub(super) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Returns the last part of the path that a link leads to; empty if it is none.
    pub(super) fn link(&self, name: &str) -> String {
        let target = std::fs::read_link(self.path(name)).unwrap_or_default();
        target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns the names in a directory, sorted.
    pub(super) fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
