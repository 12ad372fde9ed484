//! Paths as the user writes them.

use std::path::{Component, Path, PathBuf};

/// Returns the user's home directory: `HOME`, or what the passwd database has.
pub fn home() -> Option<PathBuf> {
    std::env::home_dir()
}

/// Returns a path for messages, with `~` in place of the user's home directory.
pub fn tilde(path: &Path) -> String {
    match home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// Replaces a leading `~` by the user's home.
pub fn expand_user(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(format!("{}{rest}", home.to_string_lossy().trim_end_matches('/')))
        }
        _ => path.into(),
    }
}

/// Returns where a program is that this machine has.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Returns a path as it is from everywhere, without looking at the file system: playbooks and roles are often named
/// relative to the working folder.
pub fn absolute(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| tidy(&path))
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
