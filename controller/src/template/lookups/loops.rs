//! Lookups that only rearrange what they are given, behind the older `with_…` loops.

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Args, Val, str};

/// The terms with lists among them opened, once.
fn opened(call: &Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut made = Vec::new();
    for term in &call.terms {
        match term {
            Val::List(_) => made.extend(call.rendering.items(term)?),
            other => made.push(other.clone()),
        }
    }
    Ok(made)
}

pub(super) fn items(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    opened(call)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    Ok(std::mem::take(&mut call.terms))
}

pub(super) fn dict(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut made = Vec::new();
    for term in opened(call)? {
        if !matches!(term, Val::Dict(_)) {
            return Err(Error::other("with_dict expects a dict"));
        }
        let pairs = call.rendering.filter("dict2items", term, Args::default())?;
        made.extend(call.rendering.items(&pairs)?);
    }
    Ok(made)
}

pub(super) fn together(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let lists = call.terms.iter().map(|term| one(call, term)).collect::<Result<Vec<_>, _>>()?;
    if lists.is_empty() {
        return Err(Error::other("with_together requires at least one element in each list"));
    }
    let len = lists.iter().map(Vec::len).max().unwrap_or(0);
    Ok((0..len)
        .map(|i| Val::list(lists.iter().map(|list| list.get(i).cloned().unwrap_or(Val::None)).collect()))
        .collect())
}

fn one(call: &Call<'_, '_>, term: &Val) -> Result<Vec<Val>, Error> {
    match term {
        Val::List(_) => call.rendering.items(term),
        other => Ok(vec![other.clone()]),
    }
}

pub(super) fn nested(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let lists = call.terms.iter().map(|term| one(call, term)).collect::<Result<Vec<_>, _>>()?;
    if lists.is_empty() {
        return Err(Error::other("with_nested requires at least one element in the nested list"));
    }
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for list in &lists {
        rows = rows
            .iter()
            .flat_map(|row| list.iter().map(|item| [row.as_slice(), std::slice::from_ref(item)].concat()))
            .collect();
    }
    Ok(rows.into_iter().map(Val::list).collect())
}

pub(super) fn indexed_items(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    Ok(opened(call)?.into_iter().enumerate().map(|(i, item)| Val::tuple(vec![i.into(), item])).collect())
}

pub(super) fn flattened(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let made = call.rendering.filter("flatten", Val::list(call.terms.clone()), Args::default())?;
    call.rendering.items(&made)
}

pub(super) fn random_choice(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    if call.terms.is_empty() {
        return Ok(Vec::new());
    }
    call.rendering.require_impure("the lookup random_choice")?;
    let index = rand::random_range(0..call.terms.len());
    let chosen = call.terms.get(index).ok_or_else(|| Error::other(str(&Val::None)))?;
    Ok(vec![chosen.clone()])
}
