//! Tells literal values from values that contain templates.

use convoy_protocol::{Kind, Taint, Value};

/// Returns whether `value` is text that contains a template.
pub(super) fn is_template(value: &Value) -> bool {
    !value.taint.is_unsafe() && value.as_str().is_some_and(has_delimiter)
}

/// Returns whether `value`, or an element of it, is text that contains a template.
pub(super) fn contains_template(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => items.iter().any(contains_template),
        Kind::Map(map) => {
            map.iter().any(|(key, value)| key.as_str().is_some_and(has_delimiter) || contains_template(value))
        }
        _ => is_template(value),
    }
}

/// Returns whether `text` contains the opening delimiter of a template.
pub(super) fn has_delimiter(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}

/// Returns the name of a play or task without the taint of the file it is from: names are shown even if the file is
/// encrypted. Secrets that templates in the name refer to stay secret.
pub(super) fn title(name: Value) -> Value {
    Value { taint: name.taint.without(Taint::SECRET), ..name }
}
