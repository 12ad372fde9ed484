//! Rendering: Jinja for playbooks and templates, Handlebars for `.hbs` files, behind one door.

mod about;
mod context;
mod encoding;
mod error;
mod glob;
mod handlebars;
mod jinja;
mod lookups;
mod omit;
mod options;
mod templar;
#[cfg(test)]
mod tests;
pub mod unknown;

pub use context::{Context, Scope};
pub use error::{Error, Kind, Position};
pub(crate) use jinja::compile_regex;
pub use lookups::lookup;
pub use omit::omit_token;
pub use options::FileOptions;
pub use templar::{File, Options, Templar};
