//! Converts between stored values and the values that expressions compute with.

use std::sync::Arc;

use convoy_protocol::{Kind, Map, Taint, Value};

use super::Rendering;
use crate::template::error::Error;
use crate::template::jinja::python::text;
use crate::template::jinja::python::value::{LazyState, TextKind, Val};
use crate::template::jinja::scope::ScopeRef;
use crate::template::jinja::syntax::source::has_template;

impl Rendering<'_> {
    /// Returns the stored form of a value, with all its parts rendered.
    pub(crate) fn to_value(&self, value: &Val) -> Result<Value, Error> {
        if let Val::Lazy(lazy) = value
            && let LazyState::Raw(raw) = &*lazy.state.borrow()
            && !needs_rendering(raw)
        {
            return Ok(Value { origin: None, ..raw.clone() });
        }
        Ok(match self.force(value)? {
            undefined @ Val::Undefined(_) => return self.to_value(&undefined.defined()?),
            Val::None => Value::null(),
            Val::Bool(b) => b.into(),
            Val::Int(i) => i.into(),
            Val::Float(x) => x.into(),
            Val::Str(text, kind) => {
                let taint = if kind == TextKind::Unsafe { Taint::UNSAFE } else { Taint::NONE };
                Value::from(text).tainted(taint)
            }
            Val::Bytes(bytes) => Kind::Bytes(bytes).into(),
            Val::Unknown(why) => Kind::Unknown(why).into(),
            Val::List(list) => {
                let items = list.items.borrow();
                items.iter().map(|item| self.to_value(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Val::Dict(dict) => {
                let items = dict.items.borrow();
                items
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.to_value(item)?)))
                    .collect::<Result<Map, Error>>()?
                    .into()
            }
            vars @ Val::Vars(_) => self.to_value(&self.vars_dict(&vars)?)?,
            other => text::str(&other).into(),
        })
    }

    /// Returns a stored value to compute with. Text in it is data and not rendered.
    pub(crate) fn data(&self, value: &Value) -> Val {
        self.lazy(&value.clone().tainted(Taint::UNSAFE), &ScopeRef::Own, &Arc::from("item"))
    }
}

/// Returns whether a value contains text that has to be rendered or decrypted.
pub(crate) fn needs_rendering(value: &Value) -> bool {
    match &value.kind {
        Kind::Text(text) => !value.taint.is_unsafe() && has_template(text),
        Kind::Vaulted(_) => true,
        Kind::List(list) => list.iter().any(needs_rendering),
        Kind::Map(map) => map.values().any(needs_rendering),
        _ => false,
    }
}

/// Returns the Python class that Ansible would use for a text.
pub(super) fn text_kind(value: &Value) -> TextKind {
    if value.taint.is_unsafe() {
        TextKind::Unsafe
    } else if value.origin.is_some() {
        TextKind::Yaml
    } else {
        TextKind::Plain
    }
}
