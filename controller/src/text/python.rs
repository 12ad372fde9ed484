//! Values as Python's `str` and `repr` write them: what playbooks see when a value becomes text.
//!
//! The pieces (quoted text, bytes, numbers) are public, since what a template computes with has a form of its own:
//! `template::jinja`.

use std::fmt::Write as _;

use convoy_protocol::value::HIDDEN;
use convoy_protocol::{Kind, Value};

/// Returns a value as text: text as it is, anything else in Python's notation. Secrets are written out.
pub fn str(value: &Value) -> String {
    value.as_str().map_or_else(|| repr(value), str::to_owned)
}

/// Returns the label of an item of a loop, for people: as [`str`], with a placeholder for each secret.
pub fn label(item: Option<&Value>) -> String {
    match item {
        None => "None".to_owned(),
        Some(item) if item.taint.is_secret() => HIDDEN.to_owned(),
        Some(item) => item.as_str().map_or_else(|| form(item, true), str::to_owned),
    }
}

/// Returns a value in Python's notation, text in quotes. Secrets are written out.
pub fn repr(value: &Value) -> String {
    form(value, false)
}

fn form(value: &Value, hide_secrets: bool) -> String {
    let mut out = String::new();
    write_repr(&mut out, value, hide_secrets);
    out
}

fn write_repr(out: &mut String, value: &Value, hide_secrets: bool) {
    if hide_secrets && value.taint.is_secret() {
        return write_quoted(out, HIDDEN);
    }
    match &value.kind {
        Kind::Null => out.push_str("None"),
        Kind::Bool(b) => out.push_str(boolean(*b)),
        // Writing to a text cannot fail.
        Kind::Int(i) => _ = write!(out, "{i}"),
        Kind::Float(x) => out.push_str(&float(*x)),
        Kind::Text(text) | Kind::Vaulted(text) => write_quoted(out, text),
        Kind::Bytes(bytes) => write_bytes(out, bytes),
        Kind::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_repr(out, item, hide_secrets);
            }
            out.push(']');
        }
        Kind::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_repr(out, &key.to_value(), false);
                out.push_str(": ");
                write_repr(out, value, hide_secrets);
            }
            out.push('}');
        }
        Kind::Unknown(why) => _ = write!(out, "<unknown until run: {why}>"),
    }
}

/// Returns `True` or `False`.
pub fn boolean(b: bool) -> &'static str {
    if b { "True" } else { "False" }
}

/// Returns a number in the shortest form that reads back the same: `0.1`, `3.0`, `1e+20`, `1e-07`, `inf`, `nan`.
pub fn float(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string().to_lowercase();
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        format!("{x:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }
}

/// Appends a text in quotes.
pub fn write_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => write_escape(out, c),
        }
    }
    out.push(quote);
}

fn write_escape(out: &mut String, c: char) {
    let code = u32::from(c);
    _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Appends bytes in quotes, after a `b`.
pub fn write_bytes(out: &mut String, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    out.extend(['b', quote]);
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if char::from(byte) == quote => out.extend(['\\', quote]),
            0x20..=0x7e => out.push(char::from(byte)),
            byte => _ = write!(out, "\\x{byte:02x}"),
        }
    }
    out.push(quote);
}

/// Returns whether Python shows the character as it is: no control, format or private character, and of blanks only
/// the space.
pub fn is_printable(c: char) -> bool {
    let is_format = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}');
    let is_private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_format || is_private)
}

/// Returns whether `name` can be the name of a variable, as Python and Ansible have it.
pub fn is_identifier(name: &str) -> bool {
    const WORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
        "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in",
        "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&name)
}

/// Returns a word for a POSIX shell, as Python's `shlex.quote` writes it.
pub fn shell_quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', "'\"'\"'"))
    }
}

#[cfg(test)]
mod tests {
    use convoy_protocol::{Taint, map};

    use super::*;

    #[test]
    fn labels_are_written_as_python_writes_them() {
        let item = Value::from(map! {
            "k" => vec![Value::from(1), "x".into(), Value::null(), true.into(), 1.5.into(), f64::INFINITY.into()],
            "q" => "it's",
            "both" => "it's \"so\"",
            "e" => "a\n\u{7}é\u{a0}\u{200b}日\\",
        });
        assert_eq!(
            label(Some(&item)),
            r#"{'k': [1, 'x', None, True, 1.5, inf], 'q': "it's", 'both': 'it\'s "so"', 'e': 'a\n\x07é\xa0\u200b日\\'}"#
        );
        assert_eq!(label(Some(&"plain 'text'".into())), "plain 'text'");
        assert_eq!(label(None), "None");
    }

    #[test]
    fn bytes_are_written_as_python_writes_them() {
        let repr = |bytes: &[u8]| str(&Value::from(bytes.to_vec()));
        assert_eq!(repr(b"it's\x00\xe9\\"), r#"b"it's\x00\xe9\\""#);
        assert_eq!(repr(b"'\"\n"), r#"b'\'"\n'"#);
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
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
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float(x), expected, "{x:e}");
        }
    }

    #[test]
    fn a_placeholder_replaces_each_secret() {
        let secret = Value::from("hunter2").tainted(Taint::SECRET);
        assert_eq!(label(Some(&secret)), HIDDEN);
        let item = Value::from(map! { "password" => secret });
        assert_eq!(label(Some(&item)), "{'password': 'VALUE_SPECIFIED_IN_NO_LOG_PARAMETER'}");
    }
}
