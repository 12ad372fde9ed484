//! Values in Python's text forms: `json.dumps` with an indent of four, and `str`.

use std::fmt::Write as _;

use convoy_protocol::{Key, Kind, Map, Value};

/// Returns `value` as JSON, maps sorted by key.
pub(super) fn json(value: &Value) -> String {
    let mut text = String::new();
    write_json(value, 0, &mut text);
    text
}

fn write_json(value: &Value, depth: usize, out: &mut String) {
    match &value.kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Int(i) => out.push_str(&i.to_string()),
        Kind::Float(x) if x.is_nan() => out.push_str("NaN"),
        Kind::Float(x) if x.is_infinite() => out.push_str(if *x > 0.0 { "Infinity" } else { "-Infinity" }),
        Kind::Float(x) => out.push_str(&float(*x)),
        Kind::Text(text) if value.taint.is_unsafe() => {
            let mark = |out: &mut String| {
                out.push_str("\"__ansible_unsafe\": ");
                quote(text, out);
            };
            enclose('{', '}', [mark].into_iter(), depth, out);
        }
        Kind::Text(text) => quote(text, out),
        Kind::Bytes(bytes) => quote(&String::from_utf8_lossy(bytes), out),
        Kind::Unknown(why) => quote(&format!("<unknown until run: {why}>"), out),
        Kind::List(list) => {
            let items = list.iter().map(|item| move |out: &mut String| write_json(item, depth + 1, out));
            enclose('[', ']', items, depth, out);
        }
        Kind::Map(map) => {
            let entries = sorted(map).into_iter().map(|(key, item)| {
                move |out: &mut String| {
                    quote(&key.to_string(), out);
                    out.push_str(": ");
                    write_json(item, depth + 1, out);
                }
            });
            enclose('{', '}', entries, depth, out);
        }
    }
}

fn enclose(
    open: char,
    close: char,
    items: impl Iterator<Item = impl Fn(&mut String)>,
    depth: usize,
    out: &mut String,
) {
    out.push(open);
    let mut any = false;
    for item in items {
        out.push_str(if any { ",\n" } else { "\n" });
        out.push_str(&"    ".repeat(depth + 1));
        item(out);
        any = true;
    }
    if any {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    }
    out.push(close);
}

/// Returns the entries of `map`, sorted by key.
pub(super) fn sorted(map: &Map) -> Vec<(&Key, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    entries
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns a float as Python's `repr` does.
fn float(x: f64) -> String {
    let text = format!("{x:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Returns what Python's `str` makes of `value`.
pub(super) fn text(value: &Value) -> String {
    match &value.kind {
        Kind::Text(text) => text.to_string(),
        _ => repr(value),
    }
}

fn repr(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match &value.kind {
        Kind::Null => "None".to_owned(),
        Kind::Bool(b) => if *b { "True" } else { "False" }.to_owned(),
        Kind::Int(i) => i.to_string(),
        Kind::Float(x) if x.is_finite() => float(*x),
        Kind::Float(x) => x.to_string().to_lowercase(),
        Kind::Text(text) => repr_text(text),
        Kind::Bytes(bytes) => format!("b{}", repr_text(&String::from_utf8_lossy(bytes))),
        Kind::Unknown(why) => format!("<unknown until run: {why}>"),
        Kind::List(list) => format!("[{}]", joined(list.iter().map(repr).collect())),
        Kind::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| format!("{}: {}", repr(&key.to_value()), repr(value));
            format!("{{{}}}", joined(map.iter().map(entry).collect()))
        }
    }
}

fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if c.is_control() => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn forms_are_pythons() {
        let list =
            vec![Value::null(), true.into(), 1e20.into(), 0.00001.into(), 2.0.into(), "it's \"é\"\n".into()];
        let value = Value::from(map! { "b" => list, "a" => Map::new(), "c" => Vec::<Value>::new() });
        assert_eq!(
            json(&value),
            "{\n    \"a\": {},\n    \"b\": [\n        null,\n        true,\n        1e+20,\n        1e-05,\n        \
             2.0,\n        \"it's \\\"é\\\"\\n\"\n    ],\n    \"c\": []\n}"
        );
        assert_eq!(
            text(&value),
            "{'b': [None, True, 1e+20, 1e-05, 2.0, 'it\\'s \"é\"\\n'], 'a': {}, 'c': []}"
        );
        let marked = Value::from("{{ x }}").tainted(convoy_protocol::Taint::UNSAFE);
        assert_eq!(json(&marked), "{\n    \"__ansible_unsafe\": \"{{ x }}\"\n}");
        assert_eq!(text(&Value::from("it's")), "it's");
        assert_eq!(text(&Value::from(vec![Value::from("it's")])), "[\"it's\"]");
    }
}
