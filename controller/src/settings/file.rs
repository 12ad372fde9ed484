//! `ansible.cfg`: sections of keys, as Python's `configparser` reads them for Ansible.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::Origin;
use indexmap::IndexMap;

use super::entry::{Entry, RawSetting, Source};
use crate::diagnostic::Diagnostic;
use crate::secrets::Vault;
use crate::yaml;

/// A key of the file.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) at: Arc<Origin>,
}

/// The file, read.
#[derive(Debug, Default)]
pub(super) struct File {
    folder: PathBuf,
    pub(super) sections: IndexMap<String, IndexMap<String, Line>>,
}

impl File {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Diagnostic> {
        // Before there are settings there are no passwords.
        let yaml::Source { name, text, .. } = yaml::Source::of(path, &Vault::default())?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut file = Self { folder, sections: IndexMap::new() };
        let mut section: Option<String> = None;
        let mut last: Option<String> = None;
        for (number, raw) in text.lines().enumerate() {
            let indent = raw.chars().take_while(|c| c.is_whitespace()).count();
            let at = |column: usize| {
                let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
                Arc::new(Origin { file: name.as_str().into(), line: count(number), column: count(column) })
            };
            let line = without_comment(raw).trim();
            if line.is_empty() {
                continue;
            }
            let known = section.as_ref().and_then(|section| file.sections.get_mut(section));
            // A line that is indented goes on with the value before it.
            if indent > 0
                && let (Some(keys), Some(last)) = (known, &last)
            {
                if let Some(line_before) = keys.get_mut(last) {
                    line_before.text.push('\n');
                    line_before.text.push_str(line);
                }
                continue;
            }
            if let Some(name) =
                line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
            {
                file.sections.entry(name.to_owned()).or_default();
                section = Some(name.to_owned());
                last = None;
                continue;
            }
            let Some(keys) = section.as_ref().and_then(|section| file.sections.get_mut(section)) else {
                return Err(Diagnostic::user("a setting before the first section")
                    .at(at(indent))
                    .hint("begin the file with `[defaults]`".to_owned()));
            };
            let Some((key, value)) = line.split_once(['=', ':']) else {
                return Err(Diagnostic::user(format!("`{line}` is not key = value")).at(at(indent)));
            };
            let key = key.trim().to_lowercase();
            let line = Line { text: value.trim().to_owned(), at: at(indent) };
            if let Some(first) = keys.get(&key) {
                let what = format!("`{key}` stands here a second time, after line {}", first.at.line);
                return Err(Diagnostic::user(what).at(line.at));
            }
            last = Some(key.clone());
            keys.insert(key, line);
        }
        Ok(file)
    }

    /// Returns what the file says of a setting.
    pub(super) fn find(&self, entry: &Entry) -> Option<RawSetting> {
        entry.keys.iter().rev().find_map(|key| {
            let (section, key) = key.split_once('.')?;
            let line = self.sections.get(section)?.get(key)?;
            Some(RawSetting {
                text: line.text.clone(),
                source: Source::File(line.at.clone()),
                base: self.folder.clone(),
            })
        })
    }
}

/// Takes away a comment: a line that begins with `#` or `;`, and all after a `;` that follows a blank.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let inline = line.match_indices(';').find(|(at, _)| line[..*at].ends_with(char::is_whitespace));
    inline.map_or(line, |(at, _)| &line[..at])
}
