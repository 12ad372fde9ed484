//! How a format compares and writes values.

use convoy_protocol::{Kind, Value};

/// What is particular to a format.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Returns whether two values mean the same, however they are written.
    pub alike: fn(&Value, &Value) -> bool,
    /// Returns a value as a user writes it.
    pub shown: fn(&Value) -> String,
}

impl Manner {
    pub(super) fn same(&self, a: Option<&Value>, b: Option<&Value>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => (self.alike)(a, b),
            _ => false,
        }
    }
}

/// Returns whether two values are equal but for how they are written: `3` and `"3"` are.
pub fn alike(a: &Value, b: &Value) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| alike(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        _ => a == b || plain(a).is_some_and(|text| Some(text) == plain(b)),
    }
}

/// Returns the text of a value that is neither a list nor a map.
pub fn plain(value: &Value) -> Option<String> {
    match &value.kind {
        Kind::Text(text) => Some(text.to_string()),
        Kind::Bool(truth) => Some(truth.to_string()),
        Kind::Int(number) => Some(number.to_string()),
        Kind::Float(number) => Some(format!("{number:?}")),
        _ => None,
    }
}
