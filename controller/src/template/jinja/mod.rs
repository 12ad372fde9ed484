//! Jinja as Ansible runs it. The crate `minijinja` parses; everything else follows Python's rules, which its evaluator does
//! not.
//!
//! From bottom to top, each module knows only those before it:
//!
//! - [`syntax`]: from text to a syntax tree;
//! - [`python`]: values, operators and text forms;
//! - [`rendering`]: the state of one rendering, lazy variables, access to members, methods;
//! - `filters` and `test_plugins`;
//! - `eval`: the interpreter.

mod eval;
mod filters;
mod header;
mod python;
mod rendering;
mod scope;
mod syntax;
mod test_plugins;

pub(crate) use filters::repr_json;
pub(crate) use header::{header, set_option};
pub(crate) use python::args::Args;
pub(crate) use python::conversion;
pub(crate) use python::format::percent;
pub(crate) use python::regex::compile as compile_regex;
pub(crate) use python::sequences::product;
pub(crate) use python::text::{repr, str, strftime};
pub(crate) use python::value::{TextKind, Val};
pub(crate) use rendering::{Environment, Rendering, needs_rendering};
pub(crate) use scope::ScopeRef;
pub(crate) use syntax::parse::template_file as parse_template_file;
pub(crate) use syntax::source::{has_template, trailing_newlines};
