//! Methods of Python's `str`.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::python::{format, strings};
use crate::template::jinja::rendering::Rendering;

pub(super) const NAMES: &[&str] = &[
    "capitalize",
    "center",
    "count",
    "encode",
    "decode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];

pub(super) fn call(rendering: &Rendering<'_>, s: &str, name: &str, args: &mut Args) -> Result<Val, Error> {
    let every = |test: fn(char) -> bool| Val::Bool(!s.is_empty() && s.chars().all(test));
    Ok(match name {
        "lower" => s.to_lowercase().into(),
        "upper" => s.to_uppercase().into(),
        "capitalize" => strings::capitalize(s).into(),
        "title" => strings::python_title(s).into(),
        "swapcase" => s
            .chars()
            .flat_map(|c| {
                if c.is_uppercase() {
                    c.to_lowercase().collect::<Vec<_>>()
                } else {
                    c.to_uppercase().collect()
                }
            })
            .collect::<String>()
            .into(),
        "isdigit" | "isdecimal" => every(|c| c.is_ascii_digit()),
        "isnumeric" => every(char::is_numeric),
        "isalpha" => every(char::is_alphabetic),
        "isalnum" => every(char::is_alphanumeric),
        "isspace" => every(char::is_whitespace),
        "isascii" => Val::Bool(s.is_ascii()),
        "isidentifier" => Val::Bool(
            !s.starts_with(|c: char| c.is_numeric())
                && !s.is_empty()
                && s.chars().all(|c| c.is_alphanumeric() || c == '_'),
        ),
        "islower" => Val::Bool(s.chars().any(char::is_lowercase) && !s.chars().any(char::is_uppercase)),
        "isupper" => Val::Bool(s.chars().any(char::is_uppercase) && !s.chars().any(char::is_lowercase)),
        "startswith" | "endswith" => affix(rendering, s, name == "startswith", args)?,
        "strip" | "lstrip" | "rstrip" => strip(s, name, args)?.into(),
        "split" | "rsplit" => strings::split(s, name == "rsplit", args)?,
        "splitlines" => splitlines(s, args.flag(0, "keepends", false)?),
        "join" => {
            let items = rendering.items(&args.need(0, "iterable")?)?;
            join(s, &items)?.into()
        }
        "format" => {
            let positional = args.rest(0);
            let mut named = Vec::new();
            for (key, value) in args.named.drain(..) {
                named.push((key, rendering.force_deep(&value)?));
            }
            let find =
                |name: &str| named.iter().find(|(key, _)| &**key == name).map(|(_, value)| value.clone());
            format::braces(s, &positional, &find)?.into()
        }
        "encode" | "decode" => {
            args.rest(0);
            Val::Bytes(s.as_bytes().into())
        }
        _ => return search_method(s, name, args),
    })
}

fn search_method(s: &str, name: &str, args: &mut Args) -> Result<Val, Error> {
    let chars = |bytes: usize| s[..bytes].chars().count();
    Ok(match name {
        "find" | "index" | "rfind" | "rindex" => {
            let part = args.need_text(0, "sub")?;
            let at = if name.starts_with('r') { s.rfind(&part) } else { s.find(&part) };
            match at {
                Some(at) => chars(at).into(),
                None if name.ends_with("find") => Val::Int(-1),
                None => return Err(Error::other("substring not found")),
            }
        }
        "count" => {
            let part = args.need_text(0, "sub")?;
            if part.is_empty() { (s.chars().count() + 1).into() } else { s.matches(&part).count().into() }
        }
        "replace" => {
            let (old, new) = (args.need_text(0, "old")?, args.need_text(1, "new")?);
            match usize::try_from(args.int(2, "count", -1)?) {
                Ok(count) => s.replacen(&old, &new, count).into(),
                Err(_) => s.replace(&old, &new).into(),
            }
        }
        "removeprefix" => {
            let part = args.need_text(0, "prefix")?;
            s.strip_prefix(&*part).unwrap_or(s).into()
        }
        "removesuffix" => {
            let part = args.need_text(0, "suffix")?;
            s.strip_suffix(&*part).unwrap_or(s).into()
        }
        "partition" | "rpartition" => {
            let sep = args.need_text(0, "sep")?;
            let first = name == "partition";
            let parts = match if first { s.split_once(&*sep) } else { s.rsplit_once(&*sep) } {
                Some((a, b)) => [a, &sep, b],
                None if first => [s, "", ""],
                None => ["", "", s],
            };
            Val::tuple(parts.into_iter().map(Val::from).collect())
        }
        "expandtabs" => {
            s.replace('\t', &" ".repeat(usize::try_from(args.int(0, "tabsize", 8)?).unwrap_or(0))).into()
        }
        "zfill" => {
            let missing = width(args)?.saturating_sub(s.chars().count());
            let sign = usize::from(s.starts_with(['+', '-']));
            format!("{}{}{}", &s[..sign], "0".repeat(missing), &s[sign..]).into()
        }
        _ => {
            let missing = width(args)?.saturating_sub(s.chars().count());
            let fill = args.text(1, "fillchar")?.unwrap_or_else(|| " ".into());
            let left = match name {
                "ljust" => 0,
                "rjust" => missing,
                _ => strings::center_left(missing, s.chars().count() + missing),
            };
            format!("{}{s}{}", fill.repeat(left), fill.repeat(missing - left)).into()
        }
    })
}

fn width(args: &mut Args) -> Result<usize, Error> {
    Ok(usize::try_from(args.int(0, "width", 0)?).unwrap_or(0).min(1_000_000))
}

fn affix(rendering: &Rendering<'_>, s: &str, start: bool, args: &mut Args) -> Result<Val, Error> {
    let affixes = args.need(0, "prefix")?;
    let from = usize::try_from(args.int(1, "start", 0)?).unwrap_or(0);
    let s: String = s.chars().skip(from).collect();
    let affixes = match &affixes {
        Val::List(_) => rendering.items(&affixes)?,
        _ => vec![affixes],
    };
    for part in &affixes {
        let Some(part) = part.as_str() else {
            let name = if start { "startswith" } else { "endswith" };
            return Err(Error::type_error(format!(
                "{name} first arg must be str or a tuple of str, not {}",
                part.type_name()
            )));
        };
        if if start { s.starts_with(part) } else { s.ends_with(part) } {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

fn strip(s: &str, name: &str, args: &mut Args) -> Result<String, Error> {
    let set: Option<Vec<char>> = args.text(0, "chars")?.map(|chars| chars.chars().collect());
    let matches = |c: char| set.as_ref().map_or_else(|| c.is_whitespace(), |set| set.contains(&c));
    Ok(match name {
        "lstrip" => s.trim_start_matches(matches),
        "rstrip" => s.trim_end_matches(matches),
        _ => s.trim_matches(matches),
    }
    .to_owned())
}

fn splitlines(s: &str, keep: bool) -> Val {
    let mut lines = Vec::new();
    let mut rest = s;
    while !rest.is_empty() {
        let at = rest.find([
            '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
        ]);
        let Some(at) = at else {
            lines.push(Val::from(rest));
            break;
        };
        let len = if rest[at..].starts_with("\r\n") {
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        lines.push(Val::from(&rest[..if keep { at + len } else { at }]));
        rest = &rest[at + len..];
    }
    Val::list(lines)
}

fn join(sep: &str, items: &[Val]) -> Result<String, Error> {
    let mut out = String::new();
    for (i, item) in items.iter().enumerate() {
        let Some(part) = item.as_str() else {
            return Err(Error::type_error(format!(
                "sequence item {i}: expected str instance, {} found",
                item.type_name()
            )));
        };
        if i > 0 {
            out.push_str(sep);
        }
        out.push_str(part);
    }
    Ok(out)
}
