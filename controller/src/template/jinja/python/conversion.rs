//! Converts rendered text back into lists, dictionaries and booleans, as Ansible does.
//!
//! Ansible renders to text and then evaluates text that looks like a Python or JSON literal (`safe_eval`). So
//! `{{ [1, 2] }}` is a list, and so is `[1, {{ x }}]`. With `jinja2_native`, results keep their types instead.

use crate::template::jinja::python::literal;
use crate::template::jinja::python::value::{ListKind, Val};

/// Returns the value of a template that emits only this value, if it needs no detour through text: where the text would
/// be converted back to the same value.
pub(crate) fn kept(value: &Val, native: bool) -> Option<Val> {
    match value {
        Val::Str(..) => None,
        Val::Bool(_) | Val::Unknown(_) => Some(value.clone()),
        // Bytes are content that is not text: `copy` writes them as they are.
        Val::Bytes(_) => Some(value.clone()),
        Val::Dict(_) => readable(value).then(|| value.clone()),
        Val::List(list) if native || list.kind != ListKind::Tuple => readable(value).then(|| value.clone()),
        other => native.then(|| other.clone()),
    }
}

/// Returns whether `repr()` of the value is a literal.
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

/// Returns the value of rendered text: a list, a dictionary or a boolean if it looks like one, else the text. With
/// `native`, any literal is converted.
pub(crate) fn from_text(text: String, native: bool) -> Val {
    let may_be_literal = native || text.starts_with(['{', '[']) || text == "True" || text == "False";
    if !may_be_literal {
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
