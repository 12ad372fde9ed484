//! What modules that write files share.

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

/// Prefixes a path without a slash with `./`, so that it is relative to the current directory.
pub(crate) fn with_directory(path: PathBuf) -> PathBuf {
    if path.to_string_lossy().contains('/') { path } else { Path::new(".").join(path) }
}

/// Returns whether `path` ends with a slash.
pub(crate) fn ends_with_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Returns the directory part of `path`; if `path` ends with a slash, that is the whole path.
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
