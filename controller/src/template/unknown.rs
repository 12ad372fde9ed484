//! What a dry run cannot know: values that are unknown, and results of which only some members are known.

use std::sync::Arc;

use convoy_protocol::{Key, Kind, Map, Value};

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
