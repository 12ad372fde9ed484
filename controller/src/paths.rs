//! Paths as users write them: `~`, relative ones, and those with dots.

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

/// Replaces a leading `~` by the user's home directory.
pub fn expand_user(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(format!("{}{rest}", home.to_string_lossy().trim_end_matches('/')))
        }
        _ => path.into(),
    }
}

/// Returns the path of a program that is in one of the directories of `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// Returns the absolute, normalized form of a path relative to the working directory, without looking at the file
/// system: playbooks and roles are often named relative to it.
pub fn absolute(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| normalize(&path))
}

/// Removes `.` and, with the name before it, `..`, without looking at the file system.
pub fn normalize(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(normalized.components().next_back(), Some(Component::Normal(_))) =>
            {
                normalized.pop();
            }
            // At the root, `..` is the root.
            Component::ParentDir if normalized.has_root() && normalized.parent().is_none() => {}
            other => normalized.push(other),
        }
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_removed() {
        for (path, expected) in [
            ("a/./b/../c", "a/c"),
            ("../a", "../a"),
            ("../../a", "../../a"),
            ("/a/../b", "/b"),
            ("/a/../../b", "/b"),
            ("./x", "x"),
        ] {
            assert_eq!(normalize(Path::new(path)), Path::new(expected));
        }
    }
}
