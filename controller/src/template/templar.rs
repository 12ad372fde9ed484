//! The entry point for rendering: values, conditions, template files and lookups.

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Kind, Map, Taint, Value};

use super::error::{Error, Kind as ErrorKind};
use super::jinja::{self, Environment, Rendering, ScopeRef, Val};
use super::{Context, FileOptions, Options, Scope, file, lookups, template_vars};
use crate::secrets::Vault;
use crate::text::json;

/// Renders templates. There is one per run, shared by all hosts; it keeps parsed templates.
pub struct Templar {
    environment: Environment,
}

/// A template file to be rendered.
#[derive(Debug)]
pub struct File<'a> {
    /// The path of the file.
    pub path: &'a Path,
    /// The file as the task names it.
    pub source: &'a str,
    /// Where the task puts the result.
    pub dest: Option<&'a str>,
    /// How the file is read.
    pub options: FileOptions,
}

impl Templar {
    /// Returns a renderer that decrypts with the passwords of `vault`.
    pub fn new(options: Options, vault: Arc<Vault>) -> Self {
        Self { environment: Environment::new(options, vault, lookups::function) }
    }

    /// Returns the passwords used for decryption.
    pub fn vault(&self) -> &Vault {
        &self.environment.vault
    }

    /// Returns whether the text may contain a template.
    pub fn is_template(text: &str) -> bool {
        jinja::has_template(text)
    }

    fn rendering<'a>(&'a self, scope: &'a dyn Scope, context: &'a Context) -> Rendering<'a> {
        Rendering::new(&self.environment, scope, context)
    }

    /// Renders all text in a value, at any depth. Unsafe text is data and stays as it is. A text that needs a value which
    /// a dry run cannot know becomes unknown.
    ///
    /// # Errors
    ///
    /// If a name is undefined or an expression fails.
    pub fn render(&self, value: &Value, scope: &dyn Scope, context: &Context) -> Result<Value, Error> {
        match &value.kind {
            Kind::Text(text) if !value.taint.is_unsafe() && jinja::has_template(text) => {
                let rendering = self.rendering(scope, context);
                // The text of an encrypted file is secret, and so is what an error message quotes of it.
                rendering.add_source_taint(value.taint);
                let result = rendering
                    .render_text(text, &ScopeRef::Own)
                    .and_then(|result| rendering.to_value(&result));
                let result = finished(&rendering, result).map_err(|error| error.at(value.origin.as_ref()))?;
                Ok(Value { origin: value.origin.clone(), ..result.tainted(value.taint) })
            }
            Kind::Vaulted(_) => {
                let rendering = self.rendering(scope, context);
                let result = rendering.decrypted(value, None).and_then(|text| rendering.to_value(&text));
                let result = finished(&rendering, result)?;
                Ok(Value { origin: value.origin.clone(), ..result.tainted(value.taint) })
            }
            Kind::List(list) if list.iter().any(jinja::needs_rendering) => {
                let items = list
                    .iter()
                    .map(|item| self.render(item, scope, context))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Value { kind: Kind::List(Arc::new(items)), ..value.clone() })
            }
            Kind::Map(map) if map.values().any(jinja::needs_rendering) => {
                let entries = map
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.render(item, scope, context)?)))
                    .collect::<Result<Map, Error>>()?;
                Ok(Value { kind: Kind::Map(Arc::new(entries)), ..value.clone() })
            }
            _ => Ok(value.clone()),
        }
    }

    /// Evaluates an expression that is not within `{{ }}`.
    ///
    /// # Errors
    ///
    /// If the text is not an expression, a name is undefined, or the expression fails.
    pub fn evaluate(&self, expression: &str, scope: &dyn Scope, context: &Context) -> Result<Value, Error> {
        let rendering = self.rendering(scope, context);
        let result = self.evaluated(&rendering, expression).and_then(|result| rendering.to_value(&result));
        finished(&rendering, result)
    }

    fn evaluated(&self, rendering: &Rendering<'_>, expression: &str) -> Result<Val, Error> {
        let evaluate = || rendering.evaluate(&*self.environment.parsed_expression(expression)?);
        evaluate().map_err(|error| {
            error.with_template(&format!("{{% if {expression} %}} True {{% else %}} False {{% endif %}}"))
        })
    }

    /// Decides a condition such as `when`: a boolean, an expression, or a list of which all must hold.
    ///
    /// # Errors
    ///
    /// If it cannot be evaluated. The error names the condition.
    pub fn condition(&self, condition: &Value, scope: &dyn Scope, context: &Context) -> Result<bool, Error> {
        let text = match &condition.kind {
            Kind::Null => return Ok(true),
            Kind::List(list) => {
                for item in list.iter() {
                    if !self.condition(item, scope, context)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            Kind::Bool(b) => return Ok(*b),
            Kind::Int(i) => i.to_string(),
            Kind::Float(x) => x.to_string(),
            Kind::Text(text) => text.to_string(),
            _ => return Err(Error::other(format!("a condition cannot be {}", condition.kind_name()))),
        };
        if text.is_empty() {
            return Ok(true);
        }
        self.text_condition(condition, &text, scope, context).map_err(|error| {
            let mut error = error.at(condition.origin.as_ref()).redacted();
            let text = if condition.taint.is_secret() { json::REDACTED } else { &*text };
            if !matches!(error.kind, ErrorKind::NotYet | ErrorKind::Impure | ErrorKind::Unknown) {
                error.message =
                    format!("The conditional check '{text}' failed. The error was: {}", error.message);
            }
            error.at(condition.origin.as_ref())
        })
    }

    /// Decides a condition that is an expression. If the expression contains a template, the template is rendered first,
    /// and its result is the expression.
    fn text_condition(
        &self,
        condition: &Value,
        text: &str,
        scope: &dyn Scope,
        context: &Context,
    ) -> Result<bool, Error> {
        if condition.taint.is_unsafe() && jinja::has_template(text) {
            return Err(Error::other("Conditional is marked as unsafe, and cannot be evaluated."));
        }
        let mut expression = text.to_owned();
        let mut secret = condition.taint.is_secret();
        if jinja::has_template(text) {
            let rendered = self.render(condition, scope, context)?;
            match &rendered.kind {
                Kind::Bool(b) => return Ok(*b),
                Kind::Text(text) if text.is_empty() => return Ok(false),
                Kind::Unknown(why) => return Err(Error::unknown(why.clone())),
                _ if rendered.taint.is_unsafe() => {
                    return Err(Error::other("Conditional is marked as unsafe, and cannot be evaluated."));
                }
                _ => {}
            }
            secret |= rendered.taint.is_secret();
            let rendering = self.rendering(scope, context);
            expression = jinja::str(&rendering.force_deep(&rendering.data(&rendered))?);
        }
        let rendering = self.rendering(scope, context);
        let result = self.evaluated(&rendering, &expression).and_then(|value| value.truth());
        if secret {
            rendering.add_source_taint(Taint::SECRET);
        }
        with_details(&rendering, result).map_err(|mut error| {
            if error.kind == ErrorKind::Undefined {
                let shown = if secret { json::REDACTED } else { &expression };
                error.message = format!("error while evaluating conditional ({shown}): {}", error.message);
            }
            error
        })
    }

    /// Renders a template file: with Handlebars if its name ends in `.hbs`, else with Jinja.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or rendered. The error has the position in the file.
    pub fn render_file(&self, file: &File<'_>, scope: &dyn Scope, context: &Context) -> Result<Value, Error> {
        let rendering = self.rendering(scope, context);
        let path = file.path;
        let text = rendering.template_text(path).map_err(|error| error.at(context.origin.as_ref()))?;
        let extra =
            template_vars::template_vars(&self.environment.options.managed, file.source, path, file.dest);
        let result = file::render(&rendering, path, &text, &file.options, &extra);
        let result = with_details(&rendering, result.map(Value::from))?;
        Ok(result.tainted(rendering.taint()))
    }

    /// Runs the lookup behind a `with_<name>` loop. The terms and options must be rendered already; the results are data.
    ///
    /// # Errors
    ///
    /// If there is no such lookup or it fails.
    pub fn lookup(
        &self,
        name: &str,
        terms: &Value,
        options: &Map,
        scope: &dyn Scope,
        context: &Context,
    ) -> Result<Vec<Value>, Error> {
        let rendering = self.rendering(scope, context);
        let result = lookups::items(&rendering, name, terms, options);
        let taint = rendering.secret_taint();
        match result {
            Ok(values) => Ok(values.into_iter().map(|value| value.tainted(taint)).collect()),
            Err(error) => Err(error.tainted(taint).at(context.origin.as_ref())),
        }
    }
}

/// Adds the taint of the rendering to its result. If an unknown value was needed, the result is unknown.
fn finished(rendering: &Rendering<'_>, result: Result<Value, Error>) -> Result<Value, Error> {
    let taint = rendering.taint();
    let value = match with_details(rendering, result) {
        Err(error) if error.kind == ErrorKind::Unknown => Value::from(Kind::Unknown(error.message.into())),
        other => other?,
    };
    Ok(value.tainted(taint))
}

/// Adds to an error what the rendering knows: whether it may quote a secret, similar names, the origin.
fn with_details<T>(rendering: &Rendering<'_>, result: Result<T, Error>) -> Result<T, Error> {
    result.map_err(|error| {
        let mut error = error.tainted(rendering.secret_taint());
        error.source_secret |= rendering.has_secret_source();
        error.suggest_from(|| rendering.scope.names()).at(rendering.context.origin.as_ref())
    })
}
