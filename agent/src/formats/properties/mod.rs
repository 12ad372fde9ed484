//! Java's `.properties` files, edited in place: what is not asked for stays as it is, byte for byte.
//!
//! The format is that of `java.util.Properties.load`: keys end at `=`, `:` or white space, `#` and `!` begin comments, a
//! backslash escapes and carries a line on. Of a key that stands twice the last counts.

mod text;

use std::ops::Range;

pub use text::{decoded, encoded};

use text::{escaped_key, escaped_value, unescaped};

/// A key with its value, and where both stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, without escapes.
    pub key: String,
    /// The value, without escapes.
    pub value: String,
    /// The lines, with their last line end.
    lines: Range<usize>,
    /// What stands between key and value.
    separator: Range<usize>,
    /// The value as written.
    written: Range<usize>,
}

/// The text of a file and what stands where in it.
#[derive(Debug, Clone)]
pub struct Properties {
    text: String,
    entries: Vec<Entry>,
}

impl Properties {
    /// Reads a text. Every text is a file of properties.
    pub fn parse(text: String) -> Self {
        let mut entries = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let lines = logical_line(&text, at);
            at = lines.end;
            entries.extend(entry(&text, lines));
        }
        Self { text, entries }
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns keys and values, each key once, in the order of the text.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for entry in &self.entries {
            match pairs.iter_mut().find(|(key, _)| *key == entry.key) {
                Some((_, value)) => value.clone_from(&entry.value),
                None => pairs.push((entry.key.clone(), entry.value.clone())),
            }
        }
        pairs
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.find(key).map(|entry| entry.value.as_str())
    }

    fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// Sees to it that a key has a value. A new one goes behind its nearest relatives: those whose names begin alike.
    pub fn set(&mut self, key: &str, value: &str) {
        match self.find(key) {
            Some(entry) if entry.value == value => {}
            Some(entry) => {
                let range = entry.written.clone();
                let is_bare = entry.separator.is_empty();
                self.splice(range, &format!("{}{}", if is_bare { "=" } else { "" }, escaped_value(value)));
            }
            None => self.add(key, value),
        }
    }

    fn add(&mut self, key: &str, value: &str) {
        let nearest = self.nearest(key);
        let like = nearest.or(self.entries.last());
        let separator = like.map_or("=", |entry| &self.text[entry.separator.clone()]);
        let separator = if separator.trim().is_empty() { "=" } else { separator };
        let line = format!("{}{separator}{}", escaped_key(key), escaped_value(value));
        let newline = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let at = nearest.map_or(self.text.len(), |entry| entry.lines.end);
        if at > 0 && !self.text[..at].ends_with('\n') {
            return self.splice(at..at, &format!("{newline}{line}"));
        }
        self.splice(at..at, &format!("{line}{newline}"));
    }

    /// Returns the last of the entries that have most of the dotted parts of `key` in common with it, if any has some.
    fn nearest(&self, key: &str) -> Option<&Entry> {
        let common =
            |entry: &Entry| entry.key.split('.').zip(key.split('.')).take_while(|(a, b)| a == b).count();
        // Of several equally near the last one counts.
        self.entries.iter().filter(|entry| common(entry) > 0).max_by_key(|entry| common(entry))
    }

    /// Removes a key, or with `*` at its end all keys that begin so.
    pub fn remove(&mut self, key: &str) {
        match key.strip_suffix('*') {
            Some(begin) => self.remove_entries(|entry| entry.key.starts_with(begin)),
            None => self.remove_key(key),
        }
    }

    /// Removes a key.
    pub fn remove_key(&mut self, key: &str) {
        self.remove_entries(|entry| entry.key == key);
    }

    fn remove_entries(&mut self, is_meant: impl Fn(&Entry) -> bool) {
        let lines: Vec<_> = self
            .entries
            .iter()
            .rev()
            .filter(|entry| is_meant(entry))
            .map(|entry| entry.lines.clone())
            .collect();
        let mut text = self.text.clone();
        lines.into_iter().for_each(|lines| text.replace_range(lines, ""));
        *self = Self::parse(text);
    }

    /// Sees to it that the list with commas under a key has a member.
    pub fn add_member(&mut self, key: &str, member: &str) {
        let Some(entry) = self.find(key).filter(|entry| !entry.value.trim().is_empty()) else {
            return self.set(key, member);
        };
        if members(&entry.value).any(|known| known == member) {
            return;
        }
        let end = entry.written.start + self.text[entry.written.clone()].trim_end().len();
        let comma = if entry.value.contains(',') && !entry.value.contains(", ") { "," } else { ", " };
        self.splice(end..end, &format!("{comma}{}", escaped_value(member)));
    }

    /// Sees to it that the list with commas under a key lacks a member.
    pub fn remove_member(&mut self, key: &str, member: &str) {
        let Some(entry) = self.find(key) else { return };
        let written = &self.text[entry.written.clone()];
        let mut pieces: Vec<&str> = written.split(',').collect();
        let Some(at) = pieces.iter().position(|piece| unescaped(piece).trim() == member) else { return };
        let removed = pieces.remove(at);
        // The next begins the list as the first did.
        let mut left = pieces.join(",");
        if at == 0 && !left.is_empty() {
            let indent = removed.len() - removed.trim_start().len();
            left = format!("{}{}", &removed[..indent], left.trim_start());
        }
        self.splice(entry.written.clone(), &left);
    }

    fn splice(&mut self, range: Range<usize>, with: &str) {
        let mut text = std::mem::take(&mut self.text);
        text.replace_range(range, with);
        *self = Self::parse(text);
    }
}

/// Returns the members of a list with commas.
pub fn members(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|member| !member.is_empty())
}

/// Returns the line at `start` with those that a backslash at its end carries on.
fn logical_line(text: &str, start: usize) -> Range<usize> {
    let mut end = start;
    let is_comment = text[start..].trim_start_matches([' ', '\t', '\u{c}']).starts_with(['#', '!']);
    loop {
        let line = text[end..].split_inclusive('\n').next().unwrap_or_default();
        end += line.len();
        let content = line.trim_end_matches(['\r', '\n']);
        let backslashes = content.len() - content.trim_end_matches('\\').len();
        if is_comment || backslashes.is_multiple_of(2) || end >= text.len() {
            return start..end;
        }
    }
}

/// Returns the entry of a logical line; none for comments and empty lines.
fn entry(text: &str, lines: Range<usize>) -> Option<Entry> {
    let line = text[lines.clone()].trim_end_matches(['\r', '\n']);
    let space = |c: char| matches!(c, ' ' | '\t' | '\u{c}');
    let begin = line.len() - line.trim_start_matches(space).len();
    if line[begin..].is_empty() || line[begin..].starts_with(['#', '!']) {
        return None;
    }
    let mut escaped = false;
    let mut key_end = line.len();
    for (at, c) in line[begin..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' | '\u{c}' => {
                key_end = begin + at;
                break;
            }
            _ => {}
        }
    }
    let rest = line[key_end..].trim_start_matches(space);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(space);
    let value_start = line.len() - rest.len();
    let at = |offset: usize| lines.start + offset;
    Some(Entry {
        key: unescaped(&line[begin..key_end]),
        value: unescaped(rest),
        separator: at(key_end)..at(value_start),
        written: at(value_start)..at(line.len()),
        lines,
    })
}

#[cfg(test)]
mod tests;
