//! The arguments of a call, bound by position or by name as in Python.

use std::sync::Arc;

use crate::template::Error;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;

/// The arguments of a filter, test, function or method. The callee takes them one by one; [`Args::finish`] refuses those
/// it did not take.
#[derive(Clone, Default)]
pub(crate) struct Args {
    /// Positional arguments; `None` once taken.
    pub(crate) pos: Vec<Option<Val>>,
    pub(crate) named: Vec<(Arc<str>, Val)>,
}

impl Args {
    pub(crate) fn of(values: impl IntoIterator<Item = Val>) -> Self {
        Self { pos: values.into_iter().map(Some).collect(), named: Vec::new() }
    }

    /// Takes the argument at the position `index`, or called `name`.
    pub(crate) fn take(&mut self, index: usize, name: &str) -> Option<Val> {
        if let Some(value) = self.pos.get_mut(index).and_then(Option::take) {
            return Some(value);
        }
        let at = self.named.iter().position(|(key, _)| &**key == name)?;
        Some(self.named.remove(at).1)
    }

    /// Takes an argument that can only be given by name.
    pub(crate) fn key(&mut self, name: &str) -> Option<Val> {
        self.take(usize::MAX, name)
    }

    /// Takes an argument that is required.
    pub(crate) fn need(&mut self, index: usize, name: &str) -> Result<Val, Error> {
        self.take(index, name)
            .ok_or_else(|| Error::type_error(format!("missing 1 required positional argument: '{name}'")))
    }

    /// Takes an optional argument as text. `None` counts as not given.
    pub(crate) fn text(&mut self, index: usize, name: &str) -> Result<Option<String>, Error> {
        match self.take(index, name) {
            None | Some(Val::None) => Ok(None),
            Some(value) => text_of(value).map(Some),
        }
    }

    /// Takes a required argument as text.
    pub(crate) fn need_text(&mut self, index: usize, name: &str) -> Result<String, Error> {
        text_of(self.need(index, name)?)
    }

    /// Takes an optional integer.
    pub(crate) fn int(&mut self, index: usize, name: &str, default: i64) -> Result<i64, Error> {
        match self.take(index, name) {
            None | Some(Val::None) => Ok(default),
            Some(Val::Str(text, _)) if text.trim().parse::<i64>().is_ok() => {
                Ok(text.trim().parse().unwrap_or(default))
            }
            Some(Val::Float(x)) => Ok(x as i64),
            Some(value) => {
                let value = value.defined()?;
                value.as_int().ok_or_else(|| {
                    Error::type_error(format!("'{name}' must be an integer, not {}", value.type_name()))
                })
            }
        }
    }

    /// Takes an optional boolean: any value counts by its truth.
    pub(crate) fn flag(&mut self, index: usize, name: &str, default: bool) -> Result<bool, Error> {
        self.take(index, name).map_or(Ok(default), |value| value.truth())
    }

    /// Takes an optional boolean that can only be given by name.
    pub(crate) fn named_flag(&mut self, name: &str, default: bool) -> Result<bool, Error> {
        self.flag(usize::MAX, name, default)
    }

    /// Takes the remaining positional arguments from `index` on.
    pub(crate) fn rest(&mut self, index: usize) -> Vec<Val> {
        self.pos.iter_mut().skip(index).filter_map(Option::take).collect()
    }

    /// Returns why an argument, or any part of one, is unknown.
    pub(crate) fn unknown(&self) -> Option<Arc<str>> {
        let named = self.named.iter().map(|(_, value)| value);
        self.pos.iter().flatten().chain(named).find_map(Val::unknown)
    }

    /// Fails if an argument was not taken. `callee` is the name of what was called.
    pub(crate) fn finish(&self, callee: &str) -> Result<(), Error> {
        if let Some((name, _)) = self.named.first() {
            return Err(Error::type_error(format!("{callee}() got an unexpected keyword argument '{name}'")));
        }
        match self.pos.iter().filter(|value| value.is_some()).count() {
            0 => Ok(()),
            _ => Err(Error::type_error(format!(
                "{callee}() takes fewer positional arguments but {} were given",
                self.pos.len()
            ))),
        }
    }
}
