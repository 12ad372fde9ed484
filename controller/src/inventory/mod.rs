//! The inventory: which hosts there are, in which groups, with which variables.

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
