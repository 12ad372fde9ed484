//! Filters on paths.

use std::path::{Path, PathBuf};

use super::lists::texts;
use crate::paths::expand_user;
use crate::template::Error;
use crate::template::glob::glob;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("basename", |_, v, _| Ok(split(&text_of(v)?).1.into())),
    ("dirname", |_, v, _| Ok(split(&text_of(v)?).0.into())),
    ("expanduser", |_, v, _| Ok(expand_user(&text_of(v)?).to_string_lossy().as_ref().into())),
    ("expandvars", |_, v, _| Ok(expand_vars(&text_of(v)?).into())),
    ("normpath", |_, v, _| Ok(normalized(&text_of(v)?).into())),
    ("realpath", |_, v, _| Ok(realpath(&text_of(v)?).into())),
    ("relpath", relpath),
    ("splitext", |_, v, _| {
        let path = text_of(v)?;
        let name = path.rfind('/').map_or(0, |at| at + 1);
        let hidden = name + path[name..].len() - path[name..].trim_start_matches('.').len();
        let at = path[hidden..].rfind('.').map_or(path.len(), |at| at + hidden);
        Ok(Val::tuple(vec![path[..at].into(), path[at..].into()]))
    }),
    ("path_join", |rendering, v, _| {
        if let Val::Str(..) = v {
            return Ok(v);
        }
        if !matches!(v, Val::List(_) | Val::Undefined(_)) {
            return Err(Error::other(format!(
                "|path_join expects string or sequence, got <class '{}'> instead.",
                v.type_name()
            )));
        }
        let mut joined = String::new();
        for part in texts(rendering, &v)? {
            if part.starts_with('/') || joined.is_empty() {
                joined = part;
            } else {
                if !joined.ends_with('/') {
                    joined.push('/');
                }
                joined.push_str(&part);
            }
        }
        Ok(joined.into())
    }),
    ("commonpath", |rendering, v, _| {
        let paths = texts(rendering, &v)?;
        let mut common: Option<Vec<String>> = None;
        for path in &paths {
            let parts: Vec<String> =
                path.split('/').filter(|p| !p.is_empty() && *p != ".").map(str::to_owned).collect();
            common = Some(match common {
                None => parts,
                Some(before) => {
                    before.into_iter().zip(parts).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
                }
            });
        }
        let root = if paths.first().is_some_and(|path| path.starts_with('/')) { "/" } else { "" };
        Ok(format!("{root}{}", common.unwrap_or_default().join("/")).into())
    }),
    ("fileglob", |_, v, _| {
        Ok(Val::list(
            glob(&text_of(v)?).into_iter().filter(|p| Path::new(p).is_file()).map(Val::from).collect(),
        ))
    }),
    ("win_basename", |_, v, _| {
        let path = text_of(v)?;
        Ok(path[path.rfind(['\\', '/']).map_or(0, |at| at + 1)..].into())
    }),
    ("win_dirname", |_, v, _| {
        let path = text_of(v)?;
        let head = &path[..path.rfind(['\\', '/']).map_or(0, |at| at + 1)];
        let trimmed = head.trim_end_matches(['\\', '/']);
        Ok(if trimmed.is_empty() || trimmed.ends_with(':') { head } else { trimmed }.into())
    }),
    ("win_splitdrive", |_, v, _| {
        let path = text_of(v)?;
        let at = if path.as_bytes().get(1) == Some(&b':') { 2 } else { 0 };
        Ok(Val::tuple(vec![path[..at].into(), path[at..].into()]))
    }),
];

/// Splits a path into its directory and its last component.
fn split(path: &str) -> (&str, &str) {
    let (head, tail) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, tail)
}

/// Removes `.`, `..` and repeated slashes, without looking at the file system.
fn normalized(path: &str) -> String {
    let root = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if root => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (root, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

fn absolute(path: &str) -> String {
    let base = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    normalized(&base.join(path).to_string_lossy())
}

/// Returns the path with symbolic links resolved, as far as it exists.
fn realpath(path: &str) -> String {
    let path = PathBuf::from(absolute(path));
    let mut head = path.as_path();
    let mut tail = Vec::new();
    loop {
        if let Ok(real) = head.canonicalize() {
            return tail.iter().rev().fold(real, |path, part| path.join(part)).to_string_lossy().into_owned();
        }
        let (Some(parent), Some(name)) = (head.parent(), head.file_name()) else {
            return path.to_string_lossy().into_owned();
        };
        tail.push(name.to_owned());
        head = parent;
    }
}

fn relpath(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let path = absolute(&text_of(v)?);
    let start = absolute(&args.text(0, "start")?.unwrap_or_else(|| ".".into()));
    let parts = |text: &str| text.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (path, start) = (parts(&path), parts(&start));
    let shared = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), start.len() - shared);
    let relative = up.chain(path[shared..].iter().cloned()).collect::<Vec<_>>().join("/");
    Ok(if relative.is_empty() { "." } else { &relative }.into())
}

fn expand_vars(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let (name, len) = match tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let len = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(tail.len());
                (&tail[..len], len)
            }
        };
        match std::env::var(name) {
            Ok(value) if !name.is_empty() => out.push_str(&value),
            _ => out.push_str(&rest[at..=at + len]),
        }
        rest = &tail[len..];
    }
    out + rest
}
