//! Lookups: values from the workstation, by `lookup()`, `query()` or a `with_…` loop.

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

use super::error::{Error, Kind};
use super::jinja::{Args, Exec, Run, TextKind, Val, str};
use super::{Context, Scope, Templar};

/// What a lookup is given.
pub(super) struct Call<'c, 'a> {
    run: &'c Run<'a>,
    terms: Vec<Val>,
    options: Args,
}

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
    let found = LOOKUPS.iter().find(|(known, _)| *known == short).map(|(_, lookup)| *lookup);
    found.ok_or_else(|| Error::other(format!("lookup plugin ({name}) not found")))
}

/// Runs the lookup behind a `with_<name>` loop. The terms must be rendered already; the results are data.
///
/// # Errors
/// Fails if there is no such lookup or it cannot answer.
pub fn lookup(
    templar: &Templar,
    name: &str,
    terms: &Value,
    options: &Map,
    scope: &dyn Scope,
    context: &Context,
) -> Result<Vec<Value>, Error> {
    let run = Run::new(templar, scope, context);
    let found = find(name)?;
    let work = || {
        let terms = match run.resolve(&run.data(terms))? {
            list @ Val::List(_) => run.items(&list)?,
            Val::None => Vec::new(),
            other => vec![other],
        };
        let mut named = Vec::new();
        for (key, value) in options {
            named.push((Arc::from(key.to_string()), run.resolve(&run.data(value))?));
        }
        let mut call = Call { run: &run, terms, options: Args { pos: Vec::new(), named } };
        let made = found(&mut call)?;
        call.options.finish(name)?;
        made.iter().map(|value| run.value(value)).collect::<Result<Vec<_>, _>>()
    };
    let secret = |run: &Run<'_>| if run.taint().is_secret() { Taint::SECRET } else { Taint::NONE };
    match work() {
        Ok(values) => Ok(values.into_iter().map(|value| value.tainted(secret(&run))).collect()),
        Err(mut error) => {
            error.taint = error.taint | secret(&run);
            Err(error.at(context.origin.as_ref()))
        }
    }
}

/// `lookup(…)` and, with `as_list`, `query(…)` within a template.
pub(super) fn function(exec: &Exec<'_, '_>, args: &mut Args, as_list: bool) -> Result<Val, Error> {
    let run = exec.run;
    let name = args.need_text(0, " name")?;
    let found = find(&name)?;
    if run.context.no_lookups {
        let what = format!("The lookup `{name}` was found, however lookups were disabled from templating");
        return Err(Error::other(what));
    }
    let want_list = args.key("wantlist").map_or(Ok(as_list), |v| v.truth())?;
    let allow_unsafe = args.key("allow_unsafe").map_or(Ok(false), |v| v.truth())?;
    let errors = args.key("errors").map_or_else(|| "strict".into(), |v| str(&v));
    let terms = args.rest(1).into_iter().map(Val::defined).collect::<Result<Vec<_>, _>>()?;
    let mut call =
        Call { run, terms, options: Args { pos: Vec::new(), named: std::mem::take(&mut args.named) } };
    let result = found(&mut call).and_then(|made| call.options.finish(&name).map(|()| made));
    let made = match result {
        Err(error) if error.kind == Kind::Other && errors != "strict" => {
            return Ok(if want_list { Val::list(Vec::new()) } else { Val::None });
        }
        other => other?,
    };
    let mark = |value: Val| match value {
        Val::Str(text, _) if !allow_unsafe => Val::Str(text, TextKind::Unsafe),
        other => other,
    };
    if !made.is_empty() && !allow_unsafe {
        run.add_taint(Taint::UNSAFE);
    }
    let mut made: Vec<Val> = made.into_iter().map(mark).collect();
    // Nothing is not the empty text.
    if want_list || made.is_empty() {
        return Ok(Val::list(made));
    }
    if made.iter().all(|value| value.as_str().is_some()) {
        return Ok(mark(made.iter().map(str).collect::<Vec<_>>().join(",").into()));
    }
    Ok(if made.len() == 1 { made.remove(0) } else { Val::list(made) })
}
