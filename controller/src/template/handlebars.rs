//! Handlebars for `.hbs` files: only the names that the template uses are resolved, and an unknown one is an error.

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

const BLOCKS: [&str; 6] = ["if", "unless", "each", "with", "lookup", "log"];
const HELPERS: [&str; 14] =
    ["eq", "ne", "lt", "gt", "lte", "gte", "and", "or", "not", "default", "lower", "upper", "json", "join"];

/// Renders a Handlebars template, with `extra` names that hide the variables.
pub(super) fn render(
    rendering: &Rendering<'_>,
    path: &Path,
    text: &str,
    extra: &[(Arc<str>, Val)],
) -> Result<String, Error> {
    let file: Arc<str> = path.to_string_lossy().into();
    let place = |line: usize, column: usize| Position {
        file: file.clone(),
        line: u32::try_from(line).unwrap_or(0),
        column: u32::try_from(column).unwrap_or(0),
    };
    let template = Template::compile(text).map_err(|e| {
        let mut error = Error::new(Kind::Syntax, said(&e.reason().to_string()));
        error.position = e.pos().map(|(line, column)| place(line, column));
        error
    })?;
    let mut names = Names { found: Vec::new(), scoped: 0, optional: false };
    names.template(&template);
    let mut data = serde_json::Map::new();
    for name in names.found {
        let about = extra.iter().find(|(known, _)| **known == *name.name).map(|(_, value)| value.clone());
        let found =
            about.map_or_else(|| rendering.variable(&ScopeRef::Own, &name.name), |value| Ok(Some(value)));
        match found {
            Ok(Some(value)) => {
                let value = rendering.force_deep(&value)?;
                if value.is_undefined() && name.optional {
                    continue;
                }
                let json = repr_json(&value.known()?)?;
                let json =
                    serde_json::from_str(&json).map_err(|e| Error::other(format!("'{}': {e}", name.name)))?;
                data.insert(name.name, json);
            }
            Ok(None) if name.optional || data.contains_key(&name.name) => {}
            Ok(None) => {
                if let Some(why) = rendering.scope.unknown_rest() {
                    return Err(Error::unknown(why));
                }
                let mut error =
                    Error::undefined(format!("'{}' is undefined", name.name)).with_name(name.name);
                error.position = Some(place(name.at.0, name.at.1));
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(handlebars::no_escape);
    engine.register_template("template", template);
    for name in HELPERS {
        engine.register_helper(name, Box::new(Builtin(name)));
    }
    engine.render("template", &Json::Object(data)).map_err(|e| {
        let kind = if matches!(e.reason(), RenderErrorReason::MissingVariable(_)) {
            Kind::Undefined
        } else {
            Kind::Other
        };
        let mut error = Error::new(kind, e.reason().to_string());
        error.position = e.line_no.zip(e.column_no).map(|(line, column)| place(line, column));
        error
    })
}

struct Name {
    name: String,
    at: (usize, usize),
    /// Given to `default`, so it may be absent.
    optional: bool,
}

/// The names of variables that a template uses.
struct Names {
    found: Vec<Name>,
    /// How many blocks change what a name means: within them an unknown name belongs to an item.
    scoped: usize,
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
            && !BLOCKS.contains(&name)
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
        self.found.push(Name { name: name.to_owned(), at, optional });
    }
}

/// A helper of ours, by name.
struct Builtin(&'static str);

impl HelperDef for Builtin {
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
        let wanted =
            |n: usize| values.get(n).copied().ok_or(RenderErrorReason::ParamNotFoundForIndex(name, n));
        let (first, second) = (wanted(0)?, values.get(1).copied());
        let needed = || second.ok_or(RenderErrorReason::ParamNotFoundForIndex(name, 1));
        let order = || -> Result<Option<std::cmp::Ordering>, RenderError> {
            let second = needed()?;
            Ok(match (first.as_f64(), second.as_f64()) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                _ => Some(first.as_str().unwrap_or_default().cmp(second.as_str().unwrap_or_default())),
            })
        };
        Ok(ScopedJson::Derived(match name {
            "eq" => Json::Bool(first == needed()?),
            "ne" => Json::Bool(first != needed()?),
            "lt" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_lt)),
            "gt" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_gt)),
            "lte" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_le)),
            "gte" => Json::Bool(order()?.is_some_and(std::cmp::Ordering::is_ge)),
            "and" => Json::Bool(values.iter().all(|value| truthy(value))),
            "or" => Json::Bool(values.iter().any(|value| truthy(value))),
            "not" => Json::Bool(!truthy(first)),
            "default" => (if first.is_null() { needed()? } else { first }).clone(),
            "lower" => Json::String(plain(first).to_lowercase()),
            "upper" => Json::String(plain(first).to_uppercase()),
            "json" => Json::String(first.to_string()),
            _ => {
                let separator = second.map_or_else(|| ", ".to_owned(), plain);
                let items = first.as_array().map(Vec::as_slice).unwrap_or_default();
                Json::String(items.iter().map(plain).collect::<Vec<_>>().join(&separator))
            }
        }))
    }
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn truthy(value: &Json) -> bool {
    use handlebars::JsonTruthy;
    value.is_truthy(false)
}

/// Returns what the parser says, less the names of its own rules.
fn said(text: &str) -> String {
    match text.split_once(": expected ") {
        Some((what, rules)) if rules.contains('_') => what.to_owned(),
        _ => text.to_owned(),
    }
}
