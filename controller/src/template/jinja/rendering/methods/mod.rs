//! The methods of Python's types that playbooks use: text, lists, dictionaries, dates and times.

mod containers;
mod text;

use std::sync::Arc;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops;
use crate::template::jinja::python::text::{strftime, time_text};
use crate::template::jinja::python::value::{ListKind, Val};
use crate::template::jinja::rendering::Rendering;

/// Returns whether the value has a method called `name`.
pub(crate) fn has(object: &Val, name: &str) -> bool {
    match object {
        Val::Str(..) => text::NAMES.contains(&name),
        Val::List(list) => match list.kind {
            ListKind::List => containers::LIST_NAMES.contains(&name),
            _ => matches!(name, "count" | "index"),
        },
        Val::Dict(_) => containers::DICT_NAMES.contains(&name),
        Val::Vars(_) | Val::HostVars => matches!(name, "get" | "keys" | "items" | "values"),
        Val::Time(_) => matches!(name, "strftime" | "isoformat" | "timestamp" | "date" | "weekday"),
        Val::Delta(_) => name == "total_seconds",
        Val::Bytes(_) => name == "decode",
        Val::Cycler(_) => matches!(name, "next" | "reset"),
        Val::Float(_) => name == "is_integer",
        Val::Int(_) => name == "bit_length",
        _ => false,
    }
}

/// Calls a method. Returns `None` if the value has no such method.
pub(crate) fn call(
    rendering: &Rendering<'_>,
    object: &Val,
    name: &str,
    args: &mut Args,
) -> Result<Option<Val>, Error> {
    let object = rendering.force(object)?.defined()?;
    if !has(&object, name) {
        return Ok(None);
    }
    for value in args.pos.iter_mut().flatten() {
        *value = rendering.force_deep(value)?;
    }
    if let Some(why) = unknown_answer(&object, name, args) {
        *args = Args::default();
        return Ok(Some(Val::Unknown(why)));
    }
    match &object {
        Val::Str(value, _) => text::call(rendering, value, name, args),
        Val::List(list) => containers::list_method(rendering, &object, list, name, args),
        Val::Dict(_) => containers::dict_method(rendering, &object, name, args),
        Val::Vars(_) | Val::HostVars => containers::vars_method(rendering, &object, name, args),
        Val::Time(time) => Ok(match name {
            "strftime" => Val::text(strftime(*time, &args.need_text(0, "format")?)),
            "isoformat" => Val::text(time_text(*time).replacen(' ', "T", 1)),
            "weekday" => i64::from(time.weekday().to_monday_zero_offset()).into(),
            "date" => Val::text(time.date().to_string()),
            _ => {
                let zoned =
                    time.to_zoned(jiff::tz::TimeZone::system()).map_err(|e| Error::other(e.to_string()))?;
                Val::Float(zoned.timestamp().as_microsecond() as f64 / 1e6)
            }
        }),
        Val::Delta(delta) => Ok(Val::Float(delta.as_micros() as f64 / 1e6)),
        Val::Bytes(bytes) => {
            args.rest(0);
            Ok(Val::text(String::from_utf8_lossy(bytes).into_owned()))
        }
        Val::Cycler(cycler) => {
            if name == "reset" {
                cycler.position.set(0);
                return Ok(Some(Val::None));
            }
            Ok(cycler.next())
        }
        Val::Float(x) => Ok((x.fract() == 0.0).into()),
        Val::Int(i) => Ok(i64::from(64 - i.unsigned_abs().leading_zeros()).into()),
        _ => return Ok(None),
    }
    .map(Some)
}

/// Returns why the result of a method is unknown, if it is.
fn unknown_answer(object: &Val, name: &str, args: &Args) -> Option<Arc<str>> {
    let is_known_key = || args.pos.first().cloned().flatten().is_some_and(|key| ops::has_key(object, &key));
    args.unknown().or_else(|| object.unknown_rest().filter(|_| name != "get" || !is_known_key()))
}
