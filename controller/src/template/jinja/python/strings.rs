//! What methods of Python's `str` and filters have in common.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::Val;

/// `str.capitalize`.
pub(crate) fn capitalize(s: &str) -> String {
    let mut chars = s.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect()
    })
}

/// `str.title`: a capital after everything that is no letter.
pub(crate) fn python_title(s: &str) -> String {
    cased(s, |c| !c.is_alphabetic())
}

pub(crate) fn cased(s: &str, is_border: fn(char) -> bool) -> String {
    let mut start = true;
    let mut out = String::new();
    for c in s.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = is_border(c);
    }
    out
}

/// How many of the missing characters Python puts to the left.
pub(crate) fn center_left(missing: usize, width: usize) -> usize {
    missing / 2 + (missing & width & 1)
}

/// `split` and `rsplit`, also the filter.
pub(crate) fn split(s: &str, from_right: bool, args: &mut Args) -> Result<Val, Error> {
    let sep = args.text(0, "sep")?;
    let most = usize::try_from(args.int(1, "maxsplit", -1)?).ok();
    let mut parts: Vec<String> = match (&sep, from_right) {
        (Some(sep), _) if sep.is_empty() => return Err(Error::other("empty separator")),
        (Some(sep), false) => {
            s.splitn(most.map_or(usize::MAX, |most| most + 1), &**sep).map(str::to_owned).collect()
        }
        (Some(sep), true) => {
            s.rsplitn(most.map_or(usize::MAX, |most| most + 1), &**sep).map(str::to_owned).collect()
        }
        (None, right) => words(s, most, right),
    };
    if from_right && sep.is_some() {
        parts.reverse();
    }
    Ok(Val::list(parts.into_iter().map(Val::from).collect()))
}

fn words(s: &str, most: Option<usize>, from_right: bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = s.trim();
    while !rest.is_empty() {
        let cut = if from_right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        match cut.filter(|_| most.is_none_or(|most| parts.len() < most)) {
            Some(at) if from_right => {
                parts.push(rest[at..].trim_start().to_owned());
                rest = rest[..at].trim_end();
            }
            Some(at) => {
                parts.push(rest[..at].to_owned());
                rest = rest[at..].trim_start();
            }
            None => {
                parts.push(rest.to_owned());
                break;
            }
        }
    }
    if from_right {
        parts.reverse();
    }
    parts
}
