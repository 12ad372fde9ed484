//! How a format compares and writes values.

use convoy_protocol::{Kind, Value};

/// What is particular to a format.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Returns whether two values mean the same, however they are written.
    pub equivalent: fn(&Value, &Value) -> bool,
    /// Returns a value as a user writes it.
    pub display: fn(&Value) -> String,
}

impl Dialect {
    pub(super) fn same(&self, a: Option<&Value>, b: Option<&Value>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => (self.equivalent)(a, b),
            _ => false,
        }
    }
}

/// Returns whether two values are equal but for how they are written: `3` and `"3"` are.
pub fn equivalent(a: &Value, b: &Value) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equivalent(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equivalent(a, b)))
        }
        _ => a == b || scalar_text(a).is_some_and(|text| Some(text) == scalar_text(b)),
    }
}

/// Returns the text of a value that is neither a list nor a map.
pub fn scalar_text(value: &Value) -> Option<String> {
    match &value.kind {
        Kind::Text(text) => Some(text.to_string()),
        Kind::Bool(truth) => Some(truth.to_string()),
        Kind::Int(number) => Some(number.to_string()),
        Kind::Float(number) => Some(format!("{number:?}")),
        _ => None,
    }
}
