//! Handlebars for `.hbs` files.
//!
//! The crate `handlebars` renders from JSON, so the variables have to be known before it starts: [`Names`] collects the
//! names that the parsed template uses, and only those are rendered. An undefined name is an error, even in `#if`, where
//! the crate's strict mode accepts it. Nothing is HTML-escaped.

use std::path::Path;
use std::sync::Arc;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson,
    Template,
};
use serde_json::Value as Json;

use super::error::{Error, Kind, Position};
use super::jinja::{Rendering, ScopeRef, Val, repr_json};

/// The helpers of the crate.
const BUILT_IN: [&str; 6] = ["if", "unless", "each", "with", "lookup", "log"];

/// The helpers of this module.
const HELPERS: [&str; 14] =
    ["eq", "ne", "lt", "gt", "lte", "gte", "and", "or", "not", "default", "lower", "upper", "json", "join"];

/// Renders a Handlebars template, with `extra` names that take precedence over the variables.
pub(super) fn render(
    rendering: &Rendering<'_>,
    path: &Path,
    text: &str,
    extra: &[(Arc<str>, Val)],
) -> Result<String, Error> {
    let file: Arc<str> = path.to_string_lossy().into();
    let position = |line: usize, column: usize| Position {
        file: file.clone(),
        line: u32::try_from(line).unwrap_or(0),
        column: u32::try_from(column).unwrap_or(0),
    };
    let template = Template::compile(text).map_err(|e| {
        let mut error = Error::new(Kind::Syntax, syntax_message(&e.reason().to_string()));
        error.position = e.pos().map(|(line, column)| position(line, column));
        error
    })?;
    let mut names = Names { used: Vec::new(), scoped: 0, optional: false };
    names.template(&template);
    let mut data = serde_json::Map::new();
    for name in names.used {
        let extra = extra.iter().find(|(extra, _)| **extra == *name.name).map(|(_, value)| value.clone());
        let value =
            extra.map_or_else(|| rendering.variable(&ScopeRef::Own, &name.name), |value| Ok(Some(value)))?;
        match value {
            Some(value) => {
                let value = rendering.force_deep(&value)?;
                if value.is_undefined() && name.optional {
                    continue;
                }
                let json = repr_json(&value.known()?)?;
                let json =
                    serde_json::from_str(&json).map_err(|e| Error::other(format!("'{}': {e}", name.name)))?;
                data.insert(name.name, json);
            }
            None if name.optional || data.contains_key(&name.name) => {}
            None => {
                if let Some(why) = rendering.scope.unknown_rest() {
                    return Err(Error::unknown(why));
                }
                let mut error =
                    Error::undefined(format!("'{}' is undefined", name.name)).with_name(name.name);
                error.position = Some(position(name.at.0, name.at.1));
                return Err(error);
            }
        }
    }
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(handlebars::no_escape);
    engine.register_template("template", template);
    for name in HELPERS {
        engine.register_helper(name, Box::new(NamedHelper(name)));
    }
    engine.render("template", &Json::Object(data)).map_err(|e| {
        let kind = if matches!(e.reason(), RenderErrorReason::MissingVariable(_)) {
            Kind::Undefined
        } else {
            Kind::Other
        };
        let mut error = Error::new(kind, e.reason().to_string());
        error.position = e.line_no.zip(e.column_no).map(|(line, column)| position(line, column));
        error
    })
}

/// A use of a variable.
struct Name {
    name: String,
    /// Line and column.
    at: (usize, usize),
    /// Whether the variable may be undefined: it is passed to `default`, or may be a member of an item.
    optional: bool,
}

/// The variables that a template uses, collected by walking through its syntax tree.
struct Names {
    used: Vec<Name>,
    /// The number of enclosing blocks in which a name may be a member of an item instead of a variable.
    scoped: usize,
    /// Whether the current expression is passed to `default`.
    optional: bool,
}

impl Names {
    fn template(&mut self, template: &Template) {
        for (element, mapping) in template.elements.iter().zip(&template.mapping) {
            let at = (mapping.0, mapping.1);
            match element {
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.helper(helper, at);
                }
                TemplateElement::HelperBlock(helper) => self.helper(helper, at),
                _ => {}
            }
        }
    }

    fn helper(&mut self, helper: &HelperTemplate, at: (usize, usize)) {
        let name = helper.name.as_name().unwrap_or_default();
        if helper.params.is_empty()
            && helper.hash.is_empty()
            && !helper.block
            && !HELPERS.contains(&name)
            && !BUILT_IN.contains(&name)
        {
            self.parameter(&helper.name, at);
        }
        let outer = std::mem::replace(&mut self.optional, name == "default");
        for parameter in helper.params.iter().chain(helper.hash.values()) {
            self.parameter(parameter, at);
        }
        self.optional = outer;
        let scoped = usize::from(matches!(name, "each" | "with"));
        self.scoped += scoped;
        if let Some(inner) = &helper.template {
            self.template(inner);
        }
        self.scoped -= scoped;
        if let Some(inverse) = &helper.inverse {
            self.template(inverse);
        }
    }

    fn parameter(&mut self, parameter: &Parameter, at: (usize, usize)) {
        match parameter {
            Parameter::Name(name) => self.name(name, at),
            Parameter::Path(handlebars::Path::Relative((_, raw))) => self.name(raw, at),
            Parameter::Subexpression(inner) => {
                let outer = std::mem::replace(&mut self.optional, inner.name() == "default");
                for parameter in inner
                    .params()
                    .into_iter()
                    .flatten()
                    .chain(inner.hash().into_iter().flat_map(|h| h.values()))
                {
                    self.parameter(parameter, at);
                }
                self.optional = outer;
            }
            _ => {}
        }
    }

    fn name(&mut self, raw: &str, at: (usize, usize)) {
        let root = raw.starts_with("@root") || raw.starts_with("../");
        let raw = raw.trim_start_matches("@root").trim_start_matches("../").trim_start_matches(['/', '.']);
        let name = raw.split(['.', '/', '[']).next().unwrap_or_default();
        if name.is_empty() || name.starts_with('@') || name == "this" {
            return;
        }
        let optional = self.optional || (self.scoped > 0 && !root);
        self.used.push(Name { name: name.to_owned(), at, optional });
    }
}

/// One of [`HELPERS`].
struct NamedHelper(&'static str);

impl HelperDef for NamedHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let name = self.0;
        let values: Vec<&Json> = helper.params().iter().map(handlebars::PathAndJson::value).collect();
        let missing = helper.params().iter().find(|param| param.is_value_missing());
        if let (Some(missing), true) = (missing, name != "default") {
            return Err(RenderErrorReason::MissingVariable(missing.relative_path().cloned()).into());
        }
        let parameter =
            |n: usize| values.get(n).copied().ok_or(RenderErrorReason::ParamNotFoundForIndex(name, n));
        let (first, second) = (parameter(0)?, values.get(1).copied());
        let required = || second.ok_or(RenderErrorReason::ParamNotFoundForIndex(name, 1));
        let order = || -> Result<Option<std::cmp::Ordering>, RenderError> {
            let second = required()?;
            Ok(match (first.as_f64(), second.as_f64()) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                _ => Some(first.as_str().unwrap_or_default().cmp(second.as_str().unwrap_or_default())),
            })
        };
        Ok(ScopedJson::Derived(match name {
            "eq" => Json::Bool(first == required()?),
            "ne" => Json::Bool(first != required()?),
            "lt" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_lt)),
            "gt" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_gt)),
            "lte" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_le)),
            "gte" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_ge)),
            "and" => Json::Bool(values.iter().all(|value| truthy(value))),
            "or" => Json::Bool(values.iter().any(|value| truthy(value))),
            "not" => Json::Bool(!truthy(first)),
            "default" => (if first.is_null() { required()? } else { first }).clone(),
            "lower" => Json::String(plain_text(first).to_lowercase()),
            "upper" => Json::String(plain_text(first).to_uppercase()),
            "json" => Json::String(first.to_string()),
            _ => {
                let separator = second.map_or_else(|| ", ".to_owned(), plain_text);
                let items = first.as_array().map(Vec::as_slice).unwrap_or_default();
                Json::String(items.iter().map(plain_text).collect::<Vec<_>>().join(&separator))
            }
        }))
    }
}

/// Returns text without quotes, and any other value as JSON.
fn plain_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn truthy(value: &Json) -> bool {
    use handlebars::JsonTruthy;
    value.is_truthy(false)
}

/// Returns the message of the parser, without the names of its internal rules.
fn syntax_message(text: &str) -> String {
    match text.split_once(": expected ") {
        Some((what, rules)) if rules.contains('_') => what.to_owned(),
        _ => text.to_owned(),
    }
}
