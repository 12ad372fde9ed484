//! Rendering: Jinja for playbooks and template files, Handlebars for `.hbs` files.
//!
//! [`Templar`] is the entry point. It renders values, conditions, template files and the lookups of `with_` loops. The
//! variables come through the trait [`Scope`], so this module knows neither plays nor hosts.
//!
//! From bottom to top: `jinja` is the engine; `handlebars` renders `.hbs` files with the variables that `jinja` reads;
//! `file` chooses between the two; `lookups` are the lookup plugins; `templar` puts them together.

mod context;
mod encoding;
mod error;
mod file;
mod glob;
mod handlebars;
mod jinja;
mod lookups;
mod omit;
mod options;
mod templar;
mod template_vars;
#[cfg(test)]
mod tests;
pub mod unknown;

pub use context::{Context, Scope};
pub use error::{Error, Kind, Position};
pub(crate) use jinja::compile_regex;
pub use omit::omit_token;
pub use options::{FileOptions, Options};
pub use templar::{File, Templar};
