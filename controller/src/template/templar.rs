//! The door to rendering.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use convoy_protocol::{Kind, Map, Taint, Value};

use super::error::{Error, Kind as Fault, Position};
use super::jinja::{self, Compiled, Run, ScopeRef, Val};
use super::{Context, FileOptions, Scope, about, handlebars};
use crate::json;
use crate::secrets::Vault;
use crate::settings::Settings;

/// How a whole run renders.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether results keep their type (`jinja2_native`) instead of becoming text.
    pub native: bool,
    /// What `ansible_managed` is in template files.
    pub managed: String,
}

impl Options {
    /// Returns what the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self { native: settings.jinja2_native, managed: settings.ansible_managed.clone() }
    }
}

/// Renders; one per run, shared by all hosts. Compiled templates are kept.
#[derive(Default)]
pub struct Templar {
    options: Options,
    vault: Arc<Vault>,
    texts: Mutex<HashMap<Arc<str>, Arc<Compiled>>>,
    bare: Mutex<HashMap<Arc<str>, Arc<Compiled>>>,
}

/// A template file that is to be rendered.
#[derive(Debug)]
pub struct File<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// What it is called by the task.
    pub source: &'a str,
    /// Where the task puts what is made of it.
    pub dest: Option<&'a str>,
    /// How it is read.
    pub options: FileOptions,
}

impl Templar {
    /// Makes a renderer that decrypts with the passwords of `vault`.
    pub fn new(options: Options, vault: Arc<Vault>) -> Self {
        Self { options, vault, ..Self::default() }
    }

    /// Returns the passwords of what is encrypted.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Returns whether the text may hold a template.
    pub fn is_template(text: &str) -> bool {
        jinja::has_template(text)
    }

    /// Renders all text in a value, however deep. Unsafe text is data and stays as it is. What needs a value that a
    /// dry run cannot know is unknown itself.
    ///
    /// # Errors
    /// Fails if a name is not there or an expression cannot be computed.
    pub fn render(&self, value: &Value, scope: &dyn Scope, context: &Context) -> Result<Value, Error> {
        match &value.kind {
            Kind::Text(text) if !value.taint.is_unsafe() && jinja::has_template(text) => {
                let run = Run::new(self, scope, context);
                // Text of an encrypted file is itself secret, and so is what a message quotes of it.
                run.add_taint(value.taint);
                run.source_secret.set(value.taint.is_secret());
                let result = run.render_text(text, &ScopeRef::Own).and_then(|made| run.value(&made));
                let made = outcome(&run, result, context).map_err(|error| error.at(value.origin.as_ref()))?;
                let made = made.tainted(value.taint);
                Ok(Value { origin: value.origin.clone(), ..made })
            }
            Kind::Vaulted(_) => {
                let run = Run::new(self, scope, context);
                let result = run.decrypted(value, None).and_then(|made| run.value(&made));
                let made = outcome(&run, result, context)?;
                Ok(Value { origin: value.origin.clone(), ..made.tainted(value.taint) })
            }
            Kind::List(list) if list.iter().any(needs) => {
                let made = list
                    .iter()
                    .map(|item| self.render(item, scope, context))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Value { kind: Kind::List(Arc::new(made)), ..value.clone() })
            }
            Kind::Map(map) if map.values().any(needs) => {
                let made = map
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.render(item, scope, context)?)))
                    .collect::<Result<Map, Error>>()?;
                Ok(Value { kind: Kind::Map(Arc::new(made)), ..value.clone() })
            }
            _ => Ok(value.clone()),
        }
    }

    /// Computes a bare expression.
    ///
    /// # Errors
    /// Fails if the text is no expression, if a name is not there, or if it cannot be computed.
    pub fn evaluate(&self, expression: &str, scope: &dyn Scope, context: &Context) -> Result<Value, Error> {
        let run = Run::new(self, scope, context);
        let result = self.evaluated(&run, expression).and_then(|made| run.value(&made));
        outcome(&run, result, context)
    }

    fn evaluated(&self, run: &Run<'_>, expression: &str) -> Result<Val, Error> {
        let work = || {
            let compiled = cached(&self.bare, expression, jinja::compile_bare)?;
            jinja::Expression::value(run, &compiled)
        };
        work().map_err(|error| {
            error.about(&format!("{{% if {expression} %}} True {{% else %}} False {{% endif %}}"))
        })
    }

    /// Decides a condition as `when` does: a boolean, an expression, or a list of them that must all hold.
    ///
    /// # Errors
    /// Fails, naming the condition, if it cannot be computed.
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
        self.condition_text(condition, &text, scope, context).map_err(|error| {
            let mut error = error.at(condition.origin.as_ref()).shown();
            let text = if condition.taint.is_secret() { json::REDACTED } else { &*text };
            if !matches!(error.kind, Fault::NotYet | Fault::Impure | Fault::Unknown) {
                error.message =
                    format!("The conditional check '{text}' failed. The error was: {}", error.message);
            }
            error.at(condition.origin.as_ref())
        })
    }

    fn condition_text(
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
            let made = self.render(condition, scope, context)?;
            match &made.kind {
                Kind::Bool(b) => return Ok(*b),
                Kind::Text(text) if text.is_empty() => return Ok(false),
                Kind::Unknown(why) => return Err(Error::unknown(why.clone())),
                _ if made.taint.is_unsafe() => {
                    return Err(Error::other("Conditional is marked as unsafe, and cannot be evaluated."));
                }
                _ => {}
            }
            secret |= made.taint.is_secret();
            let run = Run::new(self, scope, context);
            expression = jinja::str(&run.resolve(&run.data(&made))?);
        }
        let run = Run::new(self, scope, context);
        let result = self.evaluated(&run, &expression).and_then(|made| made.truth());
        if secret {
            run.add_taint(Taint::SECRET);
            run.source_secret.set(true);
        }
        outcome_of(&run, result, context).map_err(|mut error| {
            if error.kind == Fault::Undefined {
                let shown = if secret { json::REDACTED } else { &expression };
                error.message = format!("error while evaluating conditional ({shown}): {}", error.message);
            }
            error
        })
    }

    /// Renders a template file: Handlebars if it is called `.hbs`, else Jinja.
    ///
    /// # Errors
    /// Fails if the file cannot be read or rendered; the error says where in the file.
    pub fn render_file(&self, file: &File<'_>, scope: &dyn Scope, context: &Context) -> Result<Value, Error> {
        let run = Run::new(self, scope, context);
        let path = file.path;
        let text = run.template_text(path).map_err(|error| error.at(context.origin.as_ref()))?;
        let about = about::names(&self.options.managed, file.source, path, file.dest);
        let result = self.render_template(&run, path, &text, &file.options, &about);
        let made = outcome_of(&run, result.map(Value::from), context)?;
        Ok(made.tainted(run.taint()))
    }

    /// Renders a file's text, by the engine that its name calls for, with `extra` names that hide the variables.
    pub(super) fn render_template(
        &self,
        run: &Run<'_>,
        path: &Path,
        text: &str,
        options: &FileOptions,
        extra: &[(Arc<str>, Val)],
    ) -> Result<String, Error> {
        if path.extension().is_some_and(|extension| extension == "hbs") {
            return handlebars::render(run, path, text, extra);
        }
        let mut options = options.clone();
        let body = jinja::header(text, &mut options)?;
        let file: Arc<str> = path.to_string_lossy().into();
        let shift = u32::from(body.len() != text.len());
        let down = |mut error: Error| {
            if let Some(Position { line, file: at, .. }) = &mut error.position
                && *at == file
            {
                *line += shift;
            }
            error
        };
        let unix = body.replace("\r\n", "\n").replace('\r', "\n");
        let compiled =
            jinja::compile_file(&unix, Some(file.clone()), &options).map_err(|e| down(e.about(text)))?;
        let made = jinja::Expression::text(run, &compiled, extra).map_err(|e| down(e.about(text)))?;
        let lines = |text: &str| text.bytes().rev().take_while(|b| *b == b'\n').count();
        let missing = lines(&unix).saturating_sub(lines(&made));
        Ok((made + &"\n".repeat(missing)).replace('\n', &options.newline_sequence))
    }

    pub(super) fn compiled(&self, text: &str) -> Result<Arc<Compiled>, Error> {
        cached(&self.texts, text, jinja::compile_text)
    }
}

fn needs(value: &Value) -> bool {
    jinja::needs_rendering(value)
}

type Cache = Mutex<HashMap<Arc<str>, Arc<Compiled>>>;

fn cached(
    cache: &Cache,
    text: &str,
    make: fn(&str) -> Result<Compiled, Error>,
) -> Result<Arc<Compiled>, Error> {
    if let Some(known) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
        return Ok(known.clone());
    }
    let made = Arc::new(make(text)?);
    cache.lock().unwrap_or_else(PoisonError::into_inner).insert(text.into(), made.clone());
    Ok(made)
}

fn outcome(run: &Run<'_>, result: Result<Value, Error>, context: &Context) -> Result<Value, Error> {
    let taint = run.taint();
    let value = match outcome_of(run, result, context) {
        Err(error) if error.kind == Fault::Unknown => Value::from(Kind::Unknown(error.message.into())),
        other => other?,
    };
    Ok(value.tainted(taint))
}

fn outcome_of<T>(run: &Run<'_>, result: Result<T, Error>, context: &Context) -> Result<T, Error> {
    result.map_err(|mut error| {
        let secret = if run.taint().is_secret() { Taint::SECRET } else { Taint::NONE };
        error.taint = error.taint | secret;
        error.source_secret |= run.source_secret.get();
        error.among(|| run.scope.names()).at(context.origin.as_ref())
    })
}
