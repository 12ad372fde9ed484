//! What a rendering comes to: text, unless it looks like one of Python's lists, dictionaries or booleans.

use crate::template::jinja::python::literal;
use crate::template::jinja::python::value::{ListKind, Val};

/// A lone piece that stays what it is, where Python would write it down and read it again.
pub(crate) fn kept(value: &Val, native: bool) -> Option<Val> {
    match value {
        Val::Str(..) => None,
        Val::Bool(_) | Val::Unknown(_) => Some(value.clone()),
        // Bytes are what is no text: `copy` writes them as they are.
        Val::Bytes(_) => Some(value.clone()),
        Val::Dict(_) => readable(value).then(|| value.clone()),
        Val::List(list) if native || list.kind != ListKind::Tuple => readable(value).then(|| value.clone()),
        other => native.then(|| other.clone()),
    }
}

/// Whether Python's written form of the value can be read back.
fn readable(value: &Val) -> bool {
    match value {
        Val::Float(x) => x.is_finite(),
        Val::List(list) => list.items.borrow().iter().all(readable),
        Val::Dict(dict) => dict.items.borrow().values().all(readable),
        Val::None
        | Val::Bool(_)
        | Val::Int(_)
        | Val::Str(..)
        | Val::Bytes(_)
        | Val::Lazy(_)
        | Val::Unknown(_) => true,
        _ => false,
    }
}

/// Text that looks like a list, a dictionary or a boolean becomes one.
pub(crate) fn from_text(text: String, native: bool) -> Val {
    let candidate = native || text.starts_with(['{', '[']) || text == "True" || text == "False";
    if !candidate {
        return Val::text(text);
    }
    match literal::read(&text, !native) {
        Some(Val::Str(inner, _)) => {
            let quote = &text[..1];
            Val::text(format!("{quote}{inner}{quote}"))
        }
        Some(value) if !native || !text.starts_with([' ', '\t', '\n']) => value,
        _ => Val::text(text),
    }
}
