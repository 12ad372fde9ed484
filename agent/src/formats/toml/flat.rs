//! What is different between two states of a file, key by key.

use convoy_protocol::{Kind, Value};

use super::{KeyPath, Part, value_text};
use crate::key_changes::{self, KeyChange};

/// Returns the keys that differ, in the order of the later state, those that are gone at the end.
pub fn changes(before: &Value, after: &Value) -> Vec<KeyChange> {
    let (old, new) = (flat(before), flat(after));
    let mut changes = key_changes::between(&old, &new);
    // A table without values that has got some, or has lost its last, is no change of its own.
    changes.retain(|change| {
        let within = format!("{}.", change.key);
        let is_filled = |all: &[(String, String)]| all.iter().any(|(key, _)| key.starts_with(&within));
        match (change.before.as_deref(), change.after.as_deref()) {
            (Some("{}"), None) => !is_filled(&new),
            (None, Some("{}")) => !is_filled(&old),
            _ => true,
        }
    });
    changes
}

fn flat(value: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    flatten(&KeyPath::default(), value, &mut all);
    all
}

fn flatten(path: &KeyPath, value: &Value, all: &mut Vec<(String, String)>) {
    match &value.kind {
        Kind::Map(map) if !map.is_empty() => {
            for (key, value) in map.iter() {
                flatten(&path.child(&key.to_string()), value, all);
            }
        }
        Kind::List(items) if is_tables(value) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&path.with(Part::Index(index)), item, all);
            }
        }
        _ if path.0.is_empty() => {}
        _ => all.push((path.to_string(), value_text(value).unwrap_or_default())),
    }
}

/// Returns whether a value is what TOML has lists of tables for.
pub(crate) fn is_tables(value: &Value) -> bool {
    value.as_list().is_some_and(|items| !items.is_empty() && items.iter().all(|item| item.as_map().is_some()))
}
