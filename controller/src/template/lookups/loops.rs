//! Lookups that only rearrange their terms, for the `with_…` loops.

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Args, Val, product};

/// Returns the terms, with each list replaced by its items.
fn flattened_once(call: &Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut items = Vec::new();
    for term in &call.terms {
        items.extend(items_of(call, term)?);
    }
    Ok(items)
}

/// Returns the items of a list, or the value itself as the only item.
fn items_of(call: &Call<'_, '_>, term: &Val) -> Result<Vec<Val>, Error> {
    match term {
        Val::List(_) => call.rendering.items(term),
        other => Ok(vec![other.clone()]),
    }
}

pub(super) fn items(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    flattened_once(call)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    Ok(std::mem::take(&mut call.terms))
}

pub(super) fn dict(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut items = Vec::new();
    for term in flattened_once(call)? {
        if !matches!(term, Val::Dict(_)) {
            return Err(Error::other("with_dict expects a dict"));
        }
        let pairs = call.rendering.filter("dict2items", term, Args::default())?;
        items.extend(call.rendering.items(&pairs)?);
    }
    Ok(items)
}

pub(super) fn together(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let lists = call.terms.iter().map(|term| items_of(call, term)).collect::<Result<Vec<_>, _>>()?;
    if lists.is_empty() {
        return Err(Error::other("with_together requires at least one element in each list"));
    }
    let len = lists.iter().map(Vec::len).max().unwrap_or(0);
    Ok((0..len)
        .map(|i| Val::list(lists.iter().map(|list| list.get(i).cloned().unwrap_or(Val::None)).collect()))
        .collect())
}

pub(super) fn nested(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let lists = call.terms.iter().map(|term| items_of(call, term)).collect::<Result<Vec<_>, _>>()?;
    if lists.is_empty() {
        return Err(Error::other("with_nested requires at least one element in the nested list"));
    }
    Ok(product(&lists).into_iter().map(Val::list).collect())
}

pub(super) fn indexed_items(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    Ok(flattened_once(call)?
        .into_iter()
        .enumerate()
        .map(|(i, item)| Val::tuple(vec![i.into(), item]))
        .collect())
}

pub(super) fn flattened(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let items = call.rendering.filter("flatten", Val::list(call.terms.clone()), Args::default())?;
    call.rendering.items(&items)
}

pub(super) fn random_choice(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    if call.terms.is_empty() {
        return Ok(Vec::new());
    }
    call.rendering.require_impure("the lookup random_choice")?;
    let index = rand::random_range(0..call.terms.len());
    Ok(vec![call.terms[index].clone()])
}
