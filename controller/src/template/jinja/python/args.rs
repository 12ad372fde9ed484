//! The arguments of a call, taken by position or name as Python binds them.

use std::sync::Arc;

use crate::template::Error;
use crate::template::jinja::python::value::Val;

/// Arguments that a filter, test, function or method takes one by one; what is left over is an error.
#[derive(Clone, Default)]
pub(crate) struct Args {
    pub(crate) pos: Vec<Option<Val>>,
    pub(crate) named: Vec<(Arc<str>, Val)>,
}

impl Args {
    pub(crate) fn of(values: impl IntoIterator<Item = Val>) -> Self {
        Self { pos: values.into_iter().map(Some).collect(), named: Vec::new() }
    }

    /// Takes the argument at `index`, or called `name`.
    pub(crate) fn take(&mut self, index: usize, name: &str) -> Option<Val> {
        if let Some(value) = self.pos.get_mut(index).and_then(Option::take) {
            return Some(value);
        }
        let at = self.named.iter().position(|(key, _)| &**key == name)?;
        Some(self.named.remove(at).1)
    }

    /// Takes an argument that is only ever named.
    pub(crate) fn key(&mut self, name: &str) -> Option<Val> {
        self.take(usize::MAX, name)
    }

    pub(crate) fn need(&mut self, index: usize, name: &str) -> Result<Val, Error> {
        self.take(index, name)
            .ok_or_else(|| Error::type_error(format!("missing 1 required positional argument: '{name}'")))
    }

    pub(crate) fn text(&mut self, index: usize, name: &str) -> Result<Option<String>, Error> {
        match self.take(index, name) {
            None | Some(Val::None) => Ok(None),
            Some(value) => Ok(Some(crate::template::jinja::python::text::str(&value.defined()?))),
        }
    }

    pub(crate) fn need_text(&mut self, index: usize, name: &str) -> Result<String, Error> {
        Ok(crate::template::jinja::python::text::str(&self.need(index, name)?.defined()?))
    }

    pub(crate) fn int(&mut self, index: usize, name: &str, default: i64) -> Result<i64, Error> {
        match self.take(index, name) {
            None | Some(Val::None) => Ok(default),
            Some(Val::Str(text, _)) if text.trim().parse::<i64>().is_ok() => {
                Ok(text.trim().parse().unwrap_or(default))
            }
            Some(Val::Float(x)) => Ok(x as i64),
            Some(value) => value.defined()?.as_int().ok_or_else(|| {
                Error::type_error(format!(
                    "'{name}' must be a whole number, got {}",
                    crate::template::jinja::python::text::repr(&Val::None)
                ))
            }),
        }
    }

    pub(crate) fn flag(&mut self, index: usize, name: &str, default: bool) -> Result<bool, Error> {
        self.take(index, name).map_or(Ok(default), |value| value.truth())
    }

    /// Takes all positional arguments from `index` on.
    pub(crate) fn rest(&mut self, index: usize) -> Vec<Val> {
        self.pos.iter_mut().skip(index).filter_map(Option::take).collect()
    }

    /// Returns why an argument, or anything in it, is unknown.
    pub(crate) fn unknown(&self) -> Option<Arc<str>> {
        let named = self.named.iter().map(|(_, value)| value);
        self.pos.iter().flatten().chain(named).find_map(Val::unknown)
    }

    /// Fails if an argument was not taken.
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
