//! The single value type: what variables hold and what is sent over the wire.

use std::cell::Cell;
use std::fmt;
use std::ops::BitOr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::key::Key;

/// How deeply lists and maps in a received value may be nested.
pub const MAX_DEPTH: usize = 128;

/// What is printed instead of a secret.
pub const HIDDEN: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// A value with its taint, and with the place where the user wrote it.
///
/// Equality compares the value alone, not taint or origin.
#[derive(Clone, Default, Serialize)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// What must be known about it wherever it is used.
    pub taint: Taint,
    /// Where it was written; known to the controller only and never sent.
    #[serde(skip)]
    pub origin: Option<Arc<Origin>>,
}

/// What a [`Value`] is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// No value: YAML's `null`, Python's `None`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes that are not, or need not be, text.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map.
    Map(Arc<Map>),
    /// A value that a dry run cannot know, with the reason.
    Unknown(Arc<str>),
    /// Text encrypted by a vault, as it was written. Exists in the controller only, which decrypts it on use.
    Vaulted(Arc<str>),
}

/// A map from scalar keys to values, in insertion order like Python's dictionaries. Equality ignores the order.
pub type Map = IndexMap<Key, Value>;

/// Builds a [`Map`]: `map! { "path" => path, "size" => 3 }`.
#[macro_export]
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::Map::from_iter([$(($crate::Key::from($key), $crate::Value::from($value))),*])
    };
}

impl Key {
    /// Returns the key as a value.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::null(),
            Self::Bool(b) => Value::from(*b),
            Self::Int(i) => Value::from(*i),
            Self::Text(text) => Value::from(text.clone()),
        }
    }
}

/// Where the user wrote something. Lines and columns start at 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file as the user named it, or a name in angle brackets such as `<command line>`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Origin {
    /// Returns a position in `file`; `line` and `column` count from 1.
    pub fn new(file: impl Into<Arc<str>>, line: usize, column: usize) -> Self {
        // A file of four billion lines is past the point where the exact number matters.
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { file: file.into(), line: narrow(line), column: narrow(column) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What must be known about a value wherever it is used.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint(u8);

impl Taint {
    /// No taint.
    pub const NONE: Self = Self(0);
    /// Must not be shown, logged or stored in clear text.
    pub const SECRET: Self = Self(1);
    /// Came from a node or was marked `!unsafe`: never rendered as a template.
    pub const UNSAFE: Self = Self(2);

    /// Returns this taint without the marks of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether the value must not be shown.
    pub fn is_secret(self) -> bool {
        self.0 & Self::SECRET.0 != 0
    }

    /// Returns whether the value must not be rendered as a template.
    pub fn is_unsafe(self) -> bool {
        self.0 & Self::UNSAFE.0 != 0
    }
}

impl BitOr for Taint {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_secret(), self.is_unsafe()) {
            (false, false) => f.write_str("none"),
            (true, false) => f.write_str("secret"),
            (false, true) => f.write_str("unsafe"),
            (true, true) => f.write_str("secret unsafe"),
        }
    }
}

impl Value {
    /// Returns the null value.
    pub fn null() -> Self {
        Self::default()
    }

    /// Returns the value with `taint` added to it and to everything in it.
    #[must_use]
    pub fn tainted(mut self, taint: Taint) -> Self {
        if taint == Taint::NONE {
            return self;
        }
        self.taint = self.taint | taint;
        self.kind = match self.kind {
            Kind::List(list) => Kind::List(Arc::new(
                Arc::unwrap_or_clone(list).into_iter().map(|v| v.tainted(taint)).collect(),
            )),
            Kind::Map(map) => Kind::Map(Arc::new(
                Arc::unwrap_or_clone(map).into_iter().map(|(k, v)| (k, v.tainted(taint))).collect(),
            )),
            other => other,
        };
        self
    }

    /// Returns the value with this origin.
    #[must_use]
    pub fn at(mut self, origin: Arc<Origin>) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Returns the taint of the value together with that of everything in it.
    pub fn deep_taint(&self) -> Taint {
        match &self.kind {
            Kind::List(list) => list.iter().fold(self.taint, |taint, v| taint | v.deep_taint()),
            Kind::Map(map) => map.values().fold(self.taint, |taint, v| taint | v.deep_taint()),
            _ => self.taint,
        }
    }

    /// Returns whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Returns the text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// Returns the whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.kind {
            Kind::Int(i) => Some(i),
            _ => None,
        }
    }

    /// Returns the list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the value of `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// Returns what a user calls a value of this kind, with an article.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) => "a whole number",
            Kind::Float(_) => "a number",
            Kind::Text(_) => "text",
            Kind::Bytes(_) => "bytes",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Unknown(_) => "unknown until run",
            Kind::Vaulted(_) => "encrypted text",
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Shows the value to developers; never a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.taint.is_secret() {
            return f.write_str("<secret>");
        }
        match &self.kind {
            Kind::Null => f.write_str("null"),
            Kind::Bool(b) => b.fmt(f),
            Kind::Int(i) => i.fmt(f),
            Kind::Float(x) => x.fmt(f),
            Kind::Text(text) => text.fmt(f),
            Kind::Bytes(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Kind::List(list) => f.debug_list().entries(list.iter()).finish(),
            Kind::Map(map) => f.debug_map().entries(map.iter().map(|(k, v)| (k.to_string(), v))).finish(),
            Kind::Unknown(why) => write!(f, "<unknown until run: {why}>"),
            Kind::Vaulted(_) => f.write_str("<encrypted>"),
        }
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }
}

macro_rules! from {
    ($($type:ty, $value:ident => $kind:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::from($kind)
            }
        }
    )*};
}

from! {
    (), _unit => Kind::Null;
    bool, b => Kind::Bool(b);
    i32, i => Kind::Int(i.into());
    u32, i => Kind::Int(i.into());
    i64, i => Kind::Int(i);
    f64, x => Kind::Float(x);
    &str, text => Kind::Text(text.into());
    String, text => Kind::Text(text.into());
    Arc<str>, text => Kind::Text(text);
    &[u8], bytes => Kind::Bytes(bytes.into());
    Vec<u8>, bytes => Kind::Bytes(bytes.into());
    Vec<Value>, list => Kind::List(Arc::new(list));
    Map, map => Kind::Map(Arc::new(map));
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(Self::null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

impl FromIterator<(Key, Value)> for Value {
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(items: I) -> Self {
        items.into_iter().collect::<Map>().into()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Repr {
            kind: Kind,
            taint: Taint,
        }
        // A malicious node must not exhaust the controller's stack.
        thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });
        struct Level;
        impl Drop for Level {
            fn drop(&mut self) {
                DEPTH.set(DEPTH.get() - 1);
            }
        }
        DEPTH.set(DEPTH.get() + 1);
        let _level = Level;
        if DEPTH.get() > MAX_DEPTH {
            return Err(D::Error::custom("value nested too deeply"));
        }
        let Repr { kind, taint } = Repr::deserialize(deserializer)?;
        Ok(Self { kind, taint, origin: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taint_spreads_to_everything_in_a_value() {
        let value = Value::from(map! { "a" => vec![Value::from("x")] }).tainted(Taint::SECRET);
        assert!(value.get("a").unwrap().as_list().unwrap()[0].taint.is_secret());
        assert_eq!(format!("{value:?}"), "<secret>");
    }

    #[test]
    fn keys_of_different_types_are_distinct() {
        let mut map = map! { "80" => "text" };
        map.insert(Key::Int(80), "number".into());
        assert_eq!(map.get("80").unwrap().as_str(), Some("text"));
        assert_eq!(map.get(&Key::Int(80)).unwrap().as_str(), Some("number"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut value = Value::null();
        for _ in 0..MAX_DEPTH * 2 {
            value = Value::from(vec![value]);
        }
        let bytes = postcard::to_stdvec(&value).unwrap();
        assert!(postcard::from_bytes::<Value>(&bytes).is_err());
        assert!(postcard::from_bytes::<Value>(&postcard::to_stdvec(&Value::from(7)).unwrap()).is_ok());
    }
}
