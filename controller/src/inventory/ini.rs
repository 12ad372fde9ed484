//! Inventories in Ansible's INI dialect: which sections there are, and what their lines mean. [`crate::text::ini`] reads the
//! lines.

use std::sync::Arc;

use convoy_protocol::{Key, Origin, Taint, Value};
use indexmap::IndexMap;

use super::model::Inventory;
use super::{address, literal, words};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::text::ini::{self, Line};

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Hosts,
    Vars,
    Children,
}

/// A group that is named before it is defined, or never defined.
struct Pending {
    at: Arc<Origin>,
    section: Section,
    parents: Vec<Arc<str>>,
}

/// Reads the inventory `text` of `file` into `inventory`; all values get `taint`.
pub(super) fn read(
    inventory: &mut Inventory,
    file: &str,
    text: &str,
    taint: Taint,
) -> Result<(), Diagnostic> {
    let mut reader = Reader {
        inventory,
        file: file.into(),
        taint,
        pending: IndexMap::new(),
        group: "ungrouped".into(),
        section: Section::Hosts,
    };
    for line in ini::lines(text, false) {
        reader.line(line)?;
    }
    reader.finish()
}

struct Reader<'i> {
    inventory: &'i mut Inventory,
    file: Arc<str>,
    taint: Taint,
    pending: IndexMap<Arc<str>, Pending>,
    group: Arc<str>,
    section: Section,
}

impl Reader<'_> {
    fn line(&mut self, line: Line<'_>) -> Result<(), Diagnostic> {
        let text = line.text;
        let at = line.place.origin(&self.file);
        if let Some((name, kind)) = section(text) {
            return self.header(name, kind, at);
        }
        if text.starts_with('[') && text.ends_with(']') {
            return Err(Diagnostic::user(format!("`{text}` is not a section")).at(at).hint(Some(
                "write `[group]`, `[group:vars]` or `[group:children]`, without spaces".to_owned(),
            )));
        }
        match self.section {
            Section::Hosts => self.hosts(line),
            Section::Vars => self.variable(text, &at),
            Section::Children => self.child(text, at),
        }
    }

    fn header(&mut self, name: &str, kind: Option<&str>, at: Arc<Origin>) -> Result<(), Diagnostic> {
        self.section = match kind {
            None | Some("hosts") => Section::Hosts,
            Some("vars") => Section::Vars,
            Some("children") => Section::Children,
            Some(other) => {
                return Err(Diagnostic::user(format!("section [{name}:{other}] has unknown type: {other}"))
                    .at(at)
                    .hint(did_you_mean(other, ["hosts", "vars", "children"])));
            }
        };
        let known = self.inventory.group(name).is_some();
        self.group = self.inventory.add_group(name)?;
        if self.section != Section::Vars {
            match self.pending.get(&self.group).map(|pending| pending.section) {
                Some(Section::Children) => self.adopt(&self.group.clone())?,
                Some(_) => drop(self.pending.shift_remove(&self.group)),
                None => {}
            }
        } else if !known && !self.pending.contains_key(&self.group) {
            let pending = Pending { at, section: Section::Vars, parents: Vec::new() };
            self.pending.insert(self.group.clone(), pending);
        }
        Ok(())
    }

    /// Adds a group that is now defined to the groups that named it as a child.
    fn adopt(&mut self, group: &Arc<str>) -> Result<(), Diagnostic> {
        let Some(pending) = self.pending.shift_remove(group) else { return Ok(()) };
        for parent in pending.parents {
            self.inventory.add_child(&parent, group).map_err(|error| error.at(pending.at.clone()))?;
        }
        Ok(())
    }

    fn hosts(&mut self, line: Line<'_>) -> Result<(), Diagnostic> {
        let at = |offset: usize| line.place.after(offset).origin(&self.file);
        let words = words::split(line.text).map_err(|(offset, why)| Diagnostic::user(why).at(at(offset)))?;
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        let (names, port) = address::expand(&first.text).map_err(|why| Diagnostic::user(why).at(at(0)))?;
        let mut variables = Vec::new();
        for word in rest {
            let at = at(word.column);
            let Some((key, value)) = word.text.split_once('=') else {
                return Err(Diagnostic::user(format!("`{}` is not key=value", word.text))
                    .at(at)
                    .hint(Some("variables follow the host; quote a value that has spaces".to_owned())));
            };
            variables.push((Key::from(key), literal::value(value).at(at).tainted(self.taint)));
        }
        for name in names {
            let host = self.inventory.add_host(&name, Some(&self.group), port)?;
            for (key, value) in &variables {
                self.inventory.set_host_var(&host, key.clone(), value.clone());
            }
        }
        Ok(())
    }

    fn variable(&mut self, text: &str, at: &Arc<Origin>) -> Result<(), Diagnostic> {
        let Some((key, value)) = ini::entry(text, &['=']) else {
            return Err(Diagnostic::user(format!("`{text}` is not key=value")).at(at.clone()));
        };
        let value: Value = literal::value(value).at(at.clone()).tainted(self.taint);
        self.inventory.set_group_var(&self.group, Key::from(key), value)
    }

    fn child(&mut self, text: &str, at: Arc<Origin>) -> Result<(), Diagnostic> {
        let name = text.split('#').next().unwrap_or_default().trim_end();
        if name.is_empty() || name.contains([':', ']']) || name.contains(char::is_whitespace) {
            return Err(Diagnostic::user(format!("`{text}` is not a group name")).at(at));
        }
        if self.inventory.group(name).is_some() {
            return self.inventory.add_child(&self.group, name).map(drop).map_err(|error| error.at(at));
        }
        let new = Pending { at, section: Section::Children, parents: Vec::new() };
        self.pending.entry(name.into()).or_insert(new).parents.push(self.group.clone());
        Ok(())
    }

    fn finish(self) -> Result<(), Diagnostic> {
        let Some((name, pending)) = self.pending.first() else { return Ok(()) };
        let hint = did_you_mean(
            name,
            self.inventory.groups.keys().filter(|known| *known != name).map(|known| &**known),
        );
        let what = match pending.section {
            Section::Children => {
                let parent = pending.parents.last().map_or("", |parent| &**parent);
                format!("section [{parent}:children] includes undefined group: {name}")
            }
            _ => format!("section [{name}:vars] not valid for undefined group: {name}"),
        };
        Err(Diagnostic::user(what).at(pending.at.clone()).hint(hint))
    }
}

/// Returns the group and the kind of a section if `line` is its header.
fn section(line: &str) -> Option<(&str, Option<&str>)> {
    let (inside, after) = ini::header(line)?;
    let after = after.trim_start();
    if inside.contains(char::is_whitespace) || !(after.is_empty() || after.starts_with('#')) {
        return None;
    }
    let (name, kind) = inside.split_once(':').map_or((inside, None), |(name, kind)| (name, Some(kind)));
    let word = |kind: &str| !kind.is_empty() && kind.chars().all(|c| c.is_alphanumeric() || c == '_');
    (!name.is_empty() && kind.is_none_or(word)).then_some((name, kind))
}
