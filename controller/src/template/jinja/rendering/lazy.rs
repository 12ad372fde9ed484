//! Lazy variables: their parts are rendered when they are used.
//!
//! [`Rendering::lazy`] wraps a stored value without rendering it. [`Rendering::force`] renders the outermost part: a
//! template becomes its result, a list becomes a list of lazy items. [`Rendering::force_deep`] renders everything. A part
//! is rendered once; its result replaces it.
//!
//! What cannot be rendered is not always an error yet. If a template needs an undefined name, the part becomes
//! undefined, and `default` may still replace it. If it needs a value that a dry run cannot know, the part becomes
//! unknown. Other errors are returned, and the part is rendered again when it is next used.
//!
//! A part that is used while it is being rendered needs itself. [`Rendering::force`] reports the variables of the cycle.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::{Key, Kind, Taint, Value};

use super::Rendering;
use super::convert::text_kind;
use crate::template::error::{Error, Kind as ErrorKind};
use crate::template::jinja::python::value::{Lazy, LazyState, Undefined, Val};
use crate::template::jinja::scope::ScopeRef;
use crate::template::jinja::syntax::source::has_template;

/// The longest chain of variables that need one another.
const MAX_IN_PROGRESS: usize = 60;

impl Rendering<'_> {
    /// Returns the variable called `name`, with its outermost part rendered.
    pub(crate) fn variable(&self, scope: &ScopeRef, name: &str) -> Result<Option<Val>, Error> {
        let key = (Arc::from(scope.host()), Arc::from(name));
        if let Some(known) = self.variables.borrow().get(&key) {
            return self.force(known).map(Some);
        }
        let Some(value) = self.raw(scope, name)? else {
            return Ok(None);
        };
        let lazy = self.lazy(&value, scope, &key.1);
        self.variables.borrow_mut().insert(key, lazy.clone());
        self.force(&lazy).map(Some)
    }

    /// Returns a stored value as a part of the variable `name`, to be rendered when it is used.
    pub(crate) fn lazy(&self, value: &Value, scope: &ScopeRef, name: &Arc<str>) -> Val {
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
        if self.in_progress.borrow().len() >= MAX_IN_PROGRESS {
            return Err(self.cycle(&lazy.name));
        }
        self.in_progress.borrow_mut().push(lazy.name.clone());
        let result = self.evaluate_raw(&raw, lazy);
        self.in_progress.borrow_mut().pop();
        *lazy.state.borrow_mut() = match &result {
            Ok(value) => LazyState::Done(value.clone()),
            Err(_) => LazyState::Raw(raw),
        };
        result
    }

    fn cycle(&self, name: &Arc<str>) -> Error {
        let in_progress = self.in_progress.borrow();
        let start = in_progress.iter().position(|other| other == name).unwrap_or(0);
        let mut names: Vec<&str> = in_progress[start..].iter().map(|name| &**name).collect();
        names.dedup();
        names.push(name);
        let message = format!("recursive loop detected in template string: {}", names.join(" → "));
        Error::new(ErrorKind::Cycle, message)
    }

    fn evaluate_raw(&self, raw: &Value, lazy: &Lazy) -> Result<Val, Error> {
        self.add_source_taint(raw.taint);
        Ok(match &raw.kind {
            Kind::Null => Val::None,
            Kind::Bool(b) => Val::Bool(*b),
            Kind::Int(i) => Val::Int(*i),
            Kind::Float(x) => Val::Float(*x),
            Kind::Bytes(bytes) => Val::Bytes(bytes.clone()),
            Kind::Unknown(why) => Val::Unknown(why.clone()),
            Kind::Vaulted(_) => self.decrypted(raw, Some(&lazy.name))?,
            Kind::List(list) => {
                Val::list(list.iter().map(|item| self.lazy(item, &lazy.scope, &lazy.name)).collect())
            }
            Kind::Map(map) => Val::dict(
                map.iter()
                    .map(|(key, item)| (key.clone(), self.lazy(item, &lazy.scope, &lazy.name)))
                    .collect(),
            ),
            Kind::Text(text) if raw.taint.is_unsafe() || !has_template(text) => {
                Val::Str(text.clone(), text_kind(raw))
            }
            Kind::Text(text) => match self.render_text(text, &lazy.scope) {
                Err(error) if error.kind == ErrorKind::Undefined => {
                    let secret = raw.taint.is_secret();
                    Val::Undefined(Rc::new(Undefined {
                        message: if secret { error.to_string() } else { format!("{text}: {error}") },
                        name: Some(lazy.name.clone()),
                        missing: error.name,
                        lenient: false,
                    }))
                }
                Err(error) if error.kind == ErrorKind::Unknown => Val::Unknown(error.message.into()),
                result => result?,
            },
        })
    }

    /// Renders all parts of a value, in place.
    pub(crate) fn force_deep(&self, value: &Val) -> Result<Val, Error> {
        let value = self.force(value)?;
        match &value {
            Val::List(list) => {
                let len = list.items.borrow().len();
                for i in 0..len {
                    let item = list.items.borrow().get(i).cloned();
                    if let Some(item @ (Val::Lazy(_) | Val::List(_) | Val::Dict(_))) = item {
                        let forced = self.force_deep(&item)?;
                        if let Some(slot) = list.items.borrow_mut().get_mut(i) {
                            *slot = forced;
                        }
                    }
                }
            }
            Val::Dict(dict) => {
                let len = dict.items.borrow().len();
                for i in 0..len {
                    let item = dict.items.borrow().get_index(i).map(|(_, item)| item.clone());
                    if let Some(item @ (Val::Lazy(_) | Val::List(_) | Val::Dict(_))) = item {
                        let forced = self.force_deep(&item)?;
                        if let Some((_, slot)) = dict.items.borrow_mut().get_index_mut(i) {
                            *slot = forced;
                        }
                    }
                }
            }
            Val::Vars(_) => return self.force_deep(&self.vars_dict(&value)?),
            _ => {}
        }
        Ok(value)
    }

    /// Returns all variables of a scope as a dictionary of lazy parts, and any other value unchanged.
    pub(crate) fn vars_dict(&self, vars: &Val) -> Result<Val, Error> {
        let Val::Vars(scope) = vars else {
            return Ok(vars.clone());
        };
        let mut items = indexmap::IndexMap::new();
        for name in self.scope_of(scope).names() {
            if let Some(value) = self.raw(scope, &name)? {
                items.insert(Key::Text(name.clone()), self.lazy(&value, scope, &name));
            }
        }
        Ok(Val::dict(items))
    }

    /// Returns the items that a `for` loop would see, each with its outermost part rendered.
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
}
