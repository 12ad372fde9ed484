//! Path patterns with `*`, `?` and `[…]`, as in Python's `glob`.

use std::path::{Path, PathBuf};

/// Returns whether any path matches `pattern`, relative to `directory`.
pub fn any(pattern: &str, directory: &Path) -> bool {
    let start = if pattern.starts_with('/') { PathBuf::from("/") } else { directory.to_owned() };
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let exists = descend(&start, &parts, pattern.ends_with('/'));
    exists && !pattern.is_empty()
}

fn descend(base: &Path, parts: &[&str], must_be_dir: bool) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return if must_be_dir { base.is_dir() } else { base.symlink_metadata().is_ok() };
    };
    if !part.contains(['*', '?', '[']) {
        return descend(&base.join(part), rest, must_be_dir);
    }
    let Ok(entries) = std::fs::read_dir(base) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        (part.starts_with('.') || !name.starts_with('.'))
            && matches(part, &name)
            && descend(&entry.path(), rest, must_be_dir)
    })
}

/// Returns whether `name` matches `pattern`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches_from(&pattern, &name)
}

fn matches_from(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        '*' => (0..=name.len()).any(|skip| matches_from(rest, &name[skip..])),
        '?' => !name.is_empty() && matches_from(rest, &name[1..]),
        '[' => match class(rest) {
            Some((set, after)) => {
                name.first().is_some_and(|c| in_class(set, *c)) && matches_from(after, &name[1..])
            }
            None => name.first() == Some(&'[') && matches_from(rest, &name[1..]),
        },
        c => name.first() == Some(c) && matches_from(rest, &name[1..]),
    }
}

/// Splits off a character class: returns its content and the rest of the pattern.
fn class(rest: &[char]) -> Option<(&[char], &[char])> {
    let negated = usize::from(rest.first() == Some(&'!'));
    // A closing bracket in the first position is part of the class.
    let end = rest.iter().enumerate().skip(negated + 1).find(|(_, c)| **c == ']')?.0;
    Some((&rest[..end], &rest[end + 1..]))
}

fn in_class(set: &[char], c: char) -> bool {
    let (negated, set) = match set.split_first() {
        Some(('!', set)) => (true, set),
        _ => (false, set),
    };
    let mut found = false;
    let mut i = 0;
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == '-' {
            found |= (set[i]..=set[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= set[i] == c;
            i += 1;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_shell_patterns() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[x", "[x", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_match_paths_below_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("logs")).unwrap();
        std::fs::write(directory.path().join("logs/.hidden.log"), "").unwrap();
        assert!(!any("logs/*.log", directory.path()));
        std::fs::write(directory.path().join("logs/a.log"), "").unwrap();
        assert!(
            any("logs/*.log", directory.path())
                && any("l*/a.log", directory.path())
                && any("logs/", directory.path())
        );
        assert!(!any("logs/a.log/", directory.path()) && !any("", directory.path()));
        assert!(any(&format!("{}/log?", directory.path().display()), Path::new("/nonexistent")));
    }
}
