//! What the modules that write files have in common.

pub mod attributes;
pub mod backup;
pub mod difference;
pub mod edit;
pub mod encoding;
pub mod glob;
pub mod json;
pub mod keyed;
pub mod mode;
pub mod put;
pub mod secret;
pub mod status;
pub mod tree;
pub mod validate;

use std::path::{Path, PathBuf};

/// Returns `path` with a directory before it, so that `name` alone is in the running one.
pub(crate) fn with_directory(path: PathBuf) -> PathBuf {
    if path.to_string_lossy().contains('/') { path } else { Path::new(".").join(path) }
}

/// Returns whether `path` ends with a slash.
pub(crate) fn ends_with_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Returns the directory that `path` is in, with a trailing slash of `path` meaning the directory itself.
pub(crate) fn dirname(path: &Path) -> PathBuf {
    if ends_with_slash(path) {
        let text = path.to_string_lossy();
        let trimmed = text.trim_end_matches('/');
        return if trimmed.is_empty() { "/".into() } else { trimmed.into() };
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) => ".".into(),
        None => "/".into(),
    }
}
