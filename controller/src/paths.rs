//! Paths as the user writes them.

use std::path::{Component, Path, PathBuf};

/// Replaces a leading `~` by the user's home.
pub fn expand_user(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(format!("{}{rest}", home.to_string_lossy().trim_end_matches('/')))
        }
        _ => path.into(),
    }
}

/// Returns a path from the root on, without looking at the file system.
pub fn absolute(path: impl AsRef<Path>) -> PathBuf {
    std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned())
}

/// Takes out `.` and, where it follows a plain name, `..`.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied() {
        for (path, expected) in [("a/./b/../c", "a/c"), ("../a", "../a"), ("/a/../b", "/b"), ("./x", "x")] {
            assert_eq!(tidy(Path::new(path)), Path::new(expected));
        }
    }
}
