//! Filters that treat lists as sets. Python's sets have no order; here it is the order of the first list.

use super::Filter;
use super::lists::distinct;
use crate::template::jinja::ops::equal;
use crate::template::jinja::value::Val;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("intersect", |run, v, args| {
        let (a, b) = (run.items(&v)?, run.items(&args.need(0, "b")?)?);
        Ok(Val::list(distinct(a.into_iter().filter(|item| holds(&b, item)).collect())))
    }),
    ("difference", |run, v, args| {
        let (a, b) = (run.items(&v)?, run.items(&args.need(0, "b")?)?);
        Ok(Val::list(distinct(a.into_iter().filter(|item| !holds(&b, item)).collect())))
    }),
    ("symmetric_difference", |run, v, args| {
        let (a, b) = (run.items(&v)?, run.items(&args.need(0, "b")?)?);
        let only_a = a.iter().filter(|item| !holds(&b, item));
        let only_b = b.iter().filter(|item| !holds(&a, item));
        Ok(Val::list(distinct(only_a.chain(only_b).cloned().collect())))
    }),
    ("union", |run, v, args| {
        let mut all = run.items(&v)?;
        all.extend(run.items(&args.need(0, "b")?)?);
        Ok(Val::list(distinct(all)))
    }),
];

fn holds(items: &[Val], wanted: &Val) -> bool {
    items.iter().any(|item| equal(item, wanted))
}
