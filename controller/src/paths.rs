//! Paths as the user writes them.

use std::path::PathBuf;

/// Replaces a leading `~` by the user's home.
pub fn expand_user(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(format!("{}{rest}", home.to_string_lossy().trim_end_matches('/')))
        }
        _ => path.into(),
    }
}
