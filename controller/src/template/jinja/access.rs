//! Attributes and elements: `a.b`, `a['b']`, `a[0]`.

use std::rc::Rc;

use super::run::Run;
use super::scope::ScopeRef;
use super::text;
use super::value::{Function, ListKind, Val};
use super::{index, methods, ops};
use crate::json;
use crate::template::Error;

/// `object.name`: a method, else an element, as Jinja looks them up.
pub(crate) fn attr(run: &Run<'_>, object: &Val, name: &str) -> Result<Val, Error> {
    let object = run.force(object)?;
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
    element(run, &object, &Val::from(name), false)
}

/// `object[key]`.
pub(crate) fn item(run: &Run<'_>, object: &Val, key: &Val) -> Result<Val, Error> {
    element(run, object, key, true)
}

/// `object[key]`; a key that was `computed` may be a secret, if one was read.
pub(crate) fn element(run: &Run<'_>, object: &Val, key: &Val, computed: bool) -> Result<Val, Error> {
    let object = run.force(object)?;
    let key = run.force(key)?.defined()?;
    let found = match &object {
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
            Some(name) => run.variable(scope, name)?,
            None => None,
        },
        Val::HostVars => match key.as_str() {
            Some(host) => run.scope.host(host).map(|scope| Val::Vars(ScopeRef::Host(host.into(), scope))),
            None => None,
        },
        _ => None,
    };
    match found {
        Some(value) => run.force(&value),
        None => {
            let rest = match &object {
                Val::Vars(scope) => run.unknown_rest(scope),
                _ => object.unknown_rest(),
            };
            let secret = computed && run.taint().is_secret();
            Ok(match rest {
                Some(why) => Val::Unknown(why),
                None if secret => missing(&object, &json::REDACTED.into()),
                None => missing(&object, &key),
            })
        }
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

/// A value as it is put out: Ansible turns `None` into nothing and Python's lazy sequences into lists.
pub(crate) fn finished(value: Val) -> Result<Val, Error> {
    Ok(match value.defined()? {
        Val::None => Val::text(""),
        Val::List(list) if !matches!(list.kind, ListKind::List | ListKind::Tuple) => {
            Val::list(list.items.borrow().iter().cloned().collect())
        }
        other => {
            check(&other)?;
            other
        }
    })
}

/// Fails if a part is not there.
fn check(value: &Val) -> Result<(), Error> {
    match value {
        Val::Undefined(undefined) => Err(undefined.error()),
        Val::List(list) => list.items.borrow().iter().try_for_each(check),
        Val::Dict(dict) => dict.items.borrow().values().try_for_each(check),
        _ => Ok(()),
    }
}
