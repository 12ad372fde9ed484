//! A file as a list of keys with their values.

use std::collections::{HashMap, HashSet};

use convoy_protocol::{Kind, Taint, Value};

use super::Pattern;
use crate::formats::properties::{Properties, members};
use crate::formats::toml::{KeyPath, Merge, Part, is_tables};

/// By what the members of a list with commas are known in a key path: `appenders[member="A"]`.
const MEMBER: &str = "member";

/// All keys of a file with their values, in its order. A table without keys is none.
#[derive(Debug, Clone, Default)]
pub struct Flat {
    keys: Vec<(KeyPath, Value)>,
    places: HashMap<String, usize>,
    /// Tables of lists whose tables are known by a key, as a whole.
    elements: Vec<(KeyPath, Value)>,
}

impl Flat {
    /// Takes keys that are unique.
    pub fn new(keys: Vec<(KeyPath, Value)>) -> Self {
        let places = keys.iter().enumerate().map(|(at, (key, _))| (key.to_string(), at)).collect();
        Self { keys, places, elements: Vec::new() }
    }

    /// Takes all keys in `data`. The tables of a list that `known` names have names of their own; any other list is a
    /// value.
    ///
    /// # Errors
    /// If a table lacks the key by which it is known, or two are known by the same.
    pub fn of_tables(data: &Value, known: &Merge) -> Result<Self, String> {
        let (mut keys, mut elements) = (Vec::new(), Vec::new());
        flatten(&KeyPath::default(), data, known, &mut keys, &mut elements)?;
        Ok(Self { elements, ..Self::new(keys) })
    }

    /// Takes all keys of `file`. Of those that `lists` names each member is a key of its own.
    pub fn of_properties(file: &Properties, lists: &[Pattern]) -> Self {
        let mut keys: Vec<(KeyPath, Value)> = Vec::new();
        for (key, value) in file.pairs() {
            let path = property_path(&key);
            if !lists.iter().any(|list| list.fits(&path)) {
                keys.push((path, value.into()));
                continue;
            }
            for member in members(&value) {
                let path = path.with(Part::Where(MEMBER.to_owned(), member.into()));
                if !keys.iter().any(|(known, _)| *known == path) {
                    keys.push((path, true.into()));
                }
            }
        }
        Self::new(keys)
    }

    /// Marks all values.
    #[must_use]
    pub fn tainted(self, taint: Taint) -> Self {
        let mark = |keys: Keys| keys.into_iter().map(|(key, value)| (key, value.tainted(taint))).collect();
        Self { keys: mark(self.keys), places: self.places, elements: mark(self.elements) }
    }

    /// Returns the value of a key, or the whole of a table that is known by a key.
    pub fn get(&self, key: &KeyPath) -> Option<&Value> {
        let place = self.places.get(&key.to_string()).and_then(|at| self.keys.get(*at));
        let element = || self.elements.iter().find(|(name, _)| name == key);
        place.or_else(element).map(|(_, value)| value)
    }

    /// Returns all keys with their values.
    pub fn keys(&self) -> &[(KeyPath, Value)] {
        &self.keys
    }

    /// Returns the tables that are known by a key, those within others behind these.
    pub(super) fn elements(&self) -> impl Iterator<Item = &KeyPath> {
        self.elements.iter().map(|(name, _)| name)
    }
}

/// Returns how a key of a `.properties` file is named.
pub fn property_path(key: &str) -> KeyPath {
    KeyPath(key.split('.').map(|part| Part::Key(part.to_owned())).collect())
}

/// Returns the key of a `.properties` file that a path names, and the member if it is one of a list.
pub fn property(path: &KeyPath) -> (String, Option<&str>) {
    let (mut keys, mut member) = (Vec::new(), None);
    for part in &path.0 {
        match part {
            Part::Key(key) => keys.push(key.as_str()),
            Part::Where(_, value) => member = value.as_str(),
            Part::Index(_) => {}
        }
    }
    (keys.join("."), member)
}

type Keys = Vec<(KeyPath, Value)>;

fn flatten(
    path: &KeyPath,
    value: &Value,
    known: &Merge,
    keys: &mut Keys,
    elements: &mut Keys,
) -> Result<(), String> {
    match &value.kind {
        Kind::Map(map) => {
            for (key, value) in map.iter() {
                flatten(&path.child(&key.to_string()), value, known, keys, elements)?;
            }
        }
        Kind::List(items) if is_tables(value) => match known.known_by(path) {
            Some(id) => tables(path, items, id, known, keys, elements)?,
            None => keys.push((path.clone(), value.clone())),
        },
        _ => keys.push((path.clone(), value.clone())),
    }
    Ok(())
}

fn tables(
    list: &KeyPath,
    items: &[Value],
    id: &str,
    known: &Merge,
    keys: &mut Keys,
    elements: &mut Keys,
) -> Result<(), String> {
    let mut seen = HashSet::new();
    for item in items {
        let Some(name) = item.get(id) else {
            return Err(format!("{list}: one of the tables has no `{id}`, by which they are known"));
        };
        let path = list.with(Part::Where(id.to_owned(), name.clone()));
        if !seen.insert(path.to_string()) {
            return Err(format!("{path} fits more than one table"));
        }
        elements.push((path.clone(), item.clone()));
        flatten(&path, item, known, keys, elements)?;
    }
    Ok(())
}
