//! The global functions, such as `range`, `lookup` and `now`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::{Cycler, ListKind, Val};
use crate::template::jinja::python::{ops, sequences, text};
use crate::template::jinja::rendering::Rendering;

const NAMES: [&str; 11] =
    ["range", "dict", "lookup", "query", "q", "now", "undef", "namespace", "cycler", "joiner", "zip"];

/// The most numbers that `range` returns.
const MAX_RANGE: u64 = 10_000_000;

/// Returns the name of the function called `name`, if there is one.
pub(super) fn find(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|function| *function == name)
}

/// Calls the function called `name`.
pub(super) fn call(rendering: &Rendering<'_>, name: &str, args: &mut Args) -> Result<Val, Error> {
    Ok(match name {
        "range" => range(args)?,
        "dict" => dict(rendering, args)?,
        "lookup" | "query" | "q" => {
            for value in args.pos.iter_mut().flatten() {
                *value = rendering.force_deep(value)?;
            }
            for (_, value) in &mut args.named {
                *value = rendering.force_deep(value)?;
            }
            (rendering.environment.lookup)(rendering, args, name != "lookup")?
        }
        "now" => {
            rendering.require_impure("now()")?;
            let utc = args.flag(0, "utc", false)?;
            let now = jiff::Zoned::now();
            let now = if utc { now.with_time_zone(jiff::tz::TimeZone::UTC) } else { now };
            match args.text(1, "fmt")? {
                Some(format) => Val::text(text::strftime(&now, &format)),
                None => Val::Time(now.datetime()),
            }
        }
        "undef" => {
            let hint = args.text(0, "hint")?.filter(|hint| !hint.is_empty());
            Val::undefined(hint.unwrap_or_else(|| "Mandatory variable has not been overridden".into()))
        }
        "namespace" => {
            let names = match dict(rendering, args)? {
                Val::Dict(dict) => {
                    dict.items.borrow().iter().map(|(k, v)| (k.to_string().into(), v.clone())).collect()
                }
                _ => IndexMap::new(),
            };
            Val::Namespace(Rc::new(RefCell::new(names)))
        }
        "cycler" => {
            let items = args.rest(0);
            if items.is_empty() {
                return Err(Error::type_error("at least one item has to be provided"));
            }
            Val::Cycler(Rc::new(Cycler { items, position: Cell::new(0) }))
        }
        "joiner" => Val::Joiner(Rc::new((
            args.text(0, "sep")?.unwrap_or_else(|| ", ".into()).into(),
            Cell::new(false),
        ))),
        _ => {
            let lists =
                args.rest(0).iter().map(|list| rendering.items(list)).collect::<Result<Vec<_>, _>>()?;
            Val::generator(sequences::zip(&lists))
        }
    })
}

fn range(args: &mut Args) -> Result<Val, Error> {
    let numbers = args
        .rest(0)
        .into_iter()
        .map(|value| {
            let value = value.defined()?;
            let name = value.type_name();
            value.as_int().ok_or_else(|| {
                Error::type_error(format!("'{name}' object cannot be interpreted as an integer"))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => return Err(Error::type_error("range expected at least 1 argument, got 0")),
    };
    if step == 0 {
        return Err(Error::other("range() arg 3 must not be zero"));
    }
    let count = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
    if u64::try_from(count).unwrap_or(0) / step.unsigned_abs() > MAX_RANGE {
        return Err(Error::other("range is too long"));
    }
    let mut items = Vec::new();
    let mut at = start;
    while if step > 0 { at < stop } else { at > stop } {
        items.push(Val::Int(at));
        at = at.saturating_add(step);
    }
    Ok(Val::sequence(items, ListKind::Range))
}

fn dict(rendering: &Rendering<'_>, args: &mut Args) -> Result<Val, Error> {
    let mut map = IndexMap::new();
    match args.take(0, " positional").map(|value| rendering.force(&value)).transpose()? {
        None => {}
        Some(Val::Dict(other)) => map.clone_from(&other.items.borrow()),
        Some(pairs) => {
            for pair in rendering.items(&pairs)? {
                match rendering.items(&pair)?.as_slice() {
                    [key, value] => map.insert(ops::key(key)?, value.clone()),
                    _ => {
                        return Err(Error::other(
                            "dictionary update sequence element has the wrong length; 2 is required",
                        ));
                    }
                };
            }
        }
    }
    map.extend(args.named.drain(..).map(|(name, value)| (name.into(), value)));
    Ok(Val::dict(map))
}
