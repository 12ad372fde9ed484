//! Jinja as Ansible runs it: `minijinja` parses, the rest follows Python's rules.

mod access;
mod args;
mod compile;
mod escapes;
mod eval;
mod files;
mod filters;
mod format;
mod functions;
mod header;
mod include;
mod index;
mod literal;
mod methods;
mod ops;
mod outcome;
mod regex;
mod run;
mod scope;
mod source;
mod strings;
mod syntax;
mod template;
mod tests_ansible;
mod tests_jinja;
mod text;
mod unknown;
mod value;
mod version;

pub(crate) use args::Args;
pub(crate) use filters::repr_json;
pub(crate) use format::percent;
pub(crate) use header::{header, set_option};
pub(crate) use outcome::convert;
pub(crate) use regex::compile as compile_regex;
pub(crate) use run::{Expression, Run, needs_rendering};
pub(crate) use scope::ScopeRef;
pub(crate) use source::has_template;
pub(crate) use syntax::Template as Compiled;
pub(crate) use template::Exec;
pub(crate) use text::{repr, str, strftime};
pub(crate) use value::{TextKind, Val};

use std::sync::Arc;

use super::error::Error;
use super::options::FileOptions;

/// Compiles the text of a playbook value: within `{{ }}` a backslash in a literal stands for itself.
pub(crate) fn compile_text(text: &str) -> Result<Compiled, Error> {
    let text = source::normalise(text, &FileOptions::default(), true);
    compile::template(&text, None, FileOptions::default().syntax()?)
}

/// Compiles a template file, or text that is treated like one.
pub(crate) fn compile_file(
    text: &str,
    file: Option<Arc<str>>,
    options: &FileOptions,
) -> Result<Compiled, Error> {
    compile::template(&source::normalise(text, options, false), file, options.syntax()?)
}

/// Compiles a bare expression into a template of one statement.
pub(crate) fn compile_bare(text: &str) -> Result<Compiled, Error> {
    let expr = compile::bare(&source::normalise_expression(text))?;
    let place = syntax::Place { line: 1, column: 1 };
    Ok(Compiled { body: vec![syntax::Stmt { place, kind: syntax::StmtKind::Emit(expr) }], file: None })
}
