//! Filters on sequences: select, sort, join, aggregate.

use std::cmp::Ordering;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops::{self, equal, order};
use crate::template::jinja::python::sequences::distinct;
use crate::template::jinja::python::text::{str, text_of};
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};
use crate::template::jinja::syntax::Op;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("first", |rendering, v, _| match rendering.items(&v)?.into_iter().next() {
        Some(item) => Ok(item),
        None => Ok(Val::undefined("No first item, sequence was empty.")),
    }),
    ("last", |rendering, v, _| match rendering.items(&v)?.into_iter().next_back() {
        Some(item) => Ok(item),
        None => Ok(Val::undefined("No last item, sequence was empty.")),
    }),
    ("length", length),
    ("count", length),
    ("list", |rendering, v, _| Ok(Val::list(rendering.items(&v)?))),
    ("reverse", |rendering, v, _| match &v {
        Val::Str(text, _) => Ok(text.chars().rev().collect::<String>().into()),
        _ => Ok(Val::generator(rendering.items(&v)?.into_iter().rev().collect())),
    }),
    ("join", join),
    ("map", map),
    ("select", |rendering, v, args| select(rendering, &v, args, false, true)),
    ("reject", |rendering, v, args| select(rendering, &v, args, false, false)),
    ("selectattr", |rendering, v, args| select(rendering, &v, args, true, true)),
    ("rejectattr", |rendering, v, args| select(rendering, &v, args, true, false)),
    ("sort", sort),
    ("unique", unique),
    ("min", |rendering, v, args| extreme(rendering, &v, args, Ordering::Less)),
    ("max", |rendering, v, args| extreme(rendering, &v, args, Ordering::Greater)),
    ("sum", sum),
    ("groupby", groupby),
];

fn length(rendering: &Rendering<'_>, v: Val, _: &mut Args) -> Result<Val, Error> {
    let len = match v.defined()? {
        Val::Str(text, _) => text.chars().count(),
        Val::Bytes(bytes) => bytes.len(),
        Val::List(list) => list.items.borrow().len(),
        Val::Dict(dict) => dict.items.borrow().len(),
        other @ (Val::Vars(_) | Val::HostVars) => rendering.items(&other)?.len(),
        other => {
            return Err(Error::type_error(format!("object of type '{}' has no len()", other.type_name())));
        }
    };
    Ok(len.into())
}

/// Returns the member of a value at a path such as `a.b.0`, as in the argument `attribute` of many filters. Without the
/// member, the result is `default` or undefined.
pub(super) fn attribute(
    rendering: &Rendering<'_>,
    value: &Val,
    path: &Val,
    default: Option<&Val>,
) -> Result<Val, Error> {
    let mut at = rendering.force(value)?;
    match path {
        Val::Str(path, _) => {
            for part in path.split('.') {
                let key = part.parse::<i64>().map_or_else(|_| Val::from(part), Val::Int);
                at = rendering.subscript(&at, &key)?;
                if at.is_undefined() {
                    return Ok(default.cloned().unwrap_or(at));
                }
            }
        }
        other => at = rendering.subscript(&at, other)?,
    }
    Ok(at)
}

fn join(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let sep = args.text(0, "d")?.unwrap_or_default();
    let path = args.take(1, "attribute");
    let mut parts = Vec::new();
    for item in rendering.items(&v)? {
        let item = match &path {
            Some(path) => attribute(rendering, &item, path, None)?,
            None => item,
        };
        parts.push(text_of(rendering.force_deep(&item)?)?);
    }
    Ok(parts.join(&sep).into())
}

fn map(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let items = rendering.items(&v)?;
    if args.pos.is_empty()
        && let Some(path) = args.key("attribute")
    {
        let default = args.key("default");
        let results = items
            .iter()
            .map(|item| attribute(rendering, item, &path, default.as_ref()))
            .collect::<Result<_, _>>()?;
        return Ok(Val::generator(results));
    }
    let name = args.need_text(0, "name").map_err(|_| Error::other("map requires a filter argument"))?;
    let rest =
        Args { pos: args.rest(1).into_iter().map(Some).collect(), named: std::mem::take(&mut args.named) };
    let results = items
        .into_iter()
        .map(|item| rendering.filter(&name, item, rest.clone()))
        .collect::<Result<_, _>>()?;
    Ok(Val::generator(results))
}

fn select(
    rendering: &Rendering<'_>,
    v: &Val,
    args: &mut Args,
    by_attribute: bool,
    keep: bool,
) -> Result<Val, Error> {
    let mut next = 0;
    let path = if by_attribute {
        next = 1;
        Some(args.need(0, "attribute").map_err(|_| Error::other("Missing parameter for attribute name"))?)
    } else {
        None
    };
    let test = args.text(next, "test")?;
    let rest = Args {
        pos: args.rest(next + 1).into_iter().map(Some).collect(),
        named: std::mem::take(&mut args.named),
    };
    let mut kept = Vec::new();
    for item in rendering.items(v)? {
        let subject = match &path {
            Some(path) => attribute(rendering, &item, path, None)?,
            None => item.clone(),
        };
        let holds = match &test {
            Some(test) => rendering.test(test, subject, rest.clone())?,
            None => subject.truth()?,
        };
        if holds == keep {
            kept.push(item);
        }
    }
    Ok(Val::generator(kept))
}

/// Returns the value by which Jinja compares: text in lowercase, unless case matters.
fn folded(value: Val, case_sensitive: bool) -> Val {
    match &value {
        Val::Str(text, _) if !case_sensitive => text.to_lowercase().into(),
        _ => value,
    }
}

fn sort(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let reverse = args.flag(0, "reverse", false)?;
    let case_sensitive = args.flag(1, "case_sensitive", false)?;
    let path = args.take(2, "attribute");
    let mut keyed = Vec::new();
    for item in rendering.items(&v)? {
        let keys = match &path {
            None => vec![folded(item.clone(), case_sensitive)],
            Some(Val::Str(paths, _)) => paths
                .split(',')
                .map(|path| {
                    Ok(folded(attribute(rendering, &item, &path.into(), None)?.defined()?, case_sensitive))
                })
                .collect::<Result<_, Error>>()?,
            Some(path) => vec![folded(attribute(rendering, &item, path, None)?.defined()?, case_sensitive)],
        };
        keyed.push((Val::tuple(keys), item));
    }
    sort_by_key(&mut keyed, reverse)?;
    Ok(Val::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

/// Sorts stably, also in reverse, as Python does.
pub(super) fn sort_by_key(keyed: &mut [(Val, Val)], reverse: bool) -> Result<(), Error> {
    let mut first_error = None;
    keyed.sort_by(|(a, _), (b, _)| match order(a, b, "<") {
        Ok(ordering) => {
            let ordering = ordering.unwrap_or(Ordering::Equal);
            if reverse { ordering.reverse() } else { ordering }
        }
        Err(error) => {
            first_error.get_or_insert(error);
            Ordering::Equal
        }
    });
    first_error.map_or(Ok(()), Err)
}

fn unique(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let case_sensitive = args.flag(0, "case_sensitive", false)?;
    let path = args.take(1, "attribute");
    let mut seen: Vec<Val> = Vec::new();
    let mut kept = Vec::new();
    let items = rendering.items(&v)?;
    // Jinja cannot compare values that are not hashable. Ansible then uses its own filter, which is case-sensitive.
    let plain = items.iter().any(|item| matches!(item, Val::List(_) | Val::Dict(_))) && path.is_none();
    if plain {
        return Ok(Val::list(distinct(items)));
    }
    for item in items {
        let key = match &path {
            Some(path) => attribute(rendering, &item, path, None)?.defined()?,
            None => item.clone(),
        };
        let key = folded(key, case_sensitive);
        if !seen.iter().any(|other| equal(other, &key)) {
            seen.push(key);
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}

fn extreme(rendering: &Rendering<'_>, v: &Val, args: &mut Args, better: Ordering) -> Result<Val, Error> {
    let case_sensitive = args.flag(0, "case_sensitive", false)?;
    let path = args.take(1, "attribute");
    let mut best: Option<(Val, Val)> = None;
    for item in rendering.items(v)? {
        let key = match &path {
            Some(path) => attribute(rendering, &item, path, None)?.defined()?,
            None => item.clone(),
        };
        let key = folded(key, case_sensitive);
        let symbol = if better == Ordering::Less { "<" } else { ">" };
        let better = match &best {
            Some((other, _)) => order(&key, other, symbol)? == Some(better),
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Val::undefined("No aggregated item, sequence was empty."), |(_, item)| item))
}

fn sum(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let path = args.take(0, "attribute").filter(|path| !matches!(path, Val::None));
    let mut total = args.take(1, "start").unwrap_or(Val::Int(0));
    for item in rendering.items(&v)? {
        let item = match &path {
            Some(path) => attribute(rendering, &item, path, None)?,
            None => item,
        };
        total = ops::binary(Op::Add, &total, &item)?;
    }
    Ok(total)
}

fn groupby(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let path = args.need(0, "attribute")?;
    let default = args.take(1, "default");
    let case_sensitive = args.flag(2, "case_sensitive", false)?;
    let mut keyed = Vec::new();
    for item in rendering.items(&v)? {
        keyed.push((
            folded(attribute(rendering, &item, &path, default.as_ref())?.defined()?, case_sensitive),
            item,
        ));
    }
    sort_by_key(&mut keyed, false)?;
    let mut groups: Vec<(Val, Vec<Val>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut() {
            Some((last, items)) if equal(last, &key) => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let pairs = groups
        .into_iter()
        .map(|(key, items)| {
            let key = attribute(rendering, &items[0], &path, default.as_ref()).unwrap_or(key);
            Val::tuple(vec![key, Val::list(items)])
        })
        .collect();
    Ok(Val::list(pairs))
}

/// Returns the items of a list as text.
pub(super) fn texts(rendering: &Rendering<'_>, v: &Val) -> Result<Vec<String>, Error> {
    Ok(rendering.items(v)?.iter().map(str).collect())
}
