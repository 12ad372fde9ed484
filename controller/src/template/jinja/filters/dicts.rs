//! Filters on dictionaries: conversion to and from lists, sorting, subelements.

use indexmap::IndexMap;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops::{equal, key};
use crate::template::jinja::python::text::{repr, str};
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
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

/// Returns the name of a class as Python shows it in messages.
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
    let mut result = IndexMap::new();
    for item in rendering.items(&v)? {
        let Val::Dict(dict) = &item else {
            return Err(Error::other(format!(
                "items2dict requires a list of dictionaries, got {} instead.",
                repr(&v)
            )));
        };
        let dict = dict.items.borrow();
        match (dict.get(&*key_name), dict.get(&*value_name)) {
            (Some(k), Some(value)) => result.insert(key(k)?, value.clone()),
            _ => {
                return Err(Error::other(format!(
                    "items2dict requires each dictionary in the list to contain the keys '{key_name}' and '{value_name}', got {} instead.",
                    repr(&v)
                )));
            }
        };
    }
    Ok(Val::dict(result))
}

fn dictsort(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let case_sensitive = args.flag(0, "case_sensitive", false)?;
    let by = args.text(1, "by")?.unwrap_or_else(|| "key".into());
    let reverse = args.flag(2, "reverse", false)?;
    let Val::Dict(dict) = v.defined()? else {
        return Err(Error::type_error("dictsort requires a mapping"));
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
    let mut pairs = Vec::new();
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
            let member = dict.items.borrow().get(&key(part)?).cloned();
            at = match member {
                Some(member) => member,
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
        pairs
            .extend(list.items.borrow().iter().map(|value| Val::tuple(vec![element.clone(), value.clone()])));
    }
    Ok(Val::list(pairs))
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
    let mut result: IndexMap<convoy_protocol::Key, Val> = IndexMap::new();
    for item in items {
        let Val::Dict(dict) = &item else {
            return Err(Error::other("List item is not a valid dict"));
        };
        let value = dict.items.borrow().get(&key(&member)?).cloned();
        let value = value.ok_or_else(|| Error::other(format!("Key {} was not found", str(&member))))?;
        let taken = result.get(&key(&value)?).is_some_and(|other| !equal(other, &Val::None));
        if taken && duplicates == "error" {
            return Err(Error::other(format!(
                "Key {} is not unique, cannot correctly turn into dict",
                str(&value)
            )));
        }
        result.insert(key(&value)?, item);
    }
    Ok(Val::dict(result))
}
