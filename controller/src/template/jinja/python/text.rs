//! Python's two text forms of a value, `str()` and `repr()`, and its formats for numbers and times.

use std::fmt::Write as _;

use jiff::fmt::strtime::{BrokenDownTime, Config};

use crate::template::Error;
use crate::template::jinja::python::value::{ListKind, Val};
use crate::text::python;

/// Returns `str(value)`. All parts of the value must be rendered.
pub(crate) fn str(value: &Val) -> String {
    match value {
        Val::Str(text, _) => text.to_string(),
        Val::Undefined(_) => String::new(),
        other => repr(other),
    }
}

/// Returns `str(value)` of a value that must be defined and known.
pub(crate) fn text_of(value: Val) -> Result<String, Error> {
    Ok(str(&value.defined()?))
}

/// Returns `repr(value)`. All parts of the value must be rendered.
pub(crate) fn repr(value: &Val) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

fn write_repr(out: &mut String, value: &Val) {
    match value {
        Val::None => out.push_str("None"),
        Val::Bool(b) => out.push_str(python::boolean(*b)),
        Val::Int(i) => write_plain(out, i),
        Val::Float(x) => out.push_str(&python::float(*x)),
        Val::Str(text, _) => python::write_quoted(out, text),
        Val::Bytes(bytes) => python::write_bytes(out, bytes),
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

/// Formats a time. Unsupported conversions are left as they are, as in Python.
pub(crate) fn strftime(time: impl Into<BrokenDownTime>, format: &str) -> String {
    let lenient = Config::new().lenient(true);
    time.into().to_string_with_config(&lenient, format).unwrap_or_else(|_| format.to_owned())
}

/// Returns `str()` of a datetime, which shows microseconds only if there are any.
pub(crate) fn time_text(time: jiff::civil::DateTime) -> String {
    let micros = time.subsec_nanosecond() / 1000;
    let whole = time.strftime("%Y-%m-%d %H:%M:%S");
    if micros == 0 { whole.to_string() } else { format!("{whole}.{micros:06}") }
}

/// Returns `str()` of a timedelta: `1 day, 2:03:04.000005`.
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
