//! Operations on sequences that filters, lookups and functions share.

use std::collections::HashSet;

use super::ops::equal;
use super::value::Val;

/// Returns the first of each of the equal items.
pub(crate) fn distinct(items: Vec<Val>) -> Vec<Val> {
    let mut seen = HashSet::new();
    let mut kept: Vec<Val> = Vec::new();
    for item in items {
        let is_new = match &item {
            Val::Str(text, _) => seen.insert(text.clone()),
            _ => !kept.iter().any(|other| equal(other, &item)),
        };
        if is_new {
            kept.push(item);
        }
    }
    kept
}

/// Appends the items to `out`, with lists among them replaced by their items down to `levels`, or at every depth.
pub(crate) fn flatten(items: &[Val], levels: Option<i64>, skip_nulls: bool, out: &mut Vec<Val>) {
    for item in items {
        match item {
            Val::None if skip_nulls => {}
            Val::Str(text, _) if skip_nulls && matches!(&**text, "None" | "null") => {}
            Val::List(list) if levels.is_none_or(|levels| levels >= 1) => {
                flatten(&list.items.borrow(), levels.map(|levels| levels - 1), skip_nulls, out);
            }
            other => out.push(other.clone()),
        }
    }
}

/// Returns tuples of the items at the same position, as many as the shortest list has.
pub(crate) fn zip(lists: &[Vec<Val>]) -> Vec<Val> {
    let len = lists.iter().map(Vec::len).min().unwrap_or(0);
    (0..len).map(|i| Val::tuple(lists.iter().map(|list| list[i].clone()).collect())).collect()
}

/// Returns every combination of one item of each list, the last list varying fastest.
pub(crate) fn product<'l>(lists: impl IntoIterator<Item = &'l Vec<Val>>) -> Vec<Vec<Val>> {
    let mut rows = vec![Vec::new()];
    for list in lists {
        rows = rows
            .iter()
            .flat_map(|row: &Vec<Val>| {
                list.iter().map(|item| [row.as_slice(), std::slice::from_ref(item)].concat())
            })
            .collect();
    }
    rows
}
