//! Methods of Python's lists and dictionaries, and of the variables behind `vars` and `hostvars`.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::{List, ListKind, Val};
use crate::template::jinja::python::{index, ops, text};
use crate::template::jinja::rendering::Rendering;

pub(super) const LIST_NAMES: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];

pub(super) const DICT_NAMES: &[&str] =
    &["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

pub(super) fn list_method(
    rendering: &Rendering<'_>,
    object: &Val,
    list: &List,
    name: &str,
    args: &mut Args,
) -> Result<Val, Error> {
    let object = rendering.force_deep(object)?;
    let position = |args: &mut Args, value: &Val| {
        args.rest(1);
        list.items.borrow().iter().position(|item| ops::equal(item, value))
    };
    match name {
        "append" => {
            let value = args.need(0, "object")?;
            list.items.borrow_mut().push(value);
        }
        "extend" => {
            let items = rendering.items(&args.need(0, "iterable")?)?;
            list.items.borrow_mut().extend(items);
        }
        "insert" => {
            let len = list.items.borrow().len();
            let at = args.int(0, "index", 0)?;
            let at = if at < 0 { at.saturating_add_unsigned(len as u64).max(0) } else { at };
            list.items
                .borrow_mut()
                .insert(usize::try_from(at).unwrap_or(0).min(len), args.need(1, "object")?);
        }
        "pop" => {
            let len = list.items.borrow().len();
            let at = index::position(args.int(0, "index", -1)?, len);
            let at = at.ok_or_else(|| {
                Error::other(if len == 0 { "pop from empty list" } else { "pop index out of range" })
            })?;
            return Ok(list.items.borrow_mut().remove(at));
        }
        "remove" => {
            let value = args.need(0, "value")?;
            let at = position(args, &value).ok_or_else(|| Error::other("list.remove(x): x not in list"))?;
            list.items.borrow_mut().remove(at);
        }
        "index" => {
            let value = args.need(0, "value")?;
            let at = position(args, &value);
            return at
                .map(Val::from)
                .ok_or_else(|| Error::other(format!("{} is not in list", text::repr(&value))));
        }
        "count" => {
            let value = args.need(0, "value")?;
            return Ok(list.items.borrow().iter().filter(|item| ops::equal(item, &value)).count().into());
        }
        "copy" => return Ok(Val::list(list.items.borrow().clone())),
        "clear" => list.items.borrow_mut().clear(),
        "reverse" => list.items.borrow_mut().reverse(),
        _ => {
            let reverse = args.named_flag("reverse", false)?;
            let sorted = rendering.filter("sort", object, Args::of([reverse.into(), true.into()]))?;
            *list.items.borrow_mut() = rendering.items(&sorted)?;
        }
    }
    Ok(Val::None)
}

pub(super) fn dict_method(
    rendering: &Rendering<'_>,
    object: &Val,
    name: &str,
    args: &mut Args,
) -> Result<Val, Error> {
    let Val::Dict(dict) = object else {
        return Ok(Val::None);
    };
    let keyed = |args: &mut Args| ops::key(&args.need(0, "key")?);
    Ok(match name {
        "get" => {
            let key = keyed(args)?;
            let default = args.take(1, "default").unwrap_or(Val::None);
            let value = dict.items.borrow().get(&key).cloned();
            rendering.force(&value.unwrap_or(default))?
        }
        "keys" => Val::sequence(dict.items.borrow().keys().map(Val::from).collect(), ListKind::Keys),
        "values" => Val::sequence(dict.items.borrow().values().cloned().collect(), ListKind::Values),
        "items" => {
            let pairs =
                dict.items.borrow().iter().map(|(k, v)| Val::tuple(vec![k.into(), v.clone()])).collect();
            Val::sequence(pairs, ListKind::Items)
        }
        "copy" => Val::dict(dict.items.borrow().clone()),
        "clear" => {
            dict.items.borrow_mut().clear();
            Val::None
        }
        "pop" => {
            let key = keyed(args)?;
            let default = args.take(1, "default");
            let value = dict.items.borrow_mut().shift_remove(&key);
            value.or(default).ok_or_else(|| Error::other(text::repr(&Val::from(&key))))?
        }
        "popitem" => match dict.items.borrow_mut().pop() {
            Some((key, value)) => Val::tuple(vec![(&key).into(), value]),
            None => return Err(Error::other("'popitem(): dictionary is empty'")),
        },
        "setdefault" => {
            let key = keyed(args)?;
            let default = args.take(1, "default").unwrap_or(Val::None);
            dict.items.borrow_mut().entry(key).or_insert(default).clone()
        }
        _ => {
            if let Some(Val::Dict(other)) = args.take(0, " positional") {
                let other = other.items.borrow().clone();
                dict.items.borrow_mut().extend(other);
            }
            let named = args.named.drain(..).map(|(name, value)| (name.into(), value));
            dict.items.borrow_mut().extend(named);
            Val::None
        }
    })
}

pub(super) fn vars_method(
    rendering: &Rendering<'_>,
    object: &Val,
    name: &str,
    args: &mut Args,
) -> Result<Val, Error> {
    if name == "get" {
        let value = rendering.subscript(object, &args.need(0, "key")?)?;
        let default = args.take(1, "default").unwrap_or(Val::None);
        return Ok(if value.is_undefined() { default } else { value });
    }
    let names = rendering.items(object)?;
    let values = || names.iter().map(|name| rendering.subscript(object, name)).collect::<Result<Vec<_>, _>>();
    Ok(match name {
        "keys" => Val::sequence(names, ListKind::Keys),
        "values" => Val::sequence(values()?, ListKind::Values),
        _ => {
            let pairs =
                names.iter().cloned().zip(values()?).map(|(name, value)| Val::tuple(vec![name, value]));
            Val::sequence(pairs.collect(), ListKind::Items)
        }
    })
}
