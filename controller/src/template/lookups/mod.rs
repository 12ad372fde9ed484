//! Lookups: values from the workstation, for `lookup()`, `query()` and the `with_…` loops.
//!
//! To add a lookup, write it in the file of its topic and add it to [`LOOKUPS`].
//!
//! The results of `lookup()` are data: they are marked as unsafe and never rendered, unless `allow_unsafe` is set.

mod call;
mod csvfile;
mod files;
mod first_found;
mod ini;
mod loops;
mod password;
mod sequence;
mod subelements;
mod term;
mod variables;

use std::sync::Arc;

use convoy_protocol::{Map, Taint, Value};

use self::call::Call;
use super::error::{Error, Kind};
use super::jinja::{Args, Rendering, TextKind, Val, str};

/// A lookup plugin. It takes the options that it knows from the call.
type Lookup = fn(&mut Call<'_, '_>) -> Result<Vec<Val>, Error>;

const LOOKUPS: &[(&str, Lookup)] = &[
    ("env", variables::env),
    ("vars", variables::vars),
    ("varnames", variables::varnames),
    ("inventory_hostnames", variables::inventory_hostnames),
    ("file", files::file),
    ("unvault", files::unvault),
    ("fileglob", files::fileglob),
    ("template", files::template),
    ("lines", files::lines),
    ("pipe", files::pipe),
    ("password", password::password),
    ("first_found", first_found::first_found),
    ("ini", ini::ini),
    ("csvfile", csvfile::csvfile),
    ("items", loops::items),
    ("list", loops::list),
    ("dict", loops::dict),
    ("together", loops::together),
    ("nested", loops::nested),
    ("subelements", subelements::subelements),
    ("indexed_items", loops::indexed_items),
    ("flattened", loops::flattened),
    ("random_choice", loops::random_choice),
    ("sequence", sequence::sequence),
];

fn find(name: &str) -> Result<Lookup, Error> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    let lookup = LOOKUPS.iter().find(|(other, _)| *other == short).map(|(_, lookup)| *lookup);
    lookup.ok_or_else(|| Error::other(format!("lookup plugin ({name}) not found")))
}

/// Runs the lookup behind a `with_<name>` loop. The terms and options must be rendered already; the results are data.
pub(super) fn items(
    rendering: &Rendering<'_>,
    name: &str,
    terms: &Value,
    options: &Map,
) -> Result<Vec<Value>, Error> {
    let lookup = find(name)?;
    let terms = match rendering.force_deep(&rendering.data(terms))? {
        list @ Val::List(_) => rendering.items(&list)?,
        Val::None => Vec::new(),
        other => vec![other],
    };
    let mut named = Vec::new();
    for (key, value) in options {
        named.push((Arc::from(key.to_string()), rendering.force_deep(&rendering.data(value))?));
    }
    let mut call = Call { rendering, terms, options: Args { pos: Vec::new(), named } };
    let results = lookup(&mut call)?;
    call.options.finish(name)?;
    results.iter().map(|value| rendering.to_value(value)).collect()
}

/// Evaluates `lookup(…)` or, with `as_list`, `query(…)` in a template.
pub(super) fn function(rendering: &Rendering<'_>, args: &mut Args, as_list: bool) -> Result<Val, Error> {
    let name = args.need_text(0, " name")?;
    let lookup = find(&name)?;
    if rendering.context.no_lookups {
        let what = format!("The lookup `{name}` was found, however lookups were disabled from templating");
        return Err(Error::other(what));
    }
    let want_list = args.named_flag("wantlist", as_list)?;
    let allow_unsafe = args.named_flag("allow_unsafe", false)?;
    let errors = args.key("errors").map_or_else(|| "strict".into(), |v| str(&v));
    let terms = args.rest(1).into_iter().map(Val::defined).collect::<Result<Vec<_>, _>>()?;
    let mut call =
        Call { rendering, terms, options: Args { pos: Vec::new(), named: std::mem::take(&mut args.named) } };
    let result = lookup(&mut call).and_then(|values| call.options.finish(&name).map(|()| values));
    let values = match result {
        Err(error) if error.kind == Kind::Other && errors != "strict" => {
            return Ok(if want_list { Val::list(Vec::new()) } else { Val::None });
        }
        other => other?,
    };
    let mark = |value: Val| match value {
        Val::Str(text, _) if !allow_unsafe => Val::Str(text, TextKind::Unsafe),
        other => other,
    };
    if !values.is_empty() && !allow_unsafe {
        rendering.add_taint(Taint::UNSAFE);
    }
    let mut values: Vec<Val> = values.into_iter().map(mark).collect();
    // Without results, the value is an empty list and not empty text.
    if want_list || values.is_empty() {
        return Ok(Val::list(values));
    }
    if values.iter().all(|value| value.as_str().is_some()) {
        return Ok(mark(values.iter().map(str).collect::<Vec<_>>().join(",").into()));
    }
    Ok(if values.len() == 1 { values.remove(0) } else { Val::list(values) })
}
