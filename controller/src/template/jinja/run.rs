//! One rendering: variables rendered on first use, what was read, and the cycles that are found on the way.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::{Key, Kind, Map, Taint, Value};

use super::args::Args;
use super::outcome::{convert, keep};
use super::scope::ScopeRef;
use super::source::has_template;
use super::template::{Exec, Out};
use super::value::{Lazy, LazyState, TextKind, Val};
use super::{filters, tests_ansible, tests_jinja, text, unknown};
use crate::template::error::{Error, Kind as Fault};
use crate::template::{Context, Scope, Templar};

/// How many variables may need each other in a row.
const MAX_TRAIL: usize = 60;

/// Filters whose text stays text even if it looks like a list.
const VERBATIM: [&str; 5] = ["string", "to_json", "to_nice_json", "to_yaml", "to_nice_yaml"];

/// What becomes of the pieces that a template puts out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// They are joined; text that looks like a list, a dictionary or a boolean becomes one.
    Convert,
    /// They are joined and stay text.
    Plain,
}

/// Variables already met, by host and name.
type Known = HashMap<(Arc<str>, Arc<str>), Val>;

/// One rendering for one caller.
pub(crate) struct Run<'a> {
    pub(crate) templar: &'a Templar,
    pub(crate) scope: &'a dyn Scope,
    pub(crate) context: &'a Context,
    taint: Cell<Taint>,
    /// Whether the text of a template was encrypted.
    pub(crate) source_secret: Cell<bool>,
    trail: RefCell<Vec<Arc<str>>>,
    known: RefCell<Known>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(templar: &'a Templar, scope: &'a dyn Scope, context: &'a Context) -> Self {
        Self {
            templar,
            scope,
            context,
            taint: Cell::new(Taint::NONE),
            source_secret: Cell::new(false),
            trail: RefCell::default(),
            known: RefCell::default(),
        }
    }

    /// What has been read so far.
    pub(crate) fn taint(&self) -> Taint {
        self.taint.get()
    }

    pub(crate) fn add_taint(&self, taint: Taint) {
        self.taint.set(self.taint.get() | taint);
    }

    /// Returns why a name that has no value may have one when the run is in earnest.
    pub(crate) fn unknown_rest(&self, scope: &ScopeRef) -> Option<Arc<str>> {
        match scope {
            ScopeRef::Own => self.scope.unknown_rest(),
            ScopeRef::Host(_, other) => other.unknown_rest(),
        }
    }

    /// Fails while looking ahead.
    pub(crate) fn impure(&self, what: &str) -> Result<(), Error> {
        if self.context.impure_allowed { Ok(()) } else { Err(Error::impure(what)) }
    }

    pub(super) fn raw(&self, scope: &ScopeRef, name: &str) -> Result<Option<Value>, Error> {
        match scope {
            ScopeRef::Own => self.scope.get(name),
            ScopeRef::Host(_, other) => other.get(name),
        }
    }

    /// The variable called `name`, rendered as far as its outermost part.
    pub(crate) fn variable(&self, scope: &ScopeRef, name: &str) -> Result<Option<Val>, Error> {
        let key = (Arc::from(scope.host()), Arc::from(name));
        if let Some(known) = self.known.borrow().get(&key) {
            return self.force(known).map(Some);
        }
        let Some(value) = self.raw(scope, name)? else {
            return Ok(None);
        };
        let lazy = self.part(&value, scope, &key.1);
        self.known.borrow_mut().insert(key, lazy.clone());
        self.force(&lazy).map(Some)
    }

    /// A value of a variable as a part to be rendered on use.
    pub(crate) fn part(&self, value: &Value, scope: &ScopeRef, name: &Arc<str>) -> Val {
        let plain = value.taint == Taint::NONE;
        match &value.kind {
            Kind::Null if plain => Val::None,
            Kind::Bool(b) if plain => Val::Bool(*b),
            Kind::Int(i) if plain => Val::Int(*i),
            Kind::Float(x) if plain => Val::Float(*x),
            Kind::Text(text) if plain && !has_template(text) => Val::Str(text.clone(), text_kind(value)),
            _ => Val::Lazy(Rc::new(Lazy {
                state: RefCell::new(LazyState::Raw(value.clone())),
                scope: scope.clone(),
                name: name.clone(),
            })),
        }
    }

    /// Renders the outermost part of a value.
    pub(crate) fn force(&self, value: &Val) -> Result<Val, Error> {
        let Val::Lazy(lazy) = value else {
            return Ok(value.clone());
        };
        let state = std::mem::replace(&mut *lazy.state.borrow_mut(), LazyState::Running);
        let raw = match state {
            LazyState::Raw(raw) => raw,
            LazyState::Done(value) => {
                *lazy.state.borrow_mut() = LazyState::Done(value.clone());
                return Ok(value);
            }
            LazyState::Running => return Err(self.cycle(&lazy.name)),
        };
        if self.trail.borrow().len() >= MAX_TRAIL {
            return Err(self.cycle(&lazy.name));
        }
        self.trail.borrow_mut().push(lazy.name.clone());
        let result = self.open(&raw, lazy);
        self.trail.borrow_mut().pop();
        *lazy.state.borrow_mut() = match &result {
            Ok(value) => LazyState::Done(value.clone()),
            Err(_) => LazyState::Raw(raw),
        };
        result
    }

    fn cycle(&self, name: &Arc<str>) -> Error {
        let trail = self.trail.borrow();
        let start = trail.iter().position(|other| other == name).unwrap_or(0);
        let mut names: Vec<&str> = trail[start..].iter().map(|name| &**name).collect();
        names.dedup();
        names.push(name);
        Error::new(Fault::Cycle, format!("recursive loop detected in template string: {}", names.join(" → ")))
    }

    fn open(&self, raw: &Value, lazy: &Lazy) -> Result<Val, Error> {
        self.add_taint(raw.taint);
        self.source_secret.set(self.source_secret.get() || raw.taint.is_secret());
        Ok(match &raw.kind {
            Kind::Null => Val::None,
            Kind::Bool(b) => Val::Bool(*b),
            Kind::Int(i) => Val::Int(*i),
            Kind::Float(x) => Val::Float(*x),
            Kind::Bytes(bytes) => Val::Bytes(bytes.clone()),
            Kind::Unknown(why) => Val::Unknown(why.clone()),
            Kind::Vaulted(_) => self.decrypted(raw, Some(&lazy.name))?,
            Kind::List(list) => {
                Val::list(list.iter().map(|item| self.part(item, &lazy.scope, &lazy.name)).collect())
            }
            Kind::Map(map) => Val::dict(
                map.iter()
                    .map(|(key, item)| (key.clone(), self.part(item, &lazy.scope, &lazy.name)))
                    .collect(),
            ),
            Kind::Text(text) if raw.taint.is_unsafe() || !has_template(text) => {
                Val::Str(text.clone(), text_kind(raw))
            }
            Kind::Text(text) => match self.render_text(text, &lazy.scope) {
                Err(error) if error.kind == Fault::Undefined => {
                    let secret = raw.taint.is_secret();
                    Val::Undefined(Rc::new(super::value::Undefined {
                        message: if secret { error.to_string() } else { format!("{text}: {error}") },
                        name: Some(lazy.name.clone()),
                        missing: error.name,
                        lenient: false,
                    }))
                }
                Err(error) if error.kind == Fault::Unknown => Val::Unknown(error.message.into()),
                result => result?,
            },
        })
    }

    /// Renders all parts of a value, in place.
    pub(crate) fn resolve(&self, value: &Val) -> Result<Val, Error> {
        let value = self.force(value)?;
        match &value {
            Val::List(list) => {
                let len = list.items.borrow().len();
                for i in 0..len {
                    let item = list.items.borrow().get(i).cloned();
                    if let Some(item @ (Val::Lazy(_) | Val::List(_) | Val::Dict(_))) = item {
                        let resolved = self.resolve(&item)?;
                        if let Some(slot) = list.items.borrow_mut().get_mut(i) {
                            *slot = resolved;
                        }
                    }
                }
            }
            Val::Dict(dict) => {
                let len = dict.items.borrow().len();
                for i in 0..len {
                    let item = dict.items.borrow().get_index(i).map(|(_, item)| item.clone());
                    if let Some(item @ (Val::Lazy(_) | Val::List(_) | Val::Dict(_))) = item {
                        let resolved = self.resolve(&item)?;
                        if let Some((_, slot)) = dict.items.borrow_mut().get_index_mut(i) {
                            *slot = resolved;
                        }
                    }
                }
            }
            Val::Vars(_) => return self.resolve(&self.vars_dict(&value)?),
            _ => {}
        }
        Ok(value)
    }

    /// All variables of a scope as a dictionary of parts.
    pub(crate) fn vars_dict(&self, vars: &Val) -> Result<Val, Error> {
        let Val::Vars(scope) = vars else {
            return Ok(vars.clone());
        };
        let names = match scope {
            ScopeRef::Own => self.scope.names(),
            ScopeRef::Host(_, other) => other.names(),
        };
        let mut items = indexmap::IndexMap::new();
        for name in names {
            if let Some(value) = self.raw(scope, &name)? {
                items.insert(Key::Text(name.clone()), self.part(&value, scope, &name));
            }
        }
        Ok(Val::dict(items))
    }

    /// The items that a `for` would see, each rendered in its outermost part.
    pub(crate) fn items(&self, value: &Val) -> Result<Vec<Val>, Error> {
        let value = self.force(value)?;
        if let Some(why) = value.unknown_rest() {
            return Err(Error::unknown(why));
        }
        let items = match value.defined()? {
            Val::List(list) => list.items.borrow().clone(),
            Val::Dict(dict) => dict.items.borrow().keys().map(Val::from).collect(),
            Val::Str(text, _) => text.chars().map(|c| Val::text(c.to_string())).collect(),
            Val::Bytes(bytes) => bytes.iter().map(|&b| Val::Int(b.into())).collect(),
            Val::HostVars => self.scope.hosts().into_iter().map(Val::text).collect(),
            vars @ Val::Vars(_) => return self.items(&self.vars_dict(&vars)?),
            other => {
                return Err(Error::type_error(format!("'{}' object is not iterable", other.type_name())));
            }
        };
        items.iter().map(|item| self.force(item)).collect()
    }

    /// The value as it leaves the expression.
    pub(crate) fn value(&self, value: &Val) -> Result<Value, Error> {
        if let Val::Lazy(lazy) = value
            && let LazyState::Raw(raw) = &*lazy.state.borrow()
            && !needs_rendering(raw)
        {
            return Ok(Value { origin: None, ..raw.clone() });
        }
        Ok(match self.force(value)? {
            undefined @ Val::Undefined(_) => return self.value(&undefined.defined()?),
            Val::None => Value::null(),
            Val::Bool(b) => b.into(),
            Val::Int(i) => i.into(),
            Val::Float(x) => x.into(),
            Val::Str(text, kind) => {
                let taint = if kind == TextKind::Unsafe { Taint::UNSAFE } else { Taint::NONE };
                Value::from(text).tainted(taint)
            }
            Val::Bytes(bytes) => Kind::Bytes(bytes).into(),
            Val::Unknown(why) => Kind::Unknown(why).into(),
            Val::List(list) => {
                list.items.borrow().iter().map(|item| self.value(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Val::Dict(dict) => {
                let items = dict.items.borrow();
                items
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.value(item)?)))
                    .collect::<Result<Map, Error>>()?
                    .into()
            }
            vars @ Val::Vars(_) => self.value(&self.vars_dict(&vars)?)?,
            other => text::str(&other).into(),
        })
    }

    /// A value from outside as one to compute with, not to be rendered.
    pub(crate) fn data(&self, value: &Value) -> Val {
        self.part(&value.clone().tainted(Taint::UNSAFE), &ScopeRef::Own, &Arc::from("item"))
    }

    /// Renders a playbook's text.
    pub(crate) fn render_text(&self, text: &str, scope: &ScopeRef) -> Result<Val, Error> {
        if let Some(name) = single_variable(text)
            && let Some(raw) = self.raw(scope, name)?
            && matches!(raw.kind, Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_))
        {
            return self.force(&self.part(&raw, scope, &name.into()));
        }
        let work = || {
            let compiled = self.templar.compiled(text)?;
            let out = Exec::new(self, scope.clone()).whole(&compiled)?;
            self.join(out, Text::Convert)
        };
        match work().map_err(|error| error.about(text))? {
            Val::Str(result, kind) => {
                let missing = newlines(text).saturating_sub(newlines(&result));
                if missing == 0 {
                    Ok(Val::Str(result, kind))
                } else {
                    Ok(Val::text(format!("{result}{}", "\n".repeat(missing))))
                }
            }
            other => Ok(other),
        }
    }

    /// Makes one value of the pieces that a template put out.
    pub(crate) fn join(&self, mut out: Out, mode: Text) -> Result<Val, Error> {
        out.parts.iter().try_for_each(|part| self.all_defined(part))?;
        let native = self.templar.options().native && mode == Text::Convert;
        if native && out.parts.is_empty() {
            return Ok(Val::None);
        }
        if out.parts.len() == 1 && mode == Text::Convert {
            let only = out.parts.remove(0);
            if let Val::Str(text, TextKind::Verbatim) = only {
                return Ok(Val::text(text));
            }
            let Some(kept) = keep(&only, native) else {
                return Ok(convert(text::str(&only.known()?), native));
            };
            return Ok(kept);
        }
        let parts = out.parts.into_iter().map(Val::known).collect::<Result<Vec<_>, _>>()?;
        let joined: String = parts.iter().map(text::str).collect();
        Ok(if mode == Text::Convert { convert(joined, native) } else { Val::text(joined) })
    }

    /// Fails if anything in a value is undefined, however deep: it would be written out as Python shows it.
    fn all_defined(&self, value: &Val) -> Result<(), Error> {
        match value {
            Val::Undefined(_) => value.clone().defined().map(drop),
            Val::List(list) => list.items.borrow().iter().try_for_each(|item| self.all_defined(item)),
            Val::Dict(dict) => dict.items.borrow().values().try_for_each(|item| self.all_defined(item)),
            _ => Ok(()),
        }
    }

    /// Applies a filter.
    pub(crate) fn filter(&self, name: &str, subject: Val, mut args: Args) -> Result<Val, Error> {
        let short = builtin_name(name);
        let Some(filter) = filters::find(short) else {
            return Err(not_loaded(name));
        };
        if !filters::is_lazy(short) {
            for value in args.pos.iter_mut().flatten() {
                *value = self.resolve(value)?;
            }
        }
        for (_, value) in &mut args.named {
            *value = self.resolve(value)?;
        }
        let subject = if filters::is_lazy(short) { self.force(&subject)? } else { self.resolve(&subject)? };
        if let Some(why) = unknown::of_filter(short, &subject, &args) {
            return Ok(Val::Unknown(why));
        }
        let result = filter(self, subject, &mut args).map_err(|mut error| {
            if error.message.starts_with("missing 1 required") {
                error.message = format!("{short}() {}", error.message);
            }
            error
        })?;
        args.finish(short)?;
        Ok(match result {
            Val::Str(text, TextKind::Plain | TextKind::Yaml) if VERBATIM.contains(&short) => {
                Val::Str(text, TextKind::Verbatim)
            }
            other => other,
        })
    }

    /// Applies a test.
    pub(crate) fn test(&self, name: &str, subject: Val, mut args: Args) -> Result<bool, Error> {
        let short = builtin_name(name);
        let Some(test) = tests_jinja::find(short).or_else(|| tests_ansible::find(short)) else {
            return Err(not_loaded(name));
        };
        for value in args.pos.iter_mut().flatten() {
            *value = self.resolve(value)?;
        }
        let subject =
            if matches!(short, "defined" | "undefined" | "mapping" | "sequence" | "iterable" | "string") {
                self.force(&subject)?
            } else {
                self.resolve(&subject)?
            };
        if let Some(why) = args.unknown().or_else(|| unknown::of_subject(short, &subject)) {
            return Err(Error::unknown(why));
        }
        let result = test(self, subject, &mut args)?;
        args.finish(short)?;
        Ok(result)
    }
}

/// There is no such filter or test. What cannot even be the name of one Ansible reports without its usual frame.
fn not_loaded(name: &str) -> Error {
    if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
        return Error::syntax(format!("Could not load \"{name}\": '{name}'"));
    }
    let message = format!("Could not load \"{name}\": 'invalid plugin name: ansible.builtin.{name}'");
    Error::new(Fault::Syntax, message)
}

fn builtin_name(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}

fn text_kind(value: &Value) -> TextKind {
    if value.taint.is_unsafe() {
        TextKind::Unsafe
    } else if value.origin.is_some() {
        TextKind::Yaml
    } else {
        TextKind::Plain
    }
}

/// Whether a value holds text that has to be rendered.
pub(crate) fn needs_rendering(value: &Value) -> bool {
    match &value.kind {
        Kind::Text(text) => !value.taint.is_unsafe() && has_template(text),
        Kind::Vaulted(_) => true,
        Kind::List(list) => list.iter().any(needs_rendering),
        Kind::Map(map) => map.values().any(needs_rendering),
        _ => false,
    }
}

/// The name of a text that is nothing but one variable.
fn single_variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.trim_end_matches('\n').strip_suffix("}}")?.trim();
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

fn newlines(text: &str) -> usize {
    text.bytes().rev().take_while(|b| *b == b'\n').count()
}

/// Runs compiled templates for the door.
pub(crate) struct Expression;

impl Expression {
    /// The value of a bare expression.
    pub(crate) fn value(run: &Run<'_>, compiled: &super::Compiled) -> Result<Val, Error> {
        let out = Exec::new(run, ScopeRef::Own).expression(compiled)?;
        run.resolve(&out)?.defined()
    }

    /// The text of a template file.
    pub(crate) fn text(
        run: &Run<'_>,
        compiled: &super::Compiled,
        extra: &[(Arc<str>, Val)],
    ) -> Result<String, Error> {
        let mut exec = Exec::new(run, ScopeRef::Own);
        for (name, value) in extra {
            exec.set(name, value.clone());
        }
        let out = exec.whole(compiled)?;
        Ok(text::str(&run.join(out, Text::Plain)?))
    }
}
