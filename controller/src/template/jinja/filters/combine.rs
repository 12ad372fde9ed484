//! The filter `combine`, which merges dictionaries.

use convoy_protocol::Key;
use indexmap::IndexMap;

use crate::template::Error;
use crate::template::jinja::python::ops::equal;
use crate::template::jinja::python::sequences::flatten;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::{Dict, List, Val};
use crate::template::jinja::rendering::Filter;

pub(super) const FILTERS: &[(&str, Filter)] = &[("combine", |_, v, args| {
    let recursive = args.named_flag("recursive", false)?;
    let lists = match args.key("list_merge") {
        Some(how) => text_of(how)?,
        None => "replace".into(),
    };
    if !matches!(&*lists, "replace" | "keep" | "append" | "prepend" | "append_rp" | "prepend_rp") {
        return Err(Error::other(format!(
            "merge_hash: 'list_merge' argument can only be equal to 'replace', 'keep', 'append', 'prepend', 'append_rp' or 'prepend_rp', not '{lists}'"
        )));
    }
    if !args.named.is_empty() {
        return Err(Error::other("'recursive' and 'list_merge' are the only valid keyword arguments"));
    }
    let mut terms = Vec::new();
    flatten(&[Val::list(std::iter::once(v).chain(args.rest(0)).collect())], Some(2), true, &mut terms);
    let mut terms = terms.into_iter();
    let Some(mut result) = terms.next() else {
        return Ok(Val::dict(IndexMap::new()));
    };
    result = result.defined()?;
    for term in terms {
        result = merge(&result, &term.defined()?, recursive, &lists)?;
    }
    Ok(result)
})];

fn merge(low: &Val, high: &Val, recursive: bool, lists: &str) -> Result<Val, Error> {
    let (Val::Dict(a), Val::Dict(b)) = (low, high) else {
        return Err(Error::other(format!(
            "failed to combine variables, expected dicts but got a '{}' and a '{}'.",
            low.type_name(),
            high.type_name()
        )));
    };
    merge_dicts(a, b, recursive, lists)
}

fn merge_dicts(a: &Dict, b: &Dict, recursive: bool, lists: &str) -> Result<Val, Error> {
    let mut result: IndexMap<Key, Val> = a.items.borrow().clone();
    for (key, value) in b.items.borrow().iter() {
        let merged = match (result.get(key), value) {
            (Some(Val::Dict(x)), Val::Dict(y)) if recursive => merge_dicts(x, y, true, lists)?,
            (Some(Val::List(x)), Val::List(y)) if lists != "replace" => merge_lists(x, y, lists),
            _ => value.clone(),
        };
        result.insert(key.clone(), merged);
    }
    Ok(Val::dict(result))
}

fn merge_lists(low: &List, high: &List, how: &str) -> Val {
    let (low, high) = (low.items.borrow(), high.items.borrow());
    let without = |list: &[Val]| -> Vec<Val> {
        list.iter().filter(|x| !high.iter().any(|y| equal(x, y))).cloned().collect()
    };
    Val::list(match how {
        "keep" => low.clone(),
        "append" => [low.as_slice(), high.as_slice()].concat(),
        "prepend" => [high.as_slice(), low.as_slice()].concat(),
        "append_rp" => [without(&low).as_slice(), high.as_slice()].concat(),
        _ => [high.as_slice(), without(&low).as_slice()].concat(),
    })
}
