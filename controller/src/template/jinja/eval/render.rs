//! Runs whole templates, and joins what they emit into a result.
//!
//! The text of a playbook value is special: what it emits becomes text, and text that looks like a list, a dictionary or
//! a boolean becomes that value again ([`conversion`]). A template file is always text.

use std::sync::Arc;

use convoy_protocol::Kind;

use super::{Interpreter, Output};
use crate::template::error::Error;
use crate::template::jinja::python::value::{TextKind, Val};
use crate::template::jinja::python::{conversion, text};
use crate::template::jinja::rendering::Rendering;
use crate::template::jinja::scope::ScopeRef;
use crate::template::jinja::syntax::source::trailing_newlines;
use crate::template::jinja::syntax::{Expr, Template};

impl Rendering<'_> {
    /// Renders the text of a playbook value.
    pub(crate) fn render_text(&self, text: &str, scope: &ScopeRef) -> Result<Val, Error> {
        if let Some(name) = single_variable(text)
            && let Some(raw) = self.raw(scope, name)?
            && matches!(raw.kind, Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_))
        {
            return self.force(&self.lazy(&raw, scope, &name.into()));
        }
        let render = || {
            let template = self.environment.parsed_text(text)?;
            let out = Interpreter::new(self, scope.clone()).run(&template)?;
            self.joined_value(out)
        };
        match render().map_err(|error| error.with_template(text))? {
            Val::Str(result, kind) => {
                let missing = trailing_newlines(text).saturating_sub(trailing_newlines(&result));
                if missing == 0 {
                    Ok(Val::Str(result, kind))
                } else {
                    Ok(Val::text(format!("{result}{}", "\n".repeat(missing))))
                }
            }
            other => Ok(other),
        }
    }

    /// Renders a parsed template file with `extra` names, which take precedence over the variables.
    pub(crate) fn render_template(
        &self,
        template: &Template,
        extra: &[(Arc<str>, Val)],
    ) -> Result<String, Error> {
        let mut interpreter = Interpreter::new(self, ScopeRef::Own);
        for (name, value) in extra {
            interpreter.set(name, value.clone());
        }
        let out = interpreter.run(template)?;
        Ok(text::str(&self.joined_text(out)?))
    }

    /// Evaluates a parsed expression and renders the result in full.
    pub(crate) fn evaluate(&self, expression: &Expr) -> Result<Val, Error> {
        let value = Interpreter::new(self, ScopeRef::Own).eval(expression)?;
        self.force_deep(&value)?.defined()
    }

    /// Joins what a template emitted into a value. A single part may keep its type.
    pub(super) fn joined_value(&self, mut out: Output) -> Result<Val, Error> {
        out.parts.iter().try_for_each(require_defined)?;
        let native = self.environment.options.native;
        if native && out.parts.is_empty() {
            return Ok(Val::None);
        }
        if out.parts.len() != 1 {
            return Ok(conversion::from_text(concatenated(out)?, native));
        }
        let part = out.parts.remove(0);
        if let Val::Str(text, TextKind::Verbatim) = part {
            return Ok(Val::text(text));
        }
        match conversion::kept(&part, native) {
            Some(kept) => Ok(kept),
            None => Ok(conversion::from_text(text::str(&part.known()?), native)),
        }
    }

    /// Joins what a template emitted into text.
    pub(super) fn joined_text(&self, out: Output) -> Result<Val, Error> {
        out.parts.iter().try_for_each(require_defined)?;
        Ok(Val::text(concatenated(out)?))
    }
}

fn concatenated(out: Output) -> Result<String, Error> {
    let parts = out.parts.into_iter().map(Val::known).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.iter().map(text::str).collect())
}

/// Fails if a part of the value is undefined, at any depth: text would show it as Python does.
fn require_defined(value: &Val) -> Result<(), Error> {
    match value {
        Val::Undefined(_) => value.clone().defined().map(drop),
        Val::List(list) => list.items.borrow().iter().try_for_each(require_defined),
        Val::Dict(dict) => dict.items.borrow().values().try_for_each(require_defined),
        _ => Ok(()),
    }
}

/// Returns the name of the variable if the text is nothing but one variable.
fn single_variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.trim_end_matches('\n').strip_suffix("}}")?.trim();
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}
