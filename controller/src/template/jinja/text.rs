//! Python's two text forms of a value: `str()` and `repr()`.

use std::fmt::Write as _;

use jiff::fmt::strtime::{BrokenDownTime, Config};

use super::value::{ListKind, Val};

/// `str(value)`. Parts that are not rendered yet must have been before.
pub(crate) fn str(value: &Val) -> String {
    match value {
        Val::Str(text, _) => text.to_string(),
        Val::Undefined(_) => String::new(),
        other => repr(other),
    }
}

/// `repr(value)`.
pub(crate) fn repr(value: &Val) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

fn write_repr(out: &mut String, value: &Val) {
    match value {
        Val::None => out.push_str("None"),
        Val::Bool(b) => out.push_str(if *b { "True" } else { "False" }),
        Val::Int(i) => write_plain(out, i),
        Val::Float(x) => out.push_str(&float(*x)),
        Val::Str(text, _) => quoted(out, text),
        Val::Bytes(bytes) => bytes_repr(out, bytes),
        Val::List(list) => sequence(out, list.kind, &list.items.borrow()),
        Val::Dict(dict) => {
            out.push('{');
            for (i, (key, value)) in dict.items.borrow().iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(out, &Val::from(key));
                out.push_str(": ");
                write_repr(out, value);
            }
            out.push('}');
        }
        Val::Unknown(why) => write_plain(out, format_args!("<unknown until run: {why}>")),
        Val::Undefined(undefined) => {
            write_plain(out, format_args!("AnsibleUndefined({})", undefined.message));
        }
        Val::Time(time) => out.push_str(&time_text(*time)),
        Val::Delta(delta) => out.push_str(&delta_text(*delta)),
        other => write_plain(out, format_args!("<{}>", other.object_name())),
    }
}

fn write_plain(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

fn sequence(out: &mut String, kind: ListKind, items: &[Val]) {
    let (open, close) = match kind {
        ListKind::Tuple => ("(", ")"),
        ListKind::Keys => ("dict_keys([", "])"),
        ListKind::Values => ("dict_values([", "])"),
        ListKind::Items => ("dict_items([", "])"),
        ListKind::List | ListKind::Generator | ListKind::Range => ("[", "]"),
    };
    out.push_str(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_repr(out, item);
    }
    if kind == ListKind::Tuple && items.len() == 1 {
        out.push(',');
    }
    out.push_str(close);
}

/// Python's shortest form that reads back the same: `1e+20`, `1e-07`, `0.1`, `3.0`.
pub(crate) fn float(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let text = format!("{x}");
        if text.contains('.') { text } else { text + ".0" }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

fn quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x100 => write_plain(out, format_args!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x10000 => write_plain(out, format_args!("\\u{:04x}", c as u32)),
            c => write_plain(out, format_args!("\\U{:08x}", c as u32)),
        }
    }
    out.push(quote);
}

/// Whether Python shows the character as it is.
pub(crate) fn is_printable(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}'))
}

fn bytes_repr(out: &mut String, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    out.push('b');
    out.push(quote);
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b if char::from(b) == quote => {
                out.push('\\');
                out.push(quote);
            }
            0x20..=0x7e => out.push(char::from(byte)),
            b => write_plain(out, format_args!("\\x{b:02x}")),
        }
    }
    out.push(quote);
}

/// Writes a time as the format says; what is no conversion stays as it is, as in Python.
pub(crate) fn strftime(time: impl Into<BrokenDownTime>, format: &str) -> String {
    let lenient = Config::new().lenient(true);
    time.into().to_string_with_config(&lenient, format).unwrap_or_else(|_| format.to_owned())
}

/// `str()` of a datetime: microseconds only where there are some.
pub(crate) fn time_text(time: jiff::civil::DateTime) -> String {
    let micros = time.subsec_nanosecond() / 1000;
    let whole = time.strftime("%Y-%m-%d %H:%M:%S");
    if micros == 0 { whole.to_string() } else { format!("{whole}.{micros:06}") }
}

/// `str()` of a timedelta: `1 day, 2:03:04.000005`.
fn delta_text(delta: jiff::SignedDuration) -> String {
    let micros = delta.as_micros();
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let mut text = match days {
        0 => String::new(),
        1 | -1 => format!("{days} day, "),
        _ => format!("{days} days, "),
    };
    write_plain(&mut text, format_args!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    if fraction > 0 {
        write_plain(&mut text, format_args!(".{fraction:06}"));
    }
    text
}
