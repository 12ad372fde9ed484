//! Whether a value is literal or holds templates.

use convoy_protocol::{Kind, Taint, Value};

/// Returns whether `value` is text with a template in it.
pub(super) fn is_template(value: &Value) -> bool {
    !value.taint.is_unsafe() && value.as_str().is_some_and(has_braces)
}

/// Returns whether `value`, or anything in it, is text with a template in it.
pub(super) fn holds_template(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => items.iter().any(holds_template),
        Kind::Map(map) => {
            map.iter().any(|(key, value)| key.as_str().is_some_and(has_braces) || holds_template(value))
        }
        _ => is_template(value),
    }
}

/// Returns whether `text` has the beginning of an expression, a statement or a comment of a template.
pub(super) fn has_braces(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}

/// Returns a name of a play or task as what it is: a heading, to be shown even if it stands in an encrypted file. The
/// secrets that a template in it reads are none the less.
pub(super) fn heading(name: Value) -> Value {
    Value { taint: name.taint.without(Taint::SECRET), ..name }
}
