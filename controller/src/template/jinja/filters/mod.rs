//! The filters, by theme.

mod combine;
mod data;
mod encode;
mod json;
mod lists;
mod numbers;
mod path;
mod regex;
mod sets;
mod shape;
mod text;
mod time;
mod vault;
mod yaml;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::rendering::Filter;

pub(crate) use json::repr_json;

/// Filters that must not render all that they are given: most of it may never be needed, or may be undefined.
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

/// The filter called `name`.
pub(crate) fn find(name: &str) -> Option<Filter> {
    static TABLE: OnceLock<HashMap<&'static str, Filter>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let themes = [
            combine::FILTERS,
            data::FILTERS,
            encode::FILTERS,
            json::FILTERS,
            lists::FILTERS,
            numbers::FILTERS,
            path::FILTERS,
            regex::FILTERS,
            sets::FILTERS,
            shape::FILTERS,
            text::FILTERS,
            time::FILTERS,
            vault::FILTERS,
            yaml::FILTERS,
        ];
        themes.into_iter().flatten().copied().collect()
    });
    table.get(name).copied()
}

/// Whether the filter called `name` takes what is encrypted as it is.
pub(crate) fn takes_encrypted(name: &str) -> bool {
    name.rsplit('.').next() == Some("unvault")
}

/// Whether the filter called `name` renders only what it needs.
pub(crate) fn is_lazy(name: &str) -> bool {
    LAZY.contains(&name)
}
