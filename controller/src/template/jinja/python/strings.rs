//! Operations on text that both methods of `str` and filters offer.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::Val;

/// Returns `text.capitalize()`.
pub(crate) fn capitalize(s: &str) -> String {
    let mut chars = s.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect()
    })
}

/// Returns `text.title()`, which capitalizes after every character that is not a letter.
pub(crate) fn python_title(s: &str) -> String {
    title_case(s, |c| !c.is_alphabetic())
}

/// Capitalizes the first letter and those after a character that `ends_word`; all other letters become lowercase.
pub(crate) fn title_case(s: &str, ends_word: fn(char) -> bool) -> String {
    let mut at_start = true;
    let mut out = String::new();
    for c in s.chars() {
        if at_start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        at_start = ends_word(c);
    }
    out
}

/// Returns how many of the `missing` characters `center()` puts to the left.
pub(crate) fn center_left(missing: usize, width: usize) -> usize {
    missing / 2 + (missing & width & 1)
}

/// Splits as `split` and `rsplit` do, and the filter of the same name.
pub(crate) fn split(s: &str, from_right: bool, args: &mut Args) -> Result<Val, Error> {
    let sep = args.text(0, "sep")?;
    let max_splits = usize::try_from(args.int(1, "maxsplit", -1)?).ok();
    let mut parts: Vec<String> = match (&sep, from_right) {
        (Some(sep), _) if sep.is_empty() => return Err(Error::other("empty separator")),
        (Some(sep), false) => {
            s.splitn(max_splits.map_or(usize::MAX, |max| max + 1), &**sep).map(str::to_owned).collect()
        }
        (Some(sep), true) => {
            s.rsplitn(max_splits.map_or(usize::MAX, |max| max + 1), &**sep).map(str::to_owned).collect()
        }
        (None, right) => words(s, max_splits, right),
    };
    if from_right && sep.is_some() {
        parts.reverse();
    }
    Ok(Val::list(parts.into_iter().map(Val::from).collect()))
}

/// Splits at white space.
fn words(s: &str, max_splits: Option<usize>, from_right: bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = s.trim();
    while !rest.is_empty() {
        let cut = if from_right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        match cut.filter(|_| max_splits.is_none_or(|max| parts.len() < max)) {
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
