//! What an operator decided about keys that nothing else decides.

use convoy_protocol::{Key, Kind, Map, Value};

use crate::failure::Failure;
use crate::formats::toml::{KeyPath, Part};

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// The old file's value.
    Mine,
    /// The new default.
    New,
    /// Neither.
    Value(Value),
}

/// The answers, by key.
#[derive(Debug, Default)]
pub struct Answers(Vec<(String, KeyPath, Answer)>);

impl Answers {
    /// Reads the argument `decisions`.
    ///
    /// # Errors
    /// If a key is none, or an answer is misspelt.
    pub fn read(map: Option<&Map>) -> Result<Self, Failure> {
        let read = |(key, value): (&Key, &Value)| {
            let name = key.to_string();
            let path = KeyPath::parse(&name).map_err(|error| Failure::new(format!("decisions: {error}")))?;
            let answer = answer(value).ok_or_else(|| {
                let said = value.as_str().map_or(value.kind_name().to_owned(), |text| format!("`{text}`"));
                Failure::new(format!(
                    "decisions: {name}: {said} is no answer: write mine, new, or a map with the key `value`"
                ))
            })?;
            Ok((name, path, answer))
        };
        map.into_iter().flatten().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the answer for a key, or for a table that it is in: the nearest one.
    pub(super) fn find(&self, key: &KeyPath) -> Option<(usize, &Answer)> {
        let fits = |(_, (_, path, answer)): &(usize, &(String, KeyPath, Answer))| {
            is_within(key, path) && (path.0.len() == key.0.len() || !matches!(answer, Answer::Value(_)))
        };
        let nearest = self.0.iter().enumerate().filter(fits).max_by_key(|(_, (_, path, _))| path.0.len());
        nearest.map(|(at, (_, _, answer))| (at, answer))
    }

    /// Returns the keys of those that were not needed.
    pub(super) fn unused(&self, used: &[usize]) -> Vec<String> {
        self.0
            .iter()
            .enumerate()
            .filter(|(at, _)| !used.contains(at))
            .map(|(_, (name, ..))| name.clone())
            .collect()
    }
}

fn answer(value: &Value) -> Option<Answer> {
    match &value.kind {
        Kind::Text(text) => match text.as_ref() {
            "mine" => Some(Answer::Mine),
            "new" => Some(Answer::New),
            _ => None,
        },
        Kind::Map(map) if map.len() == 1 => {
            map.get("value").filter(|value| !value.is_null()).cloned().map(Answer::Value)
        }
        _ => None,
    }
}

fn is_within(key: &KeyPath, table: &KeyPath) -> bool {
    let same = |(a, b): (&Part, &Part)| match (a, b) {
        (Part::Where(key, value), Part::Where(other, theirs)) => {
            key == other && super::dialect::equivalent(value, theirs)
        }
        _ => a == b,
    };
    key.0.len() >= table.0.len() && key.0.iter().zip(&table.0).all(same)
}
