//! Filters that treat lists as sets. Python's sets have no order; here the items keep the order of the first list.

use crate::template::jinja::python::ops::equal;
use crate::template::jinja::python::sequences::distinct;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::Filter;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("intersect", |rendering, v, args| {
        let (a, b) = (rendering.items(&v)?, rendering.items(&args.need(0, "b")?)?);
        Ok(Val::list(distinct(a.into_iter().filter(|item| contains(&b, item)).collect())))
    }),
    ("difference", |rendering, v, args| {
        let (a, b) = (rendering.items(&v)?, rendering.items(&args.need(0, "b")?)?);
        Ok(Val::list(distinct(a.into_iter().filter(|item| !contains(&b, item)).collect())))
    }),
    ("symmetric_difference", |rendering, v, args| {
        let (a, b) = (rendering.items(&v)?, rendering.items(&args.need(0, "b")?)?);
        let only_a = a.iter().filter(|item| !contains(&b, item));
        let only_b = b.iter().filter(|item| !contains(&a, item));
        Ok(Val::list(distinct(only_a.chain(only_b).cloned().collect())))
    }),
    ("union", |rendering, v, args| {
        let mut all = rendering.items(&v)?;
        all.extend(rendering.items(&args.need(0, "b")?)?);
        Ok(Val::list(distinct(all)))
    }),
];

fn contains(items: &[Val], other: &Val) -> bool {
    items.iter().any(|item| equal(item, other))
}
