//! The tests that Ansible adds: results of tasks, regular expressions, versions, files, URLs.

use std::path::Path;

use super::version;
use crate::template::Error;
use crate::template::jinja::filters::split_scheme;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops::{contains, equal};
use crate::template::jinja::python::regex::compile;
use crate::template::jinja::python::text::{str, text_of};
use crate::template::jinja::python::value::{TextKind, Val};
use crate::template::jinja::rendering::{Rendering, Test};

/// Returns the test called `name`.
pub(super) fn find(name: &str) -> Option<Test> {
    TESTS.iter().find(|(names, _)| names.contains(&name)).map(|(_, test)| *test)
}

/// Returns the member of a task's result that a test looks at.
pub(in crate::template::jinja) fn member_of(test: &str) -> Option<&'static str> {
    Some(match test {
        "failed" | "failure" | "success" | "succeeded" | "successful" => "failed",
        "unreachable" | "reachable" => "unreachable",
        "skipped" | "skip" => "skipped",
        "changed" | "change" => "changed",
        _ => return None,
    })
}

const TESTS: &[(&[&str], Test)] = &[
    (&["failed", "failure"], |_, v, _| flag(&v, "failed", "failed")),
    (&["success", "succeeded", "successful"], |_, v, _| Ok(!flag(&v, "failed", "failed")?)),
    (&["unreachable"], |_, v, _| flag(&v, "unreachable", "unreachable")),
    (&["reachable"], |_, v, _| Ok(!flag(&v, "unreachable", "unreachable")?)),
    (&["skipped", "skip"], |_, v, _| flag(&v, "skipped", "skipped")),
    (&["changed", "change"], |_, v, _| changed(&v)),
    (&["started"], |_, v, _| job(&v, "started")),
    (&["finished"], |_, v, _| job(&v, "finished")),
    (&["timedout"], |_, v, _| match member(&v, "timedout", "timedout")? {
        Some(period) => {
            Ok(matches!(member(&period, "period", "timedout"), Ok(Some(period)) if period.truth()?))
        }
        None => Ok(false),
    }),
    (&["match"], |_, v, args| matches(&v, args, "match")),
    (&["search"], |_, v, args| matches(&v, args, "search")),
    (&["regex"], |_, v, args| {
        let how = args.text(3, "match_type")?.unwrap_or_else(|| "search".into());
        matches(&v, args, &how)
    }),
    (&["version", "version_compare"], |_, v, args| version::compare(&text_of(v)?, args)),
    (&["any"], |rendering, v, _| {
        rendering.items(&v)?.iter().try_fold(false, |any, item| Ok(any || item.truth()?))
    }),
    (&["all"], |rendering, v, _| {
        rendering.items(&v)?.iter().try_fold(true, |all, item| Ok(all && item.truth()?))
    }),
    (&["truthy"], |_, v, args| truthy(&v, args)),
    (&["falsy"], |_, v, args| Ok(!truthy(&v, args)?)),
    (&["contains"], |_, v, args| contains(&v, &args.need(0, "value")?)),
    (&["subset", "issubset"], |rendering, v, args| subset(rendering, &v, &args.need(0, "b")?)),
    (&["superset", "issuperset"], |rendering, v, args| subset(rendering, &args.need(0, "b")?, &v)),
    (&["nan", "isnan"], |_, v, _| Ok(matches!(v, Val::Float(x) if x.is_nan()))),
    (&["file", "is_file"], |_, v, _| path(v, Path::is_file)),
    (&["directory", "is_dir"], |_, v, _| path(v, Path::is_dir)),
    (&["link", "is_link"], |_, v, _| path(v, Path::is_symlink)),
    (&["exists"], |_, v, _| path(v, Path::exists)),
    (&["link_exists"], |_, v, _| path(v, |p| p.symlink_metadata().is_ok())),
    (&["abs", "is_abs"], |_, v, _| path(v, Path::is_absolute)),
    (&["mount", "is_mount"], |_, v, _| path(v, is_mount)),
    (&["same_file", "is_same_file"], |_, v, args| {
        let other = str(&args.need(0, "other")?);
        let paths = (std::fs::canonicalize(text_of(v)?), std::fs::canonicalize(&other));
        match paths {
            (Ok(a), Ok(b)) => Ok(a == b),
            _ => Err(Error::other(format!("No such file or directory: '{other}'"))),
        }
    }),
    (&["url"], |_, v, args| uri(&text_of(v)?, &schemes(args)?, true)),
    (&["uri"], |_, v, args| uri(&text_of(v)?, &schemes(args)?, false)),
    (&["urn"], |_, v, _| {
        Ok(text_of(v)?.to_lowercase().strip_prefix("urn:").is_some_and(|rest| !rest.is_empty()))
    }),
    (&["vault_encrypted"], |_, v, _| Ok(matches!(v, Val::Str(_, TextKind::Vault)))),
    (&["vaulted_file"], |rendering, v, _| {
        let path = text_of(v)?;
        let file = rendering.context.find(&path, "").unwrap_or_else(|| path.as_str().into());
        let bytes = std::fs::read(file)
            .map_err(|_| Error::other(format!("Cannot test if the file {path} is a vault")))?;
        Ok(crate::secrets::is_vaulted(&bytes))
    }),
];

fn member(v: &Val, key: &str, test: &str) -> Result<Option<Val>, Error> {
    match v {
        Val::Dict(dict) => Ok(dict.items.borrow().get(key).cloned()),
        _ => Err(Error::other(format!("The '{test}' test expects a dictionary"))),
    }
}

fn flag(v: &Val, key: &str, test: &str) -> Result<bool, Error> {
    member(v, key, test)?.map_or(Ok(false), |value| value.truth())
}

fn changed(v: &Val) -> Result<bool, Error> {
    if let Some(changed) = member(v, "changed", "changed")? {
        return changed.truth();
    }
    let Some(Val::List(results)) = member(v, "results", "changed")? else {
        return Ok(false);
    };
    let results = results.items.borrow();
    if !matches!(results.first(), Some(Val::Dict(_))) {
        return Ok(false);
    }
    results.iter().try_fold(false, |any, result| Ok(any || flag(result, "changed", "changed")?))
}

/// Returns whether an asynchronous job has started or finished. A task that is not a job counts as both.
fn job(v: &Val, key: &str) -> Result<bool, Error> {
    Ok(member(v, key, key)?.is_none_or(|value| equal(&value, &Val::Int(1))))
}

fn matches(v: &Val, args: &mut Args, how: &str) -> Result<bool, Error> {
    let value = text_of(v.clone())?;
    let pattern = args.text(0, "pattern")?.unwrap_or_default();
    let pattern = match how {
        "match" => format!("\\A(?:{pattern})"),
        "fullmatch" => format!("\\A(?:{pattern})\\Z"),
        _ => pattern,
    };
    let regex = compile(&pattern, args.flag(1, "ignorecase", false)?, args.flag(2, "multiline", false)?)?;
    let found =
        regex.find(&value).map_err(|e| Error::other(format!("the regular expression failed: {e}")))?;
    Ok(found.is_some())
}

fn truthy(v: &Val, args: &mut Args) -> Result<bool, Error> {
    if args.flag(0, "convert_bool", false)?
        && let Val::Str(text, _) = v
    {
        match &*text.trim().to_lowercase() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => return Ok(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => return Ok(false),
            _ => {}
        }
    }
    v.truth()
}

fn subset(rendering: &Rendering<'_>, a: &Val, b: &Val) -> Result<bool, Error> {
    let (a, b) = (rendering.items(a)?, rendering.items(b)?);
    Ok(a.iter().all(|item| b.iter().any(|other| equal(item, other))))
}

fn path(v: Val, test: fn(&Path) -> bool) -> Result<bool, Error> {
    Ok(test(Path::new(&text_of(v)?)))
}

fn is_mount(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(own) = path.symlink_metadata() else {
        return false;
    };
    match path.join("..").metadata() {
        Ok(parent) => !own.is_symlink() && (own.dev() != parent.dev() || own.ino() == parent.ino()),
        Err(_) => false,
    }
}

fn schemes(args: &mut Args) -> Result<Vec<String>, Error> {
    Ok(match args.take(0, "schemes") {
        Some(Val::List(list)) => list.items.borrow().iter().map(str).collect(),
        Some(Val::None) | None => Vec::new(),
        Some(other) => vec![str(&other)],
    })
}

/// Returns whether the text is a URI whose scheme is one of `schemes`; with none, any scheme is accepted. With `location`,
/// the URI must have a host, as a URL does.
fn uri(text: &str, schemes: &[String], location: bool) -> Result<bool, Error> {
    let (scheme, rest) = split_scheme(text);
    let has_host = rest.strip_prefix("//").is_some_and(|rest| !rest.starts_with('/') && !rest.is_empty());
    let is_accepted = schemes.is_empty() || schemes.iter().any(|accepted| accepted == scheme);
    Ok(is_accepted && (!location || has_host || scheme == "file"))
}
