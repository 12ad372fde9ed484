//! What modules are told that a TOML file shall hold.

use convoy_protocol::{Key, Kind, Map, Value};

use super::error::TomlError;
use super::{KeyPath, Merge, Part, Toml};
use crate::args::{Arg, Tainted};
use crate::failure::Failure;

crate::arguments! {
    /// Parameters of all modules that edit a TOML file.
    pub struct EditArgs {
        /// Keys with the values they shall have, set in this order. A map is merged into the table that is there.
        set: Option<Map>,
        /// More of the same, as TOML.
        content: Option<Tainted<String>>,
        /// Keys that shall not be there: values, tables with all within them, or tables of a list.
        remove: Vec<String>,
        /// Tables behind which no new table is put.
        keep_last: Vec<String>,
    }
}

impl EditArgs {
    /// Returns whether nothing is to be edited.
    pub fn is_empty(&self) -> bool {
        self.set.is_none() && self.content.is_none() && self.remove.is_empty()
    }

    /// Returns how tables are merged, those of lists as `known_by` says, with keys named from `table`.
    ///
    /// # Errors
    /// If a key is none.
    pub fn merge(&self, known_by: Option<&Map>, table: &KeyPath) -> Result<Merge, Failure> {
        let read = |(list, key): (&Key, &Value)| {
            let list = KeyPath::parse(&list.to_string()).map_err(of_task)?;
            let key = String::convert(key).map_err(|why| Failure::new(format!("known_by: {why}")))?;
            Ok((table.join(&list), key))
        };
        let known_by = known_by.into_iter().flatten().map(read).collect::<Result<_, Failure>>()?;
        Ok(Merge { keep_last: self.keep_last.clone(), known_by })
    }

    /// Does all that is asked for below `table`, `fragments` of TOML among it; returns what was given as secret.
    ///
    /// # Errors
    /// If a fragment is no TOML, or a key cannot be removed or set.
    pub fn apply(
        &self,
        table: &KeyPath,
        merge: &Merge,
        mut fragments: Vec<Tainted<String>>,
        toml: &mut Toml,
    ) -> Result<Vec<KeyPath>, Failure> {
        self.remove(table, toml)?;
        let mut secret = Vec::new();
        let mut set = |path: &KeyPath, value: &Value| {
            secrets(path, value, merge, &mut secret);
            toml.set(path, value, merge).map_err(of_task)
        };
        fragments.extend(self.content.clone());
        for Tainted { value: text, taint } in fragments {
            let fragment =
                Toml::parse(text).map_err(|error| Failure::new(format!("what is to be merged: {error}")))?;
            set(table, &fragment.data().tainted(taint))?;
        }
        for (key, value) in self.set.iter().flatten() {
            let key = KeyPath::parse(&key.to_string()).map_err(of_task)?;
            set(&table.join(&key), value)?;
        }
        Ok(secret)
    }

    fn remove(&self, table: &KeyPath, toml: &mut Toml) -> Result<(), Failure> {
        for name in &self.remove {
            let path = KeyPath::parse(name).map_err(of_task)?;
            if matches!(path.0.last(), Some(Part::Index(_))) {
                return Err(Failure::new(format!(
                    "remove: {name} is named by its place, where the next run would find another: name it by a key, or \
                     set the whole list"
                )));
            }
            toml.remove(&table.join(&path)).map_err(of_task)?;
        }
        Ok(())
    }
}

/// Tells what is wrong with a key of a task.
pub fn of_task(error: TomlError) -> Failure {
    Failure::new(error.to_string())
}

/// Collects the places of what is secret in a value.
fn secrets(path: &KeyPath, value: &Value, merge: &Merge, found: &mut Vec<KeyPath>) {
    match &value.kind {
        Kind::Map(map) => {
            map.iter().for_each(|(key, value)| secrets(&path.child(&key.to_string()), value, merge, found));
        }
        Kind::List(items) if merge.known_by(path).is_some() => {
            let key = merge.known_by(path).unwrap_or_default();
            for (item, id) in items.iter().filter_map(|item| Some((item, item.get(key)?))) {
                secrets(&path.with(Part::Where(key.to_owned(), id.clone())), item, merge, found);
            }
        }
        _ if value.deep_taint().is_secret() => found.push(path.clone()),
        _ => {}
    }
}
