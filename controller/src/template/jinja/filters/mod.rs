//! The filters: a table per topic, joined here.
//!
//! To add a filter, write it in the file of its topic and add it to the table `FILTERS` there.

mod combine;
mod dicts;
mod encode;
mod json;
mod lists;
mod numbers;
mod path;
mod rearrange;
mod regex;
mod sets;

mod text;
mod time;
mod urls;
mod values;
mod vault;
mod yaml;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::rendering::Filter;

pub(crate) use json::repr_json;
pub(super) use urls::split_scheme;

/// Filters that render only what they need of their input: the rest may never be used, or may be undefined.
const LAZY: &[&str] = &[
    "default",
    "d",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "length",
    "count",
    "first",
    "last",
    "list",
    "dict2items",
    "mandatory",
    "type_debug",
    "ternary",
    "extract",
    "items",
    "random",
    "attr",
];

/// Returns the filter called `name`.
pub(crate) fn find(name: &str) -> Option<Filter> {
    static TABLE: OnceLock<HashMap<&'static str, Filter>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let topics = [
            combine::FILTERS,
            dicts::FILTERS,
            encode::FILTERS,
            json::FILTERS,
            lists::FILTERS,
            numbers::FILTERS,
            path::FILTERS,
            regex::FILTERS,
            sets::FILTERS,
            rearrange::FILTERS,
            text::FILTERS,
            time::FILTERS,
            urls::FILTERS,
            values::FILTERS,
            vault::FILTERS,
            yaml::FILTERS,
        ];
        topics.into_iter().flatten().copied().collect()
    });
    table.get(name).copied()
}

/// Returns whether the filter called `name` takes an encrypted variable without decrypting it first.
pub(crate) fn takes_encrypted(name: &str) -> bool {
    name.rsplit('.').next() == Some("unvault")
}

/// Returns whether the filter called `name` renders only what it needs.
pub(crate) fn is_lazy(name: &str) -> bool {
    LAZY.contains(&name)
}
