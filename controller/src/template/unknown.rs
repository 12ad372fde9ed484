//! Values that a dry run cannot know.
//!
//! A task that check mode skips has a result that nobody knows. The result is either unknown as a whole
//! ([`Kind::Unknown`]), or a map of the members that are known anyway, with the key [`REST`] to say that all others are
//! unknown. Both carry the reason, which is shown to the user.

use std::sync::Arc;

use convoy_protocol::{Key, Kind, Map, Value};

/// The key that marks a map whose other members are unknown; its value holds the reason. Like all keys that begin with
/// `_ansible`, it is never shown.
pub const REST: &str = "_ansible_unknown";

/// Returns why a value, or any part of it, is unknown.
pub fn unknown(value: &Value) -> Option<&Arc<str>> {
    match &value.kind {
        Kind::Unknown(why) => Some(why),
        Kind::List(list) => list.iter().find_map(unknown),
        Kind::Map(map) => map.values().find_map(unknown),
        _ => None,
    }
}

/// Returns the value if no part of it is unknown.
///
/// # Errors
///
/// Of the kind [`super::Kind::Unknown`], with the reason.
pub fn known(value: Value) -> Result<Value, super::Error> {
    match unknown(&value) {
        Some(why) => Err(super::Error::unknown(why.clone())),
        None => Ok(value),
    }
}

/// Returns why the members that a map does not list are unknown, if they are.
pub fn rest(map: &Map) -> Option<&Arc<str>> {
    match &map.get(REST)?.kind {
        Kind::Unknown(why) => Some(why),
        _ => None,
    }
}

/// Marks the members that a map does not list as unknown.
pub fn set_rest(map: &mut Map, why: &Arc<str>) {
    map.insert(Key::from(REST), Kind::Unknown(why.clone()).into());
}
