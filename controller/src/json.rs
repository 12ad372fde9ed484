//! JSON text as Python's `json.dumps` writes it: the one place where values become JSON. And the way back.

pub mod exact;

use std::fmt::Write as _;

pub use convoy_protocol::value::HIDDEN as SECRET;
use convoy_protocol::{Key, Kind, Map, Taint, Value};

use crate::secrets::is_vaulted;

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
    /// Whether [`SECRET`] is written in place of secrets.
    pub hide_secrets: bool,
}

/// Returns `value` as JSON.
pub fn text(value: &Value, style: Style) -> String {
    let mut writer = Writer::new(style, || comparable(value));
    writer.value(value, 0);
    writer.out
}

/// Returns `map` as JSON.
pub fn map_text(map: &Map, style: Style) -> String {
    let mut writer = Writer::new(style, || comparable_map(map));
    writer.map(map, 0);
    writer.out
}

/// Reads JSON.
///
/// # Errors
///
/// Why the text is not JSON, and where.
pub fn read(text: &str) -> Result<Value, serde_json::Error> {
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

/// Replaces what Ansible writes for text that is encrypted, or no template.
///
/// # Errors
///
/// If something is marked as encrypted and is not.
pub fn unwrapped(value: Value) -> Result<Value, String> {
    let Kind::Map(map) = &value.kind else {
        return match &value.kind {
            Kind::List(list) => list.iter().cloned().map(unwrapped).collect(),
            _ => Ok(value),
        };
    };
    if let Some(text) = map.get("__ansible_vault") {
        let text = text.as_str().filter(|text| is_vaulted(text.as_bytes()));
        let text = text.ok_or_else(|| "what is marked as `__ansible_vault` is not encrypted".to_owned())?;
        return Ok(Kind::Vaulted(text.into()).into());
    }
    match map.get("__ansible_unsafe") {
        Some(text) => Ok(text.clone().tainted(Taint::UNSAFE)),
        None => map.iter().map(|(key, value)| Ok((key.clone(), unwrapped(value.clone())?))).collect(),
    }
}

/// Returns a number as Python's `repr` writes it; `inf` and `nan` are written as JSON's readers in Python take them.
pub fn float_text(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let shortest = format!("{x:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        format!("{x:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

struct Writer {
    out: String,
    style: Style,
    /// Whether all maps are sorted, not just the outermost.
    sort_all: bool,
}

impl Writer {
    fn new(style: Style, all_comparable: impl FnOnce() -> bool) -> Self {
        Self { out: String::new(), style, sort_all: style.sort_keys && all_comparable() }
    }

    fn value(&mut self, value: &Value, level: usize) {
        if self.style.hide_secrets && value.taint.is_secret() {
            return self.string(SECRET);
        }
        match &value.kind {
            Kind::Null => self.out.push_str("null"),
            Kind::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Kind::Int(i) => _ = write!(self.out, "{i}"),
            Kind::Float(x) => self.out.push_str(&float_text(*x)),
            Kind::Text(text) => self.string(text),
            Kind::Bytes(bytes) => self.string(&String::from_utf8_lossy(bytes)),
            Kind::List(list) => self.list(list, level),
            Kind::Map(map) => self.map(map, level),
            Kind::Vaulted(text) => {
                self.map(&convoy_protocol::map! { "__ansible_vault" => text.clone() }, level);
            }
            Kind::Unknown(why) => self.string(&format!("<unknown until run: {why}>")),
        }
    }

    fn list(&mut self, list: &[Value], level: usize) {
        if list.is_empty() {
            return self.out.push_str("[]");
        }
        self.out.push('[');
        for (index, item) in list.iter().enumerate() {
            self.separate(index, level + 1);
            self.value(item, level + 1);
        }
        self.close(level);
        self.out.push(']');
    }

    fn map(&mut self, map: &Map, level: usize) {
        if map.is_empty() {
            return self.out.push_str("{}");
        }
        self.out.push('{');
        let mut members: Vec<_> = map.iter().collect();
        if self.sort_all {
            members.sort_by_key(|(key, _)| *key);
        } else if self.style.sort_keys && level == 0 {
            members.sort_by_cached_key(|(key, _)| python_key(key));
        }
        for (index, (key, value)) in members.into_iter().enumerate() {
            self.separate(index, level + 1);
            self.string(&key.to_string());
            self.out.push_str(": ");
            self.value(value, level + 1);
        }
        self.close(level);
        self.out.push('}');
    }

    fn separate(&mut self, index: usize, level: usize) {
        match self.style.indent {
            None if index > 0 => self.out.push_str(", "),
            None => {}
            Some(width) => {
                if index > 0 {
                    self.out.push(',');
                }
                self.new_line(width * level);
            }
        }
    }

    fn close(&mut self, level: usize) {
        if let Some(width) = self.style.indent {
            self.new_line(width * level);
        }
    }

    fn new_line(&mut self, spaces: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', spaces));
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.style.ascii && !(' '..='~').contains(&c)) => self.escaped(c),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escaped(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            _ = write!(self.out, "\\u{unit:04x}");
        }
    }
}

/// Returns the key as Python's `repr` does, in so far as it matters for order.
fn python_key(key: &Key) -> String {
    match key {
        Key::Null => "None".to_owned(),
        Key::Bool(true) => "True".to_owned(),
        Key::Bool(false) => "False".to_owned(),
        Key::Int(i) => i.to_string(),
        Key::Text(text) => format!("'{text}'"),
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
    fn as_python_writes_it() {
        let value = Value::from(map! {
            "b" => vec![Value::from(1), Value::null(), Value::from(true), Value::from(Vec::<Value>::new())],
            "a" => "q\"\\\n\r\t\u{8}\u{c}\u{1b}\u{7f}é日",
            "c" => map! {},
            "Z" => map! { "y" => 1.5, "x" => () },
        });
        assert_eq!(
            text(&value, LINE),
            "{\"Z\": {\"x\": null, \"y\": 1.5}, \"a\": \"q\\\"\\\\\\n\\r\\t\\b\\f\\u001b\u{7f}é日\", \"b\": [1, null, true, []], \"c\": {}}"
        );
        let indented = Style { indent: Some(4), ..LINE };
        assert_eq!(
            text(&value, indented),
            "{\n    \"Z\": {\n        \"x\": null,\n        \"y\": 1.5\n    },\n    \"a\": \"q\\\"\\\\\\n\\r\\t\\b\\f\\u001b\u{7f}é日\",\n    \"b\": [\n        1,\n        null,\n        true,\n        []\n    ],\n    \"c\": {}\n}"
        );
        let ascii = Style { ascii: true, ..LINE };
        assert_eq!(text(&Value::from("é日\u{1F600}\u{7f}"), ascii), r#""\u00e9\u65e5\ud83d\ude00\u007f""#);
    }

    #[test]
    fn floats_as_python_writes_them() {
        for (x, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (100.0, "100.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (123_456_789_012_345.0, "123456789012345.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.234e22, "1.234e+22"),
            (1e100, "1e+100"),
            (-2.5e-300, "-2.5e-300"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float_text(x), expected, "{x:e}");
        }
    }

    #[test]
    fn keys_that_python_cannot_compare_are_sorted_outside_only() {
        let mut mixed = map! { "b" => 1 };
        mixed.insert(Key::Int(2), 2.into());
        mixed.insert(Key::Bool(true), map! { "z" => 1, "a" => 2 }.into());
        mixed.insert(Key::Null, 3.into());
        assert_eq!(map_text(&mixed, LINE), r#"{"b": 1, "2": 2, "null": 3, "true": {"z": 1, "a": 2}}"#);
        let mut numbers = Map::new();
        numbers.insert(Key::Int(10), 1.into());
        numbers.insert(Key::Int(9), 2.into());
        assert_eq!(map_text(&numbers, LINE), r#"{"9": 2, "10": 1}"#);
        assert_eq!(map_text(&numbers, Style { sort_keys: false, ..LINE }), r#"{"10": 1, "9": 2}"#);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let written = r#"{"b": [1, null, true, -2.5, "é\u00e9"], "a": {"z": {}, "9": 9223372036854775807}}"#;
        let style = Style { sort_keys: false, ..LINE };
        assert_eq!(text(&read(written).unwrap(), style), written.replace("\\u00e9", "é"));
        assert_eq!(read("{").unwrap_err().to_string(), "EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn a_secret_is_not_written() {
        let value = Value::from(
            map! { "user" => "admin", "password" => Value::from("hunter2").tainted(Taint::SECRET) },
        );
        assert_eq!(
            text(&value, LINE),
            r#"{"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "user": "admin"}"#
        );
        assert!(text(&value, Style { hide_secrets: false, ..LINE }).contains("hunter2"));
    }
}
