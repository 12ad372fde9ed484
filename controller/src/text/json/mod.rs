//! JSON text of values, as Python's `json.dumps` writes it, and the way back.
//!
//! [`writer`] knows the syntax; this module knows which values there are, what is secret, and the order of keys. What a
//! template computes with is another type, which `template::jinja` writes through the same [`Writer`]. [`lossless`] is
//! for values that must come back as they were.

pub mod lossless;
mod writer;

use std::convert::Infallible;

pub use convoy_protocol::value::HIDDEN as REDACTED;
use convoy_protocol::{Key, Kind, Map, Value};

use self::writer::float_text;
pub use self::writer::{Layout, Writer};
use crate::text::python;

/// How JSON is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Spaces for each level, with one line for each member; `None` writes everything on one line.
    pub indent: Option<usize>,
    /// Whether keys are sorted. Where a map has keys that Python cannot compare, only the outermost map is
    /// sorted, by the text of its keys, as Ansible's output does.
    pub sort_keys: bool,
    /// Whether characters outside ASCII are escaped.
    pub ascii: bool,
    /// Whether [`REDACTED`] is written in place of secrets.
    pub hide_secrets: bool,
}

/// Returns `value` as JSON.
pub fn to_string(value: &Value, style: Style) -> String {
    let mut writer = Writer::new(Layout::new(style.indent, style.ascii));
    let Ok(()) = Form::new(style, || comparable(value)).value(&mut writer, value);
    writer.finish()
}

/// Returns `map` as JSON.
pub fn map_to_string(map: &Map, style: Style) -> String {
    let mut writer = Writer::new(Layout::new(style.indent, style.ascii));
    let Ok(()) = Form::new(style, || comparable_map(map)).map(&mut writer, map);
    writer.finish()
}

/// Reads JSON.
///
/// # Errors
///
/// Why the text is not JSON, and where.
pub fn from_str(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).map(from_serde)
}

fn from_serde(value: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::null(),
        Json::Bool(b) => b.into(),
        Json::Number(n) => n.as_i64().map_or_else(|| n.as_f64().unwrap_or(f64::NAN).into(), Value::from),
        Json::String(text) => text.into(),
        Json::Array(items) => items.into_iter().map(from_serde).collect(),
        Json::Object(map) => {
            map.into_iter().map(|(key, value)| (Key::from(key), from_serde(value))).collect()
        }
    }
}

/// What of a [`Style`] is not a matter of the layout.
struct Form {
    hide_secrets: bool,
    /// Whether the outermost map is sorted.
    sort: bool,
    /// Whether all maps are sorted.
    sort_all: bool,
}

impl Form {
    fn new(style: Style, all_comparable: impl FnOnce() -> bool) -> Self {
        let Style { hide_secrets, sort_keys, .. } = style;
        Self { hide_secrets, sort: sort_keys, sort_all: sort_keys && all_comparable() }
    }

    fn value(&self, writer: &mut Writer, value: &Value) -> Result<(), Infallible> {
        if self.hide_secrets && value.taint.is_secret() {
            writer.string(REDACTED);
            return Ok(());
        }
        match &value.kind {
            Kind::Null => writer.null(),
            Kind::Bool(b) => writer.boolean(*b),
            Kind::Int(i) => writer.integer(*i),
            Kind::Float(x) => writer.float(*x),
            Kind::Text(text) => writer.string(text),
            Kind::Bytes(bytes) => writer.string(&String::from_utf8_lossy(bytes)),
            Kind::List(list) => return writer.list(list.iter(), |writer, item| self.value(writer, item)),
            Kind::Map(map) => return self.map(writer, map),
            Kind::Vaulted(text) => {
                return self.map(writer, &convoy_protocol::map! { "__ansible_vault" => text.clone() });
            }
            Kind::Unknown(why) => writer.string(&format!("<unknown until run: {why}>")),
        }
        Ok(())
    }

    fn map(&self, writer: &mut Writer, map: &Map) -> Result<(), Infallible> {
        let mut members: Vec<_> = map.iter().collect();
        if self.sort_all {
            members.sort_by_key(|(key, _)| *key);
        } else if self.sort && writer.level() == 0 {
            members.sort_by_cached_key(|(key, _)| python::repr(&key.to_value()));
        }
        writer.object(members, |writer, value| self.value(writer, value))
    }
}

/// Returns whether Python could sort all the maps in `value`.
fn comparable(value: &Value) -> bool {
    match &value.kind {
        Kind::List(list) => list.iter().all(comparable),
        Kind::Map(map) => comparable_map(map),
        _ => true,
    }
}

fn comparable_map(map: &Map) -> bool {
    let alike = |same: fn(&Key) -> bool| map.keys().all(same);
    let sortable = map.len() < 2
        || alike(|key| matches!(key, Key::Text(_)))
        || alike(|key| matches!(key, Key::Int(_)))
        || alike(|key| matches!(key, Key::Bool(_)));
    sortable && map.values().all(comparable)
}

#[cfg(test)]
mod tests {
    use convoy_protocol::{Taint, map};

    use super::*;

    const LINE: Style = Style { indent: None, sort_keys: true, ascii: false, hide_secrets: true };

    // What Python 3.11 prints: json.dumps(x, sort_keys=True, ensure_ascii=False).
    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = Value::from(map! {
            "b" => vec![Value::from(1), Value::null(), Value::from(true), Value::from(Vec::<Value>::new())],
            "a" => "q\"\\\n\r\t\u{8}\u{c}\u{1b}\u{7f}é日",
            "c" => map! {},
            "Z" => map! { "y" => 1.5, "x" => () },
        });
        assert_eq!(
            to_string(&value, LINE),
            "{\"Z\": {\"x\": null, \"y\": 1.5}, \"a\": \"q\\\"\\\\\\n\\r\\t\\b\\f\\u001b\u{7f}é日\", \"b\": [1, null, true, []], \"c\": {}}"
        );
        let indented = Style { indent: Some(4), ..LINE };
        assert_eq!(
            to_string(&value, indented),
            "{\n    \"Z\": {\n        \"x\": null,\n        \"y\": 1.5\n    },\n    \"a\": \"q\\\"\\\\\\n\\r\\t\\b\\f\\u001b\u{7f}é日\",\n    \"b\": [\n        1,\n        null,\n        true,\n        []\n    ],\n    \"c\": {}\n}"
        );
        let ascii = Style { ascii: true, ..LINE };
        assert_eq!(
            to_string(&Value::from("é日\u{1F600}\u{7f}"), ascii),
            r#""\u00e9\u65e5\ud83d\ude00\u007f""#
        );
    }

    #[test]
    fn keys_that_python_cannot_compare_are_sorted_in_the_outermost_map_only() {
        let mut mixed = map! { "b" => 1 };
        mixed.insert(Key::Int(2), 2.into());
        mixed.insert(Key::Bool(true), map! { "z" => 1, "a" => 2 }.into());
        mixed.insert(Key::Null, 3.into());
        assert_eq!(map_to_string(&mixed, LINE), r#"{"b": 1, "2": 2, "null": 3, "true": {"z": 1, "a": 2}}"#);
        let mut numbers = Map::new();
        numbers.insert(Key::Int(10), 1.into());
        numbers.insert(Key::Int(9), 2.into());
        assert_eq!(map_to_string(&numbers, LINE), r#"{"9": 2, "10": 1}"#);
        assert_eq!(map_to_string(&numbers, Style { sort_keys: false, ..LINE }), r#"{"10": 1, "9": 2}"#);
    }

    #[test]
    fn written_json_is_read_back() {
        let written = r#"{"b": [1, null, true, -2.5, "é\u00e9"], "a": {"z": {}, "9": 9223372036854775807}}"#;
        let style = Style { sort_keys: false, ..LINE };
        assert_eq!(to_string(&from_str(written).unwrap(), style), written.replace("\\u00e9", "é"));
        assert_eq!(from_str("{").unwrap_err().to_string(), "EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn a_placeholder_replaces_each_secret() {
        let value = Value::from(
            map! { "user" => "admin", "password" => Value::from("hunter2").tainted(Taint::SECRET) },
        );
        assert_eq!(
            to_string(&value, LINE),
            r#"{"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "user": "admin"}"#
        );
        assert!(to_string(&value, Style { hide_secrets: false, ..LINE }).contains("hunter2"));
    }
}
