//! Host patterns such as `web:&prod:!web3`: selects hosts, in Ansible's order.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use fancy_regex::Regex;
use indexmap::IndexSet;

use super::address;
use super::model::{Inventory, LOCALHOST};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::secrets::Vault;
use crate::source_file::SourceFile;

/// The hosts that match a pattern.
#[derive(Debug, Default, PartialEq)]
pub struct Selection {
    /// Their names without duplicates, in Ansible's order.
    pub hosts: Vec<Arc<str>>,
    /// Warnings about patterns that match nothing.
    pub warnings: Vec<Diagnostic>,
}

type Names = IndexSet<Arc<str>>;

static SUBSCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(.+)\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\]$")
        .expect("a constant pattern, covered by the tests of this file")
});

impl Inventory {
    /// Returns the hosts that match the limit, including the implicit localhost.
    ///
    /// # Errors
    ///
    /// As [`select`](Self::select).
    pub fn limited(&self, hosts: &[Arc<str>], limit: Option<&str>) -> Result<Vec<Arc<str>>, Diagnostic> {
        let mut selected = self.select("all", limit)?.hosts;
        for host in hosts.iter().filter(|host| self.is_implicit(host)) {
            selected.extend(self.select(host, limit)?.hosts);
        }
        Ok(hosts.iter().filter(|host| selected.contains(host)).cloned().collect())
    }

    /// Returns the hosts that match both `pattern` and `limit`.
    ///
    /// # Errors
    ///
    /// If a regular expression is not valid, a subscript exceeds the matches, or a limit file cannot be read.
    pub fn select(&self, pattern: &str, limit: Option<&str>) -> Result<Selection, Diagnostic> {
        let mut warnings = Vec::new();
        let mut hosts = self.evaluate(&split(pattern), &mut warnings)?;
        if let Some(limit) = limit.filter(|limit| !limit.is_empty()) {
            let within = self.evaluate(&limit_patterns(limit, &self.options.vault)?, &mut warnings)?;
            hosts.retain(|host| within.contains(host));
        }
        Ok(Selection { hosts: hosts.into_iter().collect(), warnings })
    }

    fn evaluate(&self, patterns: &[String], warnings: &mut Vec<Diagnostic>) -> Result<Names, Diagnostic> {
        // Ansible selects all hosts, which is rarely intended.
        if patterns.is_empty() {
            return Err(Diagnostic::user("empty host pattern or limit")
                .hint(Some("`all` matches all hosts".to_owned())));
        }
        let matching =
            |filter: fn(&str) -> bool| patterns.iter().map(String::as_str).filter(move |text| filter(text));
        let mut regular: Vec<&str> = matching(|text| !text.starts_with(['!', '&'])).collect();
        if regular.is_empty() {
            regular.push("all");
        }
        let mut hosts = Names::new();
        for pattern in regular {
            match self.hosts.get_key_value(pattern) {
                Some((name, _)) => drop(hosts.insert(name.clone())),
                None => hosts.extend(self.matches(pattern, warnings)?),
            }
        }
        for pattern in matching(|text| text.starts_with('&')) {
            let both = self.matches(&pattern[1..], warnings)?;
            hosts.retain(|host| both.contains(host));
        }
        for pattern in matching(|text| text.starts_with('!')) {
            let without = self.matches(&pattern[1..], warnings)?;
            hosts.retain(|host| !without.contains(host));
        }
        Ok(hosts)
    }

    fn matches(&self, pattern: &str, warnings: &mut Vec<Diagnostic>) -> Result<Names, Diagnostic> {
        let subscript =
            if pattern.starts_with('~') { None } else { SUBSCRIPT.captures(pattern).ok().flatten() };
        let Some(subscript) = subscript else { return self.enumerate(pattern, warnings) };
        let part = |index: usize| subscript.get(index).map_or("", |part| part.as_str());
        let hosts = self.enumerate(part(1), warnings)?;
        let count = hosts.len();
        let (start, end) = if part(2).is_empty() {
            if part(4) == "-" {
                let what = "Use [x:y] inclusive subscripts instead of [x-y] which has been removed";
                warnings.push(Diagnostic::user(what));
            }
            let start: usize = part(3).parse().unwrap_or(usize::MAX);
            let end = part(5).parse::<usize>().map_or(count, |end| end.saturating_add(1));
            (start.min(count), end.min(count))
        } else {
            let index: i64 = part(2).parse().unwrap_or(i64::MAX);
            let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            let start = if index < 0 { count.checked_sub(distance) } else { Some(distance) };
            match start.filter(|start| *start < count) {
                Some(start) => (start, start + 1),
                None if hosts.is_empty() => (0, 0),
                None => {
                    let what = format!("No hosts matched the subscripted pattern '{pattern}'");
                    return Err(
                        Diagnostic::user(what).hint(Some(format!("`{}` matches {count} hosts", part(1))))
                    );
                }
            }
        };
        Ok(hosts.into_iter().skip(start).take(end.saturating_sub(start)).collect())
    }

    fn enumerate(&self, pattern: &str, warnings: &mut Vec<Diagnostic>) -> Result<Names, Diagnostic> {
        let regex = compile(pattern)?;
        let is_match = |name: &str| regex.is_match(name).unwrap_or(false);
        let groups: Vec<_> = self.groups.keys().filter(|name| is_match(name)).collect();
        let mut hosts: Names = groups.iter().flat_map(|group| self.hosts_of(group)).collect();
        if groups.is_empty() || pattern.starts_with('~') || pattern.contains(['.', '?', '*', '[']) {
            hosts.extend(self.hosts.keys().filter(|name| is_match(name)).cloned());
        }
        if hosts.is_empty() && LOCALHOST.contains(&pattern) {
            hosts.insert(self.localhost.clone().unwrap_or_else(|| pattern.into()));
        }
        if hosts.is_empty() && groups.is_empty() && pattern != "all" {
            let known = self.groups.keys().chain(self.hosts.keys()).map(|name| &**name);
            let what = format!("Could not match supplied host pattern, ignoring: {pattern}");
            let warning = Diagnostic::user(what).hint(did_you_mean(pattern, known));
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(hosts)
    }
}

/// Splits a pattern at commas, or if there is none at colons, except those of addresses and ranges.
fn split(pattern: &str) -> Vec<String> {
    let parts: Vec<String> = if pattern.contains(',') {
        pattern.split(',').map(str::to_owned).collect()
    } else if address::parse(pattern).is_some() {
        vec![pattern.to_owned()]
    } else {
        let mut parts = vec![String::new()];
        let mut depth = 0usize;
        for c in pattern.chars() {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && (c == ':' || c.is_whitespace()) {
                parts.push(String::new());
            } else if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        }
        parts
    };
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Splits a limit, and replaces each `@file` by the lines of the file.
fn limit_patterns(limit: &str, vault: &Vault) -> Result<Vec<String>, Diagnostic> {
    let mut patterns = Vec::new();
    for pattern in split(limit) {
        let Some(file) = pattern.strip_prefix('@') else {
            patterns.push(pattern);
            continue;
        };
        if !Path::new(file).exists() {
            return Err(Diagnostic::user(format!("Unable to find limit file {file}")));
        }
        if Path::new(file).is_dir() {
            let what = format!("Limit starting with \"@\" must be a file, not a directory: {file}");
            return Err(Diagnostic::user(what));
        }
        let text = SourceFile::read(Path::new(file), vault)?.text;
        patterns.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(patterns)
}

/// Compiles `~regex`, which matches the beginning of names, or a shell pattern, which matches whole names.
fn compile(pattern: &str) -> Result<Regex, Diagnostic> {
    let text = match pattern.strip_prefix('~') {
        Some(regex) => format!("^(?:{regex})"),
        None => format!("^(?s:{})\\z", shell_pattern(pattern)),
    };
    Regex::new(&text).map_err(|error| {
        Diagnostic::user(format!("Invalid host list pattern: {pattern}")).note(error.to_string())
    })
}

fn shell_pattern(pattern: &str) -> String {
    let mut regex = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let skip = usize::from(rest.starts_with('!'));
                // A bracket in the first place is one of the characters.
                let from = skip + usize::from(rest[skip..].starts_with(']'));
                match rest[from..].find(']') {
                    Some(end) => {
                        let set = rest[skip..from + end].replace('\\', "\\\\").replace('[', "\\[");
                        let set = set.replace('^', "\\^").replace("&&", "&\\&");
                        regex.push_str(&format!("[{}{set}]", if skip == 1 { "^" } else { "" }));
                        rest = &rest[from + end + 1..];
                    }
                    None => regex.push_str("\\["),
                }
            }
            c => regex.push_str(&fancy_regex::escape(&c.to_string())),
        }
    }
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_split_at_commas_or_colons() {
        for (pattern, parts) in [
            ("a,b[1], c[2:3] , d", vec!["a", "b[1]", "c[2:3]", "d"]),
            ("web:&prod:!x[0:1]", vec!["web", "&prod", "!x[0:1]"]),
            ("web[0:1]", vec!["web[0:1]"]),
            ("fe80::1", vec!["fe80::1"]),
            ("a b", vec!["a", "b"]),
            (":::", vec![]),
        ] {
            assert_eq!(split(pattern), parts, "{pattern}");
        }
    }

    #[test]
    fn shell_patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("a*", "abc", true),
            ("a?", "abc", false),
            ("[!a]b", "cb", true),
            ("[!a]b", "ab", false),
            ("[]x]b", "]b", true),
            ("[a-c]", "b", true),
            ("[", "[", true),
            ("a.b", "axb", false),
            ("[\\^]", "^", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(name).unwrap(), expected, "{pattern} {name}");
        }
    }
}
