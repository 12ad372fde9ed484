//! Finds the paths that match a shell pattern, as Python's `glob` does.

use std::path::Path;

/// Returns the paths that match a pattern with `*`, `?` and `[…]`, sorted.
pub(crate) fn glob(pattern: &str) -> Vec<String> {
    let root = if pattern.starts_with('/') { "/" } else { "" };
    let mut paths = vec![root.to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &paths {
            if !part.contains(['*', '?', '[']) {
                let path = format!("{base}{part}");
                if Path::new(&path).symlink_metadata().is_ok() {
                    next.push(path);
                }
                continue;
            }
            let directory = if base.is_empty() { "." } else { base };
            let names = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names.retain(|name| (!name.starts_with('.') || part.starts_with('.')) && matches(part, name));
            next.extend(names.into_iter().map(|name| format!("{base}{name}")));
        }
        paths = next.into_iter().map(|path| path + "/").collect();
    }
    paths
        .into_iter()
        .map(|path| path.trim_end_matches('/').to_owned())
        .filter(|path| !path.is_empty())
        .collect()
}

/// Returns whether one component of a path matches a pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let mut regex = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let body: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let (not, body) = body.strip_prefix('!').map_or(("", &*body), |body| ("^", body));
                regex.push_str(&format!("[{not}{}]", body.replace('\\', "\\\\").replace('[', "\\[")));
            }
            c => regex.push_str(&fancy_regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    fancy_regex::Regex::new(&regex).is_ok_and(|regex| regex.is_match(name).unwrap_or(false))
}
