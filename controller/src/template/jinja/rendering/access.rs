//! Attributes and items: `a.b`, `a['b']`, `a[0]`.
//!
//! A member that does not exist is not an error but an undefined value; one that a dry run cannot know is an unknown
//! value. Members of undefined and unknown values are undefined and unknown themselves.

use std::rc::Rc;

use super::{Rendering, methods};
use crate::template::Error;
use crate::template::jinja::python::value::{Function, Val};
use crate::template::jinja::python::{index, ops, text};
use crate::template::jinja::scope::ScopeRef;
use crate::text::json;

impl Rendering<'_> {
    /// Returns `object.name`: a method, or else an item, as Jinja looks them up.
    pub(crate) fn attribute(&self, object: &Val, name: &str) -> Result<Val, Error> {
        let object = self.force(object)?;
        if matches!(object, Val::Undefined(_) | Val::Unknown(_)) {
            return Ok(object);
        }
        if methods::has(&object, name) {
            return Ok(Val::Function(Rc::new(Function::Method(object, name.into()))));
        }
        match (&object, name) {
            (_, "__class__") => return Ok(Val::pairs([("__name__", object.type_name().into())])),
            (Val::Time(time), "year") => return Ok(i64::from(time.year()).into()),
            (Val::Time(time), "month") => return Ok(i64::from(time.month()).into()),
            (Val::Time(time), "day") => return Ok(i64::from(time.day()).into()),
            (Val::Time(time), "hour") => return Ok(i64::from(time.hour()).into()),
            (Val::Time(time), "minute") => return Ok(i64::from(time.minute()).into()),
            (Val::Time(time), "second") => return Ok(i64::from(time.second()).into()),
            (Val::Delta(delta), "days") => return Ok(delta.as_secs().div_euclid(86_400).into()),
            (Val::Delta(delta), "seconds") => return Ok(delta.as_secs().rem_euclid(86_400).into()),
            _ => {}
        }
        self.item(&object, &Val::from(name), false)
    }

    /// Returns `object[key]` for a computed key.
    pub(crate) fn subscript(&self, object: &Val, key: &Val) -> Result<Val, Error> {
        self.item(object, key, true)
    }

    /// Returns `object[key]`. A `computed` key may be a secret if a secret was read, and then messages do not show it.
    pub(crate) fn item(&self, object: &Val, key: &Val, computed: bool) -> Result<Val, Error> {
        let object = self.force(object)?;
        let key = self.force(key)?.defined()?;
        let item = match &object {
            Val::Undefined(_) | Val::Unknown(_) => return Ok(object),
            Val::Dict(dict) => ops::key(&key).ok().and_then(|key| dict.items.borrow().get(&key).cloned()),
            Val::List(list) => key.as_int().and_then(|i| {
                let items = list.items.borrow();
                index::position(i, items.len()).map(|i| items[i].clone())
            }),
            Val::Str(text, _) => key.as_int().and_then(|i| {
                let len = text.chars().count();
                index::position(i, len).and_then(|i| text.chars().nth(i)).map(|c| Val::text(c.to_string()))
            }),
            Val::Bytes(bytes) => {
                key.as_int().and_then(|i| index::position(i, bytes.len())).map(|i| i64::from(bytes[i]).into())
            }
            Val::Namespace(names) => key.as_str().and_then(|name| names.borrow().get(name).cloned()),
            Val::Vars(scope) => match key.as_str() {
                Some(name) => self.variable(scope, name)?,
                None => None,
            },
            Val::HostVars => match key.as_str() {
                Some(host) => {
                    self.scope.host(host).map(|scope| Val::Vars(ScopeRef::Host(host.into(), scope)))
                }
                None => None,
            },
            _ => None,
        };
        if let Some(item) = item {
            return self.force(&item);
        }
        let rest = match &object {
            Val::Vars(scope) => self.unknown_rest(scope),
            _ => object.unknown_rest(),
        };
        let secret = computed && self.taint().is_secret();
        Ok(match rest {
            Some(why) => Val::Unknown(why),
            None if secret => missing(&object, &json::REDACTED.into()),
            None => missing(&object, &key),
        })
    }
}

fn missing(object: &Val, key: &Val) -> Val {
    match (object, key) {
        (Val::HostVars, Val::Str(..)) => {
            Val::undefined(format!("\"hostvars['{}']\" is undefined", text::str(key)))
        }
        (_, Val::Str(name, _)) => {
            Val::undefined(format!("'{}' has no attribute '{name}'", object.object_name()))
        }
        _ => Val::undefined(format!("{} has no element {}", object.object_name(), text::repr(key))),
    }
}
