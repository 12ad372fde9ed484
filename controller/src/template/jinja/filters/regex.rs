//! Filters that search and replace with regular expressions.

use fancy_regex::Captures;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::regex::compile;
use crate::template::jinja::python::text::{str, text_of};
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
    let value = text_of(v)?;
    let pattern = args.text(0, "pattern")?.unwrap_or_default();
    let replacement = args.text(1, "replacement")?.unwrap_or_default();
    let (ignorecase, multiline) = flags(args, 2)?;
    let count = usize::try_from(args.int(4, "count", 0)?).unwrap_or(0);
    let mandatory = usize::try_from(args.int(5, "mandatory_count", 0)?).unwrap_or(0);
    let regex = compile(&pattern, ignorecase, multiline)?;
    let mut out = String::new();
    let (mut last, mut replaced) = (0, 0);
    for captures in regex.captures_iter(value.as_str()) {
        let captures = captures.map_err(failed)?;
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&value[last..whole.start()]);
        expand(&replacement, &captures, &mut out)?;
        last = whole.end();
        replaced += 1;
        if replaced == count {
            break;
        }
    }
    out.push_str(&value[last..]);
    if mandatory > 0 && mandatory != replaced {
        return Err(Error::other(format!(
            "'{pattern}' should match {mandatory} times, but matches {replaced} times in '{value}'"
        )));
    }
    Ok(out.into())
}

/// Appends a replacement, with `\1`, `\g<1>`, `\g<name>` and Python's escapes expanded.
fn expand(replacement: &str, captures: &Captures<'_, str>, out: &mut String) -> Result<(), Error> {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let reference =
            if let Some((name, after)) = tail.strip_prefix("g<").and_then(|tail| tail.split_once('>')) {
                Some((name, after))
            } else {
                let len = tail.bytes().take(2).take_while(u8::is_ascii_digit).count();
                (len > 0 && !tail.starts_with('0')).then(|| tail.split_at(len))
            };
        match reference {
            Some((name, after)) => {
                let exists = name
                    .parse::<usize>()
                    .map_or_else(|_| captures.name(name).is_some(), |i| i < captures.len());
                let group = name.parse().map_or_else(|_| captures.name(name), |i: usize| captures.get(i));
                if !exists && name.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Error::other(format!("invalid group reference {name}")));
                }
                out.push_str(group.map_or("", |group| group.as_str()));
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
    let value = text_of(v)?;
    let pattern = args.need_text(0, "regex")?;
    let ignorecase = args.named_flag("ignorecase", false)?;
    let multiline = args.named_flag("multiline", false)?;
    let groups = args.rest(1).iter().map(str).collect::<Vec<_>>();
    let regex = compile(&pattern, ignorecase, multiline)?;
    let Some(captures) = regex.captures(value.as_str()).map_err(failed)? else {
        return Ok(Val::None);
    };
    let text_of_group =
        |group: Option<fancy_regex::Match<'_>>| group.map_or(Val::None, |group| group.as_str().into());
    if groups.is_empty() {
        return Ok(text_of_group(captures.get(0)));
    }
    let mut results = Vec::new();
    for group in &groups {
        let name = group
            .strip_prefix("\\g<")
            .and_then(|name| name.strip_suffix('>'))
            .or_else(|| group.strip_prefix('\\'));
        let name = name.ok_or_else(|| Error::other("Unknown argument"))?;
        let mut names = regex.capture_names().enumerate();
        if !names.any(|(i, other)| other == Some(name) || i.to_string() == name) {
            return Err(Error::other("no such group"));
        }
        results.push(text_of_group(
            name.parse().map_or_else(|_| captures.name(name), |i: usize| captures.get(i)),
        ));
    }
    Ok(Val::list(results))
}

fn findall(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let value = text_of(v)?;
    let pattern = args.need_text(0, "regex")?;
    let multiline = args.flag(1, "multiline", false)?;
    let ignorecase = args.flag(2, "ignorecase", false)?;
    let regex = compile(&pattern, ignorecase, multiline)?;
    let mut results = Vec::new();
    for captures in regex.captures_iter(value.as_str()) {
        let captures = captures.map_err(failed)?;
        let group = |i: usize| Val::from(captures.get(i).map_or("", |group| group.as_str()));
        results.push(match captures.len() {
            1 => group(0),
            2 => group(1),
            len => Val::tuple((1..len).map(group).collect()),
        });
    }
    Ok(Val::list(results))
}

fn escape(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let value = text_of(v)?;
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
