//! What a dry run cannot know: values that are unknown, and results of which only some members are known.

use std::sync::Arc;

use convoy_protocol::{Key, Kind, Map, Value};

use super::jinja::Val;

/// The key of a map whose other members are unknown; its value says why. Like all keys that begin so it is never shown.
pub const REST: &str = "_ansible_unknown";

/// Returns why a value, or anything in it, is unknown.
pub fn unknown(value: &Value) -> Option<&Arc<str>> {
    match &value.kind {
        Kind::Unknown(why) => Some(why),
        Kind::List(list) => list.iter().find_map(unknown),
        Kind::Map(map) => map.values().find_map(unknown),
        _ => None,
    }
}

/// Fails if a value, or anything in it, is unknown.
///
/// # Errors
/// Of the kind [`super::Kind::Unknown`].
pub fn known(value: Value) -> Result<Value, super::Error> {
    match unknown(&value) {
        Some(why) => Err(super::Error::unknown(why.clone())),
        None => Ok(value),
    }
}

/// Returns why the members of a map that are not in it are unknown, if they are.
pub fn rest(map: &Map) -> Option<&Arc<str>> {
    match &map.get(REST)?.kind {
        Kind::Unknown(why) => Some(why),
        _ => None,
    }
}

/// Makes the members of a map that are not in it unknown.
pub fn set_rest(map: &mut Map, why: &Arc<str>) {
    map.insert(Key::from(REST), Kind::Unknown(why.clone()).into());
}

impl Val {
    /// Returns why the value, or anything in it that was rendered, is unknown.
    pub(crate) fn unknown(&self) -> Option<Arc<str>> {
        match self {
            Self::Unknown(why) => Some(why.clone()),
            Self::List(list) => list.items.borrow().iter().find_map(Self::unknown),
            Self::Dict(dict) => dict.items.borrow().values().find_map(Self::unknown),
            _ => None,
        }
    }

    /// Returns why the members of a dictionary that are not in it are unknown, if they are.
    pub(crate) fn unknown_rest(&self) -> Option<Arc<str>> {
        let Self::Dict(dict) = self else { return None };
        // What stands there is data, so it was either not rendered yet or is unknown.
        match dict.items.borrow().get(REST)? {
            Self::Unknown(why) => Some(why.clone()),
            Self::Lazy(lazy) => lazy.unknown(),
            _ => None,
        }
    }

    /// Fails if the value is not there, or if anything in it is unknown.
    pub(crate) fn known(self) -> Result<Self, super::Error> {
        match self.unknown() {
            Some(why) => Err(super::Error::unknown(why)),
            None => self.defined(),
        }
    }
}
