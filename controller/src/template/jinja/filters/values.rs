//! Filters on values of any type: defaults, choices, types, members.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("default", default),
    ("d", default),
    ("mandatory", mandatory),
    ("ternary", |rendering, v, args| {
        let (yes, no) = (args.need(0, "true_val")?, args.need(1, "false_val")?);
        let none = args.take(2, "none_val").filter(|v| !matches!(v, Val::None));
        match none {
            Some(none) if matches!(v, Val::None) => rendering.force(&none),
            _ => rendering.force(if v.truth()? { &yes } else { &no }),
        }
    }),
    ("type_debug", |_, v, _| Ok(v.type_name().into())),
    ("attr", |rendering, v, args| rendering.attribute(&v, &args.need_text(0, "name")?)),
    ("extract", extract),
];

fn default(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let default = args.take(0, "default_value");
    let boolean = args.flag(1, "boolean", false)?;
    if v.is_undefined() || (boolean && !v.truth()?) {
        return rendering.force(&default.unwrap_or_else(|| "".into()));
    }
    Ok(v)
}

fn mandatory(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let message = args.text(0, "msg")?;
    match &v {
        Val::Undefined(undefined) => {
            let name = undefined.name.as_ref().map(|name| format!("'{name}' ")).unwrap_or_default();
            Err(Error::other(message.unwrap_or_else(|| format!("Mandatory variable {name} not defined."))))
        }
        _ => Ok(v),
    }
}

fn extract(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let mut at = rendering.force(&args.need(0, "container")?)?;
    let mut keys = vec![v.defined()?];
    match args.take(1, "morekeys") {
        None | Some(Val::None) => {}
        Some(more @ Val::List(_)) => keys.extend(rendering.items(&more)?),
        Some(more) => keys.push(more),
    }
    for key in keys {
        // Members of an undefined value are undefined too. This is only an error if the result is used.
        if at.is_undefined() {
            break;
        }
        at = rendering.subscript(&at, &key)?;
    }
    Ok(at)
}
