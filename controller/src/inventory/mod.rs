//! The inventory: hosts, groups, and their variables.
//!
//! `model` has the types, `graph` the relations between hosts and groups. `source` loads an inventory with the readers
//! for each format: `ini`, `tree` (YAML), `script`, and the plugin `constructed`. `pattern` selects hosts, `vars` orders
//! the variables of a host by precedence, and `addition` adds hosts and groups during a run.

mod addition;
mod address;
mod constructed;
mod graph;
mod ini;
mod literal;
mod model;
mod options;
mod pattern;
mod script;
mod source;
mod tree;
mod vars;
mod words;

pub use address::split_port;
pub use model::{Addition, Group, Host, Inventory, LOCALHOST};
pub use options::Options;
pub use pattern::Selection;
pub use vars::LayerKind;

#[cfg(test)]
mod tests;
