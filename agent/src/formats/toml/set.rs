//! Values are set, tables merged.

use std::ops::Range;

use convoy_protocol::{Key, Kind, Map, Value};
use toml_edit::{Item, Value as Written};

use super::error::TomlError;
use super::flat::is_tables;
use super::layout::{Step, last_value};
use super::value::key_text;
use super::walk::{Container, Node, Walk};
use super::{KeyPath, Part, Toml, data, value_text};

/// How tables are merged.
#[derive(Debug, Clone, Default)]
pub struct Merge {
    /// Tables at the root behind which no new table goes.
    pub keep_last: Vec<String>,
    /// The key by which the tables of a list are known, for each list.
    pub known_by: Vec<(KeyPath, String)>,
}

impl Merge {
    /// Returns the key by which the tables of a list are known.
    pub fn known_by(&self, list: &KeyPath) -> Option<&str> {
        let keys = list.0.iter().filter(|part| matches!(part, Part::Key(_)));
        let known = self.known_by.iter().find(|(known, _)| known.0.iter().eq(keys.clone()));
        known.map(|(_, key)| key.as_str())
    }
}

/// What is to be done about a value, decided while the file is looked at.
enum Edit {
    /// It is there.
    Nothing,
    /// Another value takes this place.
    Replace(Range<usize>),
    /// A map, key by key.
    Each,
    /// A table without values.
    EmptyTable(Vec<Step>),
    /// A list of maps, where there are so many tables.
    Tables(usize),
    /// One more table in this list, known by a key, before anything can be set in it.
    Element(KeyPath, String, Value),
    /// An entry in braces.
    Entry(Range<usize>, Vec<String>),
    /// A line under a header; after a place, if not at the end.
    Line(Vec<Step>, Option<Range<usize>>, Vec<String>),
    /// A line under a header that must be made.
    Table(Vec<Step>, String),
}

impl Toml {
    /// Sees to it that `path` has `value`. A map is merged into the table that is there; a list of maps becomes the tables
    /// of a list, or is merged with them where [`Merge::known_by`] says how they are known.
    ///
    /// # Errors
    /// If something else stands in its place, or TOML has no such value.
    pub fn set(&mut self, path: &KeyPath, value: &Value, merge: &Merge) -> Result<(), TomlError> {
        self.set_written(path, value, None, merge)
    }

    /// As [`Toml::set`]; a value that is neither a map nor a list of maps is written as in `text`, if that is given.
    ///
    /// # Errors
    /// As [`Toml::set`].
    pub fn set_written(
        &mut self,
        path: &KeyPath,
        value: &Value,
        text: Option<&str>,
        merge: &Merge,
    ) -> Result<(), TomlError> {
        let text = text.map(|text| text.replace("\r\n", "\n").replace('\n', self.newline()));
        // Line ends within a text are a part of it.
        let text = text.filter(|text| text.parse().is_ok_and(|there| data(&Item::Value(there)) == *value));
        let in_text = || text.clone().map_or_else(|| in_text(path, value), Ok);
        let line = |keys: &[String]| -> Result<String, TomlError> {
            let keys: Vec<String> = keys.iter().map(|key| key_text(key)).collect();
            Ok(format!("{} = {}", keys.join("."), in_text()?))
        };
        match self.decide(path, value)? {
            Edit::Nothing => Ok(()),
            Edit::Replace(range) => self.splice(range, &in_text()?),
            Edit::Each => self.merge_map(path, value, merge),
            Edit::EmptyTable(steps) => self.insert_table(&steps, false, &[], &merge.keep_last),
            Edit::Tables(count) => self.merge_tables(path, value, count, merge),
            Edit::Element(list, key, id) => {
                self.add_element(&list, key, id, merge)?;
                self.set_written(path, value, text.as_deref(), merge)
            }
            Edit::Entry(range, keys) => self.insert_entry(range, &line(&keys)?),
            Edit::Line(steps, after, keys) => self.insert_line(&steps, after, &line(&keys)?),
            Edit::Table(steps, key) => self.insert_table(&steps, false, &[line(&[key])?], &merge.keep_last),
        }
    }

    fn decide(&self, path: &KeyPath, value: &Value) -> Result<Edit, TomlError> {
        let walk = self.walk(path)?;
        if !walk.rest.is_empty() {
            return missing(&walk, path, value);
        }
        let wants_table = value.as_map().is_some();
        Ok(match walk.node {
            Node::Table(_) | Node::Value(Written::InlineTable(_)) if wants_table => Edit::Each,
            Node::Tables(tables) if is_tables(value) => Edit::Tables(tables.len()),
            Node::Tables(tables) if wants_table => {
                return Err(TomlError::WhichTable { key: path.to_string(), count: tables.len() });
            }
            Node::Value(_) if wants_table => {
                return Err(TomlError::NotATable { key: path.to_string(), found: walk.node.name() });
            }
            Node::Table(_) | Node::Tables(_) | Node::Value(Written::InlineTable(_)) => {
                return Err(TomlError::NotAValue { key: path.to_string(), found: walk.node.name() });
            }
            Node::Value(there) if data(&Item::Value(there.clone())) == *value => Edit::Nothing,
            Node::Value(there) => Edit::Replace(there.span().unwrap_or_default()),
        })
    }

    fn merge_map(&mut self, path: &KeyPath, value: &Value, merge: &Merge) -> Result<(), TomlError> {
        let Some(map) = value.as_map() else { return Ok(()) };
        // Values first: they belong under the table's own header, which the first of them may have to make.
        let is_table = |value: &Value| value.as_map().is_some() || is_tables(value);
        for tables in [false, true] {
            for (key, value) in map.iter().filter(|(_, value)| is_table(value) == tables) {
                self.set(&path.child(&key.to_string()), value, merge)?;
            }
        }
        Ok(())
    }

    fn merge_tables(
        &mut self,
        path: &KeyPath,
        value: &Value,
        count: usize,
        merge: &Merge,
    ) -> Result<(), TomlError> {
        let wanted = value.as_list().unwrap_or_default();
        if let Some(key) = merge.known_by(path) {
            for element in wanted {
                let Some(id) = element.get(key) else {
                    return Err(TomlError::NoId { key: path.to_string(), id: key.to_owned() });
                };
                self.set(&path.with(Part::Where(key.to_owned(), id.clone())), element, merge)?;
            }
            return Ok(());
        }
        for surplus in (wanted.len()..count).rev() {
            self.remove(&path.with(Part::Index(surplus)))?;
        }
        for (index, element) in wanted.iter().enumerate() {
            let place = path.with(Part::Index(index));
            if index < count {
                self.remove_others(&place, element)?;
                self.set(&place, element, merge)?;
            } else {
                self.add_table(path, element, index, merge)?;
            }
        }
        Ok(())
    }

    /// Removes what stands at `path` and is not in `wanted`.
    fn remove_others(&mut self, path: &KeyPath, wanted: &Value) -> Result<(), TomlError> {
        let Some(Value { kind: Kind::Map(there), .. }) = self.get(path)? else { return Ok(()) };
        for (key, value) in there.iter() {
            let place = path.child(&key.to_string());
            match wanted.as_map().and_then(|map| map.get(key)) {
                None => self.remove(&place)?,
                Some(inner) if inner.as_map().is_some() && value.as_map().is_some() => {
                    self.remove_others(&place, inner)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Adds one table to a list of tables, which it may be the first of.
    fn add_table(
        &mut self,
        path: &KeyPath,
        element: &Value,
        index: usize,
        merge: &Merge,
    ) -> Result<(), TomlError> {
        let empty = Map::new();
        let (tables, values): (Vec<_>, Vec<_>) = element
            .as_map()
            .unwrap_or(&empty)
            .iter()
            .partition(|(_, value)| value.as_map().is_some() || is_tables(value));
        let line = |(key, value): (&Key, &Value)| {
            Ok(format!("{} = {}", key_text(&key.to_string()), in_text(path, value)?))
        };
        let lines = values.into_iter().map(line).collect::<Result<Vec<_>, TomlError>>()?;
        let walk = self.walk(path)?;
        let steps = with_keys(&walk.steps, &names(walk.rest));
        self.insert_table(&steps, true, &lines, &merge.keep_last)?;
        for (key, value) in tables {
            self.set(&path.with(Part::Index(index)).child(&key.to_string()), value, merge)?;
        }
        Ok(())
    }

    /// Adds a table that is known by `key` to a list.
    fn add_element(
        &mut self,
        list: &KeyPath,
        key: String,
        id: Value,
        merge: &Merge,
    ) -> Result<(), TomlError> {
        let element: Map = [(Key::from(key.as_str()), id)].into_iter().collect();
        let element = Value::from(element);
        let walk = self.walk(list)?;
        match walk.node {
            // The list itself must be made first, whose tables cannot be looked for by their key yet.
            _ if !walk.rest.is_empty() => {
                let exact = Merge { keep_last: merge.keep_last.clone(), known_by: Vec::new() };
                self.set(list, &vec![element].into(), &exact)
            }
            Node::Value(Written::Array(items)) => {
                let text = in_text(list, &element)?;
                match (items.iter().last().and_then(Written::span), items.span()) {
                    (Some(last), _) => self.splice(last.end..last.end, &format!(", {text}")),
                    (None, range) => self.splice(range.unwrap_or_default(), &format!("[{text}]")),
                }
            }
            Node::Tables(tables) => {
                let count = tables.len();
                self.add_table(list, &element, count, merge)
            }
            node => Err(TomlError::NotAList { key: list.to_string(), found: node.name() }),
        }
    }

    /// Returns the name of a place by keys and places in lists alone; none if nothing is there.
    ///
    /// # Errors
    /// As [`Toml::set`].
    pub fn place(&self, path: &KeyPath) -> Result<Option<KeyPath>, TomlError> {
        let walk = self.walk(path)?;
        let part = |step: &Step| match step {
            Step::Key(key) => Part::Key(key.clone()),
            Step::Index(index) => Part::Index(*index),
        };
        Ok(walk.rest.is_empty().then(|| KeyPath(walk.steps.iter().map(part).collect())))
    }

    /// Returns the value at `path` as it is written.
    pub fn written(&self, path: &KeyPath) -> Option<&str> {
        match self.walk(path).ok()? {
            Walk { node: Node::Value(value), rest: [], .. } => self.text.get(value.span()?),
            _ => None,
        }
    }

    /// Returns what stands at `path`.
    ///
    /// # Errors
    /// As [`Toml::set`].
    pub fn get(&self, path: &KeyPath) -> Result<Option<Value>, TomlError> {
        let walk = self.walk(path)?;
        if !walk.rest.is_empty() {
            return Ok(None);
        }
        Ok(Some(match walk.node {
            Node::Table(table) => data(&Item::Table(table.clone())),
            Node::Tables(tables) => data(&Item::ArrayOfTables(tables.clone())),
            Node::Value(value) => data(&Item::Value(value.clone())),
        }))
    }
}

/// Decides how something that is not there is written.
fn missing(walk: &Walk<'_, '_>, path: &KeyPath, value: &Value) -> Result<Edit, TomlError> {
    let taken = path.0.len() - walk.rest.len();
    for (at, part) in walk.rest.iter().enumerate() {
        let list = || KeyPath(path.0[..taken + at].to_vec());
        match part {
            Part::Key(_) => {}
            Part::Where(key, id) => return Ok(Edit::Element(list(), key.clone(), id.clone())),
            Part::Index(index) => {
                return Err(TomlError::NoElement { key: list().to_string(), index: *index });
            }
        }
    }
    let mut keys = names(walk.rest);
    let dotted = || walk.dotted.iter().cloned().chain(keys.iter().cloned()).collect::<Vec<_>>();
    let steps = match &walk.container {
        Container::Inline(range) => return Ok(Edit::Entry(range.clone(), dotted())),
        Container::Header(steps) | Container::Implicit(steps) => steps,
    };
    if !walk.dotted.is_empty() {
        let Node::Table(table) = walk.node else { return Ok(Edit::Nothing) };
        return Ok(Edit::Line(steps.clone(), last_value(table), dotted()));
    }
    match value.as_map() {
        Some(map) if map.is_empty() => return Ok(Edit::EmptyTable(with_keys(steps, &keys))),
        Some(_) => return Ok(Edit::Each),
        None if is_tables(value) => return Ok(Edit::Tables(0)),
        None => {}
    }
    if keys.len() == 1 && matches!(walk.container, Container::Header(_)) {
        return Ok(Edit::Line(steps.clone(), None, keys));
    }
    let last = keys.pop().unwrap_or_default();
    Ok(Edit::Table(with_keys(steps, &keys), last))
}

fn names(parts: &[Part]) -> Vec<String> {
    parts
        .iter()
        .filter_map(|part| match part {
            Part::Key(key) => Some(key.clone()),
            _ => None,
        })
        .collect()
}

fn with_keys(steps: &[Step], keys: &[String]) -> Vec<Step> {
    steps.iter().cloned().chain(keys.iter().cloned().map(Step::Key)).collect()
}

fn in_text(path: &KeyPath, value: &Value) -> Result<String, TomlError> {
    value_text(value).map_err(|what| TomlError::NoSuchValue { key: path.to_string(), what })
}
