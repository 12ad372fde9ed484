//! `subelements`: each item with each member of a list that it holds.

use convoy_protocol::Key;
use indexmap::IndexMap;

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Val, repr, str};

/// The lookup.
pub(super) fn subelements(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut skip = call.options.key("skip_missing").map_or(Ok(false), |v| v.truth())?;
    let wrong = |why: &str| {
        Err(Error::other(format!("subelements lookup expects a list of two or three items, {why}")))
    };
    if !(2..=3).contains(&call.terms.len()) {
        return wrong("");
    }
    let (list, Some(path)) = (&call.terms[0], call.terms[1].as_str()) else {
        return wrong("first a dict or a list, second a string pointing to the subkey");
    };
    let items = match list {
        Val::Dict(_) if is_skipped(list) => return Ok(Vec::new()),
        Val::Dict(dict) => dict.items.borrow().values().cloned().collect(),
        Val::List(_) => call.rendering.items(list)?,
        other => vec![other.clone()],
    };
    match call.terms.get(2) {
        None => {}
        Some(Val::Dict(flags)) => {
            if let Some(flag) = flags.items.borrow().get("skip_missing") {
                skip = flag.truth()?;
            }
        }
        Some(_) => return wrong("the optional third item must be a dict with flags ('skip_missing',)"),
    }
    let keys: Vec<&str> = path.split('.').collect();
    let mut made = Vec::new();
    for item in items {
        let item = call.rendering.force(&item)?;
        if !matches!(item, Val::Dict(_)) {
            let shown = str(&item);
            return Err(Error::other(format!("subelements lookup expects a dictionary, got '{shown}'")));
        }
        if is_skipped(&item) {
            continue;
        }
        let (rest, members) = taken(call, &item, &keys, skip)?;
        made.extend(members.into_iter().map(|member| Val::tuple(vec![rest.clone(), member])));
    }
    Ok(made)
}

/// Returns whether it is the result of a task that was skipped.
fn is_skipped(value: &Val) -> bool {
    let Val::Dict(dict) = value else { return false };
    dict.items.borrow().get("skipped").is_some_and(|skipped| !matches!(skipped, Val::Bool(false)))
}

/// Takes the list at `keys` out of `value`; returns what is left and the list. With `skip` what is not there is passed
/// over: the next key is looked for in its place, as Ansible does.
fn taken(call: &Call<'_, '_>, value: &Val, keys: &[&str], skip: bool) -> Result<(Val, Vec<Val>), Error> {
    let [key, below @ ..] = keys else { return Ok((value.clone(), Vec::new())) };
    let Val::Dict(dict) = value else { return Ok((value.clone(), Vec::new())) };
    let mut left: IndexMap<Key, Val> = dict.items.borrow().clone();
    let Some(found) = left.get(*key).cloned() else {
        if skip {
            return taken(call, value, below, skip);
        }
        return Err(Error::other(format!("could not find '{key}' key in iterated item '{}'", repr(value))));
    };
    let found = call.rendering.force(&found)?;
    let points = |to: &str| {
        let shown = str(&found);
        Error::other(format!("the key {key} should point to a {to}, got '{shown}'"))
    };
    let members = match &found {
        Val::List(list) if below.is_empty() => {
            let members = list.items.borrow().clone();
            left.shift_remove(*key);
            members
        }
        _ if below.is_empty() => return Err(points("list")),
        Val::Dict(_) => {
            let (rest, members) = taken(call, &found, below, skip)?;
            left.insert((*key).into(), rest);
            members
        }
        _ if skip => return taken(call, value, below, skip),
        _ => return Err(points("dictionary")),
    };
    Ok((Val::dict(left), members))
}
