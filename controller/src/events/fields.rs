//! The fields of an object by which an event is written down, read with their types.

use std::sync::Arc;

use convoy_protocol::{Map, Value};

/// Why an object is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An event of a later version.
    #[error("no event is called `{0}`")]
    Unknown(Arc<str>),
    /// A field that must be there.
    #[error("`{0}` is missing, or is not what it should be")]
    Field(&'static str),
}

/// The fields of an object.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'m>(pub &'m Map);

impl<'m> Fields<'m> {
    fn field<T>(self, name: &'static str, read: impl FnOnce(&'m Value) -> Option<T>) -> Result<T, Fault> {
        self.0.get(name).and_then(read).ok_or(Fault::Field(name))
    }

    /// Returns a text.
    ///
    /// # Errors
    /// If there is none.
    pub fn text(self, name: &'static str) -> Result<Arc<str>, Fault> {
        self.field(name, text)
    }

    /// Returns a text of its own.
    ///
    /// # Errors
    /// If there is none.
    pub fn string(self, name: &'static str) -> Result<String, Fault> {
        self.field(name, |value| value.as_str().map(str::to_owned))
    }

    /// Returns a boolean.
    ///
    /// # Errors
    /// If there is none.
    pub fn flag(self, name: &'static str) -> Result<bool, Fault> {
        self.field(name, Value::as_bool)
    }

    /// Returns a number.
    ///
    /// # Errors
    /// If there is none, or it is too large.
    pub fn number<T: TryFrom<i64>>(self, name: &'static str) -> Result<T, Fault> {
        self.field(name, |value| value.as_int().and_then(|number| T::try_from(number).ok()))
    }

    /// Returns a map.
    ///
    /// # Errors
    /// If there is none.
    pub fn map(self, name: &'static str) -> Result<&'m Map, Fault> {
        self.field(name, Value::as_map)
    }

    /// Returns a list of texts of their own.
    ///
    /// # Errors
    /// If there is none.
    pub fn strings(self, name: &'static str) -> Result<Vec<String>, Fault> {
        self.field(name, |value| {
            value.as_list()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    pub(super) fn texts(self, name: &'static str) -> Result<Vec<Arc<str>>, Fault> {
        self.field(name, |value| value.as_list()?.iter().map(text).collect())
    }

    pub(super) fn text_if_any(self, name: &'static str) -> Result<Option<Arc<str>>, Fault> {
        if self.0.get(name).is_none_or(Value::is_null) { Ok(None) } else { self.text(name).map(Some) }
    }

    /// Returns a list of which each member is an object.
    pub(super) fn objects<T>(
        self,
        name: &'static str,
        read: impl Fn(Fields<'m>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let list = self.field(name, Value::as_list)?;
        list.iter().map(|object| read(Fields(object.as_map().ok_or(Fault::Field(name))?))).collect()
    }

    pub(super) fn numbers<T: TryFrom<i64>>(self, name: &'static str) -> Result<Vec<T>, Fault> {
        self.field(name, |value| {
            value.as_list()?.iter().map(|number| number.as_int().and_then(|n| T::try_from(n).ok())).collect()
        })
    }

    pub(super) fn word<T: Copy>(self, name: &'static str, words: &[(T, &'static str)]) -> Result<T, Fault> {
        let word = self.text(name)?;
        words.iter().find(|(_, known)| *known == &*word).map(|(value, _)| *value).ok_or(Fault::Field(name))
    }
}

/// Returns the word for a value. Every value has its word in such a table; a test goes through all of them.
pub(super) fn word<T: PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| *word)
}

fn text(value: &Value) -> Option<Arc<str>> {
    value.as_str().map(Arc::from)
}
