//! The lookup `subelements`: pairs of each item and each member of a list in it.

use convoy_protocol::Key;
use indexmap::IndexMap;

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Val, repr, str};

pub(super) fn subelements(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut skip = call.options.named_flag("skip_missing", false)?;
    let invalid = |why: &str| {
        Err(Error::other(format!("subelements lookup expects a list of two or three items, {why}")))
    };
    if !(2..=3).contains(&call.terms.len()) {
        return invalid("");
    }
    let (list, Some(path)) = (&call.terms[0], call.terms[1].as_str()) else {
        return invalid("first a dict or a list, second a string pointing to the subkey");
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
        Some(_) => return invalid("the optional third item must be a dict with flags ('skip_missing',)"),
    }
    let keys: Vec<&str> = path.split('.').collect();
    let mut pairs = Vec::new();
    for item in items {
        let item = call.rendering.force(&item)?;
        if !matches!(item, Val::Dict(_)) {
            let shown = str(&item);
            return Err(Error::other(format!("subelements lookup expects a dictionary, got '{shown}'")));
        }
        if is_skipped(&item) {
            continue;
        }
        let (rest, members) = take(call, &item, &keys, skip)?;
        pairs.extend(members.into_iter().map(|member| Val::tuple(vec![rest.clone(), member])));
    }
    Ok(pairs)
}

/// Returns whether a value is the result of a task that was skipped.
fn is_skipped(value: &Val) -> bool {
    let Val::Dict(dict) = value else { return false };
    dict.items.borrow().get("skipped").is_some_and(|skipped| !matches!(skipped, Val::Bool(false)))
}

/// Takes the list at the path `keys` out of `value`. Returns the rest of the value, and the list. With `skip`, a missing
/// key is passed over, and the next key is looked up in its place, as in Ansible.
fn take(call: &Call<'_, '_>, value: &Val, keys: &[&str], skip: bool) -> Result<(Val, Vec<Val>), Error> {
    let [key, below @ ..] = keys else { return Ok((value.clone(), Vec::new())) };
    let Val::Dict(dict) = value else { return Ok((value.clone(), Vec::new())) };
    let mut rest: IndexMap<Key, Val> = dict.items.borrow().clone();
    let Some(member) = rest.get(*key).cloned() else {
        if skip {
            return take(call, value, below, skip);
        }
        return Err(Error::other(format!("could not find '{key}' key in iterated item '{}'", repr(value))));
    };
    let member = call.rendering.force(&member)?;
    let mismatch = |expected: &str| {
        let shown = str(&member);
        Error::other(format!("the key {key} should point to a {expected}, got '{shown}'"))
    };
    let members = match &member {
        Val::List(list) if below.is_empty() => {
            let members = list.items.borrow().clone();
            rest.shift_remove(*key);
            members
        }
        _ if below.is_empty() => return Err(mismatch("list")),
        Val::Dict(_) => {
            let (rest_of_member, members) = take(call, &member, below, skip)?;
            rest.insert((*key).into(), rest_of_member);
            members
        }
        _ if skip => return take(call, value, below, skip),
        _ => return Err(mismatch("dictionary")),
    };
    Ok((Val::dict(rest), members))
}
