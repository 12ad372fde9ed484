//! Filters with regular expressions.

use fancy_regex::Captures;

use super::text::soft;
use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::regex::compile;
use crate::template::jinja::python::text::str;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};
use crate::template::jinja::syntax::escapes::unescape;

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("regex_replace", replace),
    ("regex_search", search),
    ("regex_findall", findall),
    ("regex_escape", escape),
];

fn flags(args: &mut Args, at: usize) -> Result<(bool, bool), Error> {
    Ok((args.flag(at, "ignorecase", false)?, args.flag(at + 1, "multiline", false)?))
}

fn failed(error: fancy_regex::Error) -> Error {
    Error::other(format!("the regular expression failed: {error}"))
}

fn replace(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let value = soft(v)?;
    let pattern = args.text(0, "pattern")?.unwrap_or_default();
    let replacement = args.text(1, "replacement")?.unwrap_or_default();
    let (ignorecase, multiline) = flags(args, 2)?;
    let count = usize::try_from(args.int(4, "count", 0)?).unwrap_or(0);
    let mandatory = usize::try_from(args.int(5, "mandatory_count", 0)?).unwrap_or(0);
    let regex = compile(&pattern, ignorecase, multiline)?;
    let mut out = String::new();
    let (mut last, mut made) = (0, 0);
    for captures in regex.captures_iter(value.as_str()) {
        let captures = captures.map_err(failed)?;
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&value[last..whole.start()]);
        expand(&replacement, &captures, &mut out)?;
        last = whole.end();
        made += 1;
        if made == count {
            break;
        }
    }
    out.push_str(&value[last..]);
    if mandatory > 0 && mandatory != made {
        return Err(Error::other(format!(
            "'{pattern}' should match {mandatory} times, but matches {made} times in '{value}'"
        )));
    }
    Ok(out.into())
}

/// Fills `\1`, `\g<1>`, `\g<name>` and Python's escapes into a replacement.
fn expand(replacement: &str, captures: &Captures<'_, str>, out: &mut String) -> Result<(), Error> {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let group = if let Some((name, after)) = tail.strip_prefix("g<").and_then(|tail| tail.split_once('>'))
        {
            Some((name, after))
        } else {
            let len = tail.bytes().take(2).take_while(u8::is_ascii_digit).count();
            (len > 0 && !tail.starts_with('0')).then(|| tail.split_at(len))
        };
        match group {
            Some((name, after)) => {
                let known = name
                    .parse::<usize>()
                    .map_or_else(|_| captures.name(name).is_some(), |i| i < captures.len());
                let found = name.parse().map_or_else(|_| captures.name(name), |i: usize| captures.get(i));
                if !known && name.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Error::other(format!("invalid group reference {name}")));
                }
                out.push_str(found.map_or("", |found| found.as_str()));
                rest = after;
            }
            None => match tail.chars().next() {
                Some(c) if c.is_ascii_alphabetic() && !"abfnrtv".contains(c) => {
                    return Err(Error::other(format!("bad escape \\{c}")));
                }
                Some(_) => {
                    rest = unescape(tail, out).unwrap_or(tail);
                }
                None => return Err(Error::other("bad escape (end of pattern)")),
            },
        }
    }
    out.push_str(rest);
    Ok(())
}

fn search(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let value = soft(v)?;
    let pattern = args.need_text(0, "regex")?;
    let ignorecase = args.key("ignorecase").map_or(Ok(false), |v| v.truth())?;
    let multiline = args.key("multiline").map_or(Ok(false), |v| v.truth())?;
    let groups = args.rest(1).iter().map(str).collect::<Vec<_>>();
    let regex = compile(&pattern, ignorecase, multiline)?;
    let Some(captures) = regex.captures(value.as_str()).map_err(failed)? else {
        return Ok(Val::None);
    };
    let shown =
        |found: Option<fancy_regex::Match<'_>>| found.map_or(Val::None, |found| found.as_str().into());
    if groups.is_empty() {
        return Ok(shown(captures.get(0)));
    }
    let mut made = Vec::new();
    for group in &groups {
        let name = group
            .strip_prefix("\\g<")
            .and_then(|name| name.strip_suffix('>'))
            .or_else(|| group.strip_prefix('\\'));
        let name = name.ok_or_else(|| Error::other("Unknown argument"))?;
        let known =
            regex.capture_names().enumerate().any(|(i, known)| known == Some(name) || i.to_string() == name);
        if !known {
            return Err(Error::other("no such group"));
        }
        made.push(shown(name.parse().map_or_else(|_| captures.name(name), |i: usize| captures.get(i))));
    }
    Ok(Val::list(made))
}

fn findall(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let value = soft(v)?;
    let pattern = args.need_text(0, "regex")?;
    let multiline = args.flag(1, "multiline", false)?;
    let ignorecase = args.flag(2, "ignorecase", false)?;
    let regex = compile(&pattern, ignorecase, multiline)?;
    let mut made = Vec::new();
    for captures in regex.captures_iter(value.as_str()) {
        let captures = captures.map_err(failed)?;
        let group = |i: usize| Val::from(captures.get(i).map_or("", |found| found.as_str()));
        made.push(match captures.len() {
            1 => group(0),
            2 => group(1),
            len => Val::tuple((1..len).map(group).collect()),
        });
    }
    Ok(Val::list(made))
}

fn escape(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let value = soft(v)?;
    let special: &[char] = match args.text(0, "re_type")?.as_deref() {
        None | Some("python") => &[
            '(', ')', '[', ']', '{', '}', '?', '*', '+', '-', '|', '^', '$', '\\', '.', '&', '~', '#', ' ',
            '\t', '\n', '\r', '\u{b}', '\u{c}',
        ],
        Some("posix_basic") => &[']', '[', '.', '^', '$', '*', '\\'],
        Some("posix_extended") => {
            return Err(Error::other("Regex type (posix_extended) not yet implemented"));
        }
        Some(other) => return Err(Error::other(format!("Invalid regex type ({other})"))),
    };
    let mut out = String::new();
    for c in value.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(out.into())
}
