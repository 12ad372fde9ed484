//! Values as Python's `str` and `repr` write them: what playbooks see when a value becomes text.

use std::fmt::Write as _;

use convoy_protocol::{Key, Kind, Value};

use crate::json;

/// Returns a value as text: text as it is, anything else in Python's notation. Secrets are written out.
pub fn str(value: &Value) -> String {
    value.as_str().map_or_else(|| repr(value, false), str::to_owned)
}

/// Returns the label of an item of a loop, for people: as [`str`], with a placeholder for each secret.
pub fn label(item: Option<&Value>) -> String {
    match item {
        None => "None".to_owned(),
        Some(item) if item.taint.is_secret() => json::SECRET.to_owned(),
        Some(item) => item.as_str().map_or_else(|| repr(item, true), str::to_owned),
    }
}

fn repr(value: &Value, hide: bool) -> String {
    if hide && value.taint.is_secret() {
        return quoted(json::SECRET);
    }
    match &value.kind {
        Kind::Null => "None".to_owned(),
        Kind::Bool(b) => boolean(*b).to_owned(),
        Kind::Int(i) => i.to_string(),
        Kind::Float(x) if x.is_finite() => json::float_text(*x),
        Kind::Float(x) => x.to_string().to_lowercase(),
        Kind::Text(text) => quoted(text),
        Kind::Bytes(bytes) => format!("b{}", quoted(&String::from_utf8_lossy(bytes))),
        Kind::List(list) => {
            format!("[{}]", list.iter().map(|item| repr(item, hide)).collect::<Vec<_>>().join(", "))
        }
        Kind::Map(map) => {
            let members: Vec<_> = map.iter().map(|(k, v)| format!("{}: {}", key(k), repr(v, hide))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Kind::Vaulted(text) => quoted(text),
        Kind::Unknown(why) => format!("<unknown until run: {why}>"),
    }
}

fn key(key: &Key) -> String {
    repr(&key.to_value(), false)
}

fn boolean(b: bool) -> &'static str {
    if b { "True" } else { "False" }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if !printable(c) => escape(&mut out, c),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Whether Python shows the character as it is: no control, format or private character, and of blanks only
/// the space.
fn printable(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{f0000}'..='\u{10ffff}'))
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
    fn as_python_writes_it() {
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
    fn a_secret_is_not_written() {
        let secret = Value::from("hunter2").tainted(Taint::SECRET);
        assert_eq!(label(Some(&secret)), json::SECRET);
        let item = Value::from(map! { "password" => secret });
        assert_eq!(label(Some(&item)), "{'password': 'VALUE_SPECIFIED_IN_NO_LOG_PARAMETER'}");
    }
}
