//! Filters on dictionaries and on what a value is.

use indexmap::IndexMap;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops::{equal, key};
use crate::template::jinja::python::text::{repr, str};
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("default", default),
    ("d", default),
    ("mandatory", mandatory),
    ("ternary", |rendering, v, args| {
        let (yes, no) = (args.need(0, "true_val")?, args.need(1, "false_val")?);
        let none = args.take(2, "none_val").filter(|v| !matches!(v, Val::None));
        match none {
            Some(none) if matches!(v, Val::None) => rendering.force(&none),
            _ => rendering.force(if v.truth()? { &yes } else { &no }),
        }
    }),
    ("type_debug", |_, v, _| Ok(v.type_name().into())),
    ("attr", |rendering, v, args| rendering.attribute(&v, &args.need_text(0, "name")?)),
    ("extract", extract),
    ("dict2items", dict2items),
    ("items2dict", items2dict),
    ("items", |rendering, v, _| match &v {
        Val::Undefined(_) => Ok(Val::generator(Vec::new())),
        Val::Dict(dict) => Ok(Val::generator(
            dict.items.borrow().iter().map(|(k, v)| Val::tuple(vec![k.into(), v.clone()])).collect(),
        )),
        vars @ (Val::Vars(_) | Val::HostVars) => {
            rendering.filter("items", rendering.vars_dict(vars)?, Args::default())
        }
        _ => Err(Error::type_error("Can only get item pairs from a mapping.")),
    }),
    ("dictsort", dictsort),
    ("subelements", subelements),
    ("rekey_on_member", rekey),
];

fn default(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let default = args.take(0, "default_value");
    let boolean = args.flag(1, "boolean", false)?;
    if v.is_undefined() || (boolean && !v.truth()?) {
        return rendering.force(&default.unwrap_or_else(|| "".into()));
    }
    Ok(v)
}

fn mandatory(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let message = args.text(0, "msg")?;
    match &v {
        Val::Undefined(undefined) => {
            let name = undefined.name.as_ref().map(|name| format!("'{name}' ")).unwrap_or_default();
            Err(Error::other(message.unwrap_or_else(|| format!("Mandatory variable {name} not defined."))))
        }
        _ => Ok(v),
    }
}

fn extract(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let mut at = rendering.force(&args.need(0, "container")?)?;
    let mut keys = vec![v.defined()?];
    match args.take(1, "morekeys") {
        None | Some(Val::None) => {}
        Some(more @ Val::List(_)) => keys.extend(rendering.items(&more)?),
        Some(more) => keys.push(more),
    }
    for key in keys {
        // What is not there has nothing in it: that is told when it is used.
        if at.is_undefined() {
            break;
        }
        at = rendering.subscript(&at, &key)?;
    }
    Ok(at)
}

fn names(args: &mut Args) -> Result<(String, String), Error> {
    let key = args.text(0, "key_name")?.unwrap_or_else(|| "key".into());
    Ok((key, args.text(1, "value_name")?.unwrap_or_else(|| "value".into())))
}

fn dict2items(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let (key_name, value_name) = names(args)?;
    match rendering.vars_dict(&v)?.defined()? {
        Val::Dict(dict) => {
            let items = dict.items.borrow();
            let pair = |(key, value): (&convoy_protocol::Key, &Val)| {
                Val::pairs([(&*key_name, key.into()), (&*value_name, value.clone())])
            };
            Ok(Val::list(items.iter().map(pair).collect()))
        }
        other => Err(Error::other(format!(
            "dict2items requires a dictionary, got <class '{}'> instead.",
            class(&other)
        ))),
    }
}

/// A class as Python shows it in messages.
fn class(v: &Val) -> String {
    v.object_name().trim_end_matches(" object").to_owned()
}

fn items2dict(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let (key_name, value_name) = names(args)?;
    if !matches!(v.clone().defined()?, Val::List(_)) {
        return Err(Error::other(format!(
            "items2dict requires a list, got <class '{}'> instead.",
            class(&v)
        )));
    }
    let mut made = IndexMap::new();
    for item in rendering.items(&v)? {
        let Val::Dict(dict) = &item else {
            return Err(Error::other(format!(
                "items2dict requires a list of dictionaries, got {} instead.",
                repr(&v)
            )));
        };
        let dict = dict.items.borrow();
        match (dict.get(&*key_name), dict.get(&*value_name)) {
            (Some(k), Some(value)) => made.insert(key(k)?, value.clone()),
            _ => {
                return Err(Error::other(format!(
                    "items2dict requires each dictionary in the list to contain the keys '{key_name}' and '{value_name}', got {} instead.",
                    repr(&v)
                )));
            }
        };
    }
    Ok(Val::dict(made))
}

fn dictsort(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let case_sensitive = args.flag(0, "case_sensitive", false)?;
    let by = args.text(1, "by")?.unwrap_or_else(|| "key".into());
    let reverse = args.flag(2, "reverse", false)?;
    let Val::Dict(dict) = v.defined()? else {
        return Err(Error::type_error("dictsort wants a mapping"));
    };
    let fold = |value: Val| match &value {
        Val::Str(text, _) if !case_sensitive => text.to_lowercase().into(),
        _ => value,
    };
    let mut keyed: Vec<(Val, Val)> = dict
        .items
        .borrow()
        .iter()
        .map(|(k, value)| {
            (
                fold(if by == "value" { value.clone() } else { k.into() }),
                Val::tuple(vec![k.into(), value.clone()]),
            )
        })
        .collect();
    super::lists::sort_by_key(&mut keyed, reverse)?;
    Ok(Val::list(keyed.into_iter().map(|(_, pair)| pair).collect()))
}

fn subelements(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let path = match args.need(0, "subelements")? {
        Val::Str(path, _) => path.split('.').map(Val::from).collect::<Vec<_>>(),
        list @ Val::List(_) => rendering.items(&list)?,
        _ => return Err(Error::other("subelements must be a list or a string")),
    };
    let skip = args.flag(1, "skip_missing", false)?;
    let elements = match v.defined()? {
        Val::Dict(dict) => dict.items.borrow().values().cloned().collect(),
        list @ Val::List(_) => rendering.items(&list)?,
        _ => return Err(Error::other("obj must be a list of dicts or a nested dict")),
    };
    let mut made = Vec::new();
    for element in elements {
        let mut at = element.clone();
        for part in &path {
            let Val::Dict(dict) = &at else {
                return Err(Error::other(format!(
                    "the key {} should point to a dictionary, got '{}'",
                    str(part),
                    str(&at)
                )));
            };
            let found = dict.items.borrow().get(&key(part)?).cloned();
            at = match found {
                Some(found) => found,
                None if skip => {
                    at = Val::list(Vec::new());
                    break;
                }
                None => {
                    return Err(Error::other(format!(
                        "could not find {} key in iterated item {}",
                        repr(part),
                        repr(&at)
                    )));
                }
            };
        }
        let Val::List(list) = &at else {
            return Err(Error::other(format!(
                "the key {} should point to a list, got {}",
                path.last().map(repr).unwrap_or_default(),
                repr(&at)
            )));
        };
        made.extend(list.items.borrow().iter().map(|value| Val::tuple(vec![element.clone(), value.clone()])));
    }
    Ok(Val::list(made))
}

fn rekey(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let member = args.need(0, "key")?.defined()?;
    let duplicates = args.text(1, "duplicates")?.unwrap_or_else(|| "error".into());
    if !matches!(&*duplicates, "error" | "overwrite") {
        return Err(Error::other(format!(
            "duplicates parameter to rekey_on_member has unknown value: {duplicates}"
        )));
    }
    let items = match v.defined()? {
        Val::Dict(dict) => dict.items.borrow().values().cloned().collect(),
        list @ Val::List(_) => rendering.items(&list)?,
        _ => return Err(Error::other("Type is not a valid list, set, or dict")),
    };
    let mut made: IndexMap<convoy_protocol::Key, Val> = IndexMap::new();
    for item in items {
        let Val::Dict(dict) = &item else {
            return Err(Error::other("List item is not a valid dict"));
        };
        let found = dict.items.borrow().get(&key(&member)?).cloned();
        let found = found.ok_or_else(|| Error::other(format!("Key {} was not found", str(&member))))?;
        let taken = made.get(&key(&found)?).is_some_and(|other| !equal(other, &Val::None));
        if taken && duplicates == "error" {
            return Err(Error::other(format!(
                "Key {} is not unique, cannot correctly turn into dict",
                str(&found)
            )));
        }
        made.insert(key(&found)?, item);
    }
    Ok(Val::dict(made))
}
