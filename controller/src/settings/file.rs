//! `ansible.cfg`: sections of keys, as Python's `configparser` reads them for Ansible.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::Origin;
use indexmap::IndexMap;

use super::entry::{Entry, RawSetting, Source};
use crate::diagnostic::Diagnostic;
use crate::secrets::Vault;
use crate::source_file::SourceFile;
use crate::text::ini;

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
        let SourceFile { name, text, .. } = SourceFile::read(path, &Vault::default())?;
        let name: Arc<str> = name.into();
        let options = ini::Options { inline_comments: true, fold_keys: true, ..ini::Options::default() };
        let sections = ini::sections(&text, &options).map_err(|error| diagnostic(error, &name))?;
        let line =
            |entry: ini::Entry| Line { text: entry.value.unwrap_or_default(), at: entry.place.origin(&name) };
        let sections = sections.into_iter().map(|(section, keys)| {
            (section, keys.into_iter().map(|(key, entry)| (key, line(entry))).collect())
        });
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { folder, sections: sections.collect() })
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

fn diagnostic(error: ini::Error<'_>, file: &Arc<str>) -> Diagnostic {
    let at = |line: ini::Line<'_>| line.place.origin(file);
    match error {
        ini::Error::NoSection(line) => Diagnostic::user("a setting before the first section")
            .at(at(line))
            .hint("begin the file with `[defaults]`".to_owned()),
        ini::Error::NotAnEntry(line) => {
            Diagnostic::user(format!("`{}` is not key = value", line.text)).at(at(line))
        }
        ini::Error::Duplicate { line, first, key, .. } => {
            Diagnostic::user(format!("`{key}` is already set in line {}", first.line)).at(at(line))
        }
    }
}
