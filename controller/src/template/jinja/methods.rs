//! Python's methods of texts, lists, dictionaries and times, as far as playbooks use them.

use super::args::Args;
use super::run::Run;
use super::value::{List, ListKind, Val};
use super::{format, index, ops, strings, text, unknown};
use crate::template::Error;

const TEXT: &[&str] = &[
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
const LIST: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const DICT: &[&str] =
    &["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

/// Whether the value has a method called `name`.
pub(crate) fn has(object: &Val, name: &str) -> bool {
    match object {
        Val::Str(..) => TEXT.contains(&name),
        Val::List(list) => match list.kind {
            ListKind::List => LIST.contains(&name),
            _ => matches!(name, "count" | "index"),
        },
        Val::Dict(_) => DICT.contains(&name),
        Val::Vars(_) | Val::HostVars => matches!(name, "get" | "keys" | "items" | "values"),
        Val::Time(_) => matches!(name, "strftime" | "isoformat" | "timestamp" | "date" | "weekday"),
        Val::Delta(_) => name == "total_seconds",
        Val::Bytes(_) => name == "decode",
        Val::Cycler(_) => matches!(name, "next" | "reset"),
        Val::Float(_) => name == "is_integer",
        Val::Int(_) => name == "bit_length",
        _ => false,
    }
}

/// Calls a method; nothing if the value has no such method.
pub(crate) fn call(run: &Run<'_>, object: &Val, name: &str, args: &mut Args) -> Result<Option<Val>, Error> {
    let object = run.force(object)?.defined()?;
    if !has(&object, name) {
        return Ok(None);
    }
    for value in args.pos.iter_mut().flatten() {
        *value = run.resolve(value)?;
    }
    if let Some(why) = unknown::of_method(&object, name, args) {
        *args = Args::default();
        return Ok(Some(Val::Unknown(why)));
    }
    match &object {
        Val::Str(value, _) => text_method(run, value, name, args),
        Val::List(list) => list_method(run, &object, list, name, args),
        Val::Dict(_) => dict_method(run, &object, name, args),
        Val::Vars(_) | Val::HostVars => vars_method(run, &object, name, args),
        Val::Time(time) => Ok(match name {
            "strftime" => Val::text(text::strftime(*time, &args.need_text(0, "format")?)),
            "isoformat" => Val::text(text::time_text(*time).replacen(' ', "T", 1)),
            "weekday" => i64::from(time.weekday().to_monday_zero_offset()).into(),
            "date" => Val::text(time.date().to_string()),
            _ => {
                let zoned =
                    time.to_zoned(jiff::tz::TimeZone::system()).map_err(|e| Error::other(e.to_string()))?;
                Val::Float(zoned.timestamp().as_microsecond() as f64 / 1e6)
            }
        }),
        Val::Delta(delta) => Ok(Val::Float(delta.as_micros() as f64 / 1e6)),
        Val::Bytes(bytes) => {
            args.rest(0);
            Ok(Val::text(String::from_utf8_lossy(bytes).into_owned()))
        }
        Val::Cycler(cycler) => {
            if name == "reset" {
                cycler.position.set(0);
                return Ok(Some(Val::None));
            }
            Ok(cycler.next())
        }
        Val::Float(x) => Ok((x.fract() == 0.0).into()),
        Val::Int(i) => Ok(i64::from(64 - i.unsigned_abs().leading_zeros()).into()),
        _ => return Ok(None),
    }
    .map(Some)
}

fn text_method(run: &Run<'_>, s: &str, name: &str, args: &mut Args) -> Result<Val, Error> {
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
        "startswith" | "endswith" => affix(run, s, name == "startswith", args)?,
        "strip" | "lstrip" | "rstrip" => strip(s, name, args)?.into(),
        "split" | "rsplit" => strings::split(s, name == "rsplit", args)?,
        "splitlines" => splitlines(s, args.flag(0, "keepends", false)?),
        "join" => {
            let items = run.items(&args.need(0, "iterable")?)?;
            join(s, &items)?.into()
        }
        "format" => {
            let positional = args.rest(0);
            let mut named = Vec::new();
            for (key, value) in args.named.drain(..) {
                named.push((key, run.resolve(&value)?));
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
            let found = if name.starts_with('r') { s.rfind(&part) } else { s.find(&part) };
            match found {
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

fn affix(run: &Run<'_>, s: &str, start: bool, args: &mut Args) -> Result<Val, Error> {
    let wanted = args.need(0, "prefix")?;
    let from = usize::try_from(args.int(1, "start", 0)?).unwrap_or(0);
    let s: String = s.chars().skip(from).collect();
    let wanted = match &wanted {
        Val::List(_) => run.items(&wanted)?,
        _ => vec![wanted],
    };
    for part in &wanted {
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

fn list_method(run: &Run<'_>, object: &Val, list: &List, name: &str, args: &mut Args) -> Result<Val, Error> {
    let object = run.resolve(object)?;
    let place = |args: &mut Args, wanted: &Val| {
        args.rest(1);
        list.items.borrow().iter().position(|item| ops::equal(item, wanted))
    };
    match name {
        "append" => {
            let value = args.need(0, "object")?;
            list.items.borrow_mut().push(value);
        }
        "extend" => {
            let items = run.items(&args.need(0, "iterable")?)?;
            list.items.borrow_mut().extend(items);
        }
        "insert" => {
            let len = list.items.borrow().len();
            let at = args.int(0, "index", 0)?;
            let at = if at < 0 { at.saturating_add_unsigned(len as u64).max(0) } else { at };
            list.items
                .borrow_mut()
                .insert(usize::try_from(at).unwrap_or(0).min(len), args.need(1, "object")?);
        }
        "pop" => {
            let len = list.items.borrow().len();
            let at = index::position(args.int(0, "index", -1)?, len);
            let at = at.ok_or_else(|| {
                Error::other(if len == 0 { "pop from empty list" } else { "pop index out of range" })
            })?;
            return Ok(list.items.borrow_mut().remove(at));
        }
        "remove" => {
            let wanted = args.need(0, "value")?;
            let at = place(args, &wanted).ok_or_else(|| Error::other("list.remove(x): x not in list"))?;
            list.items.borrow_mut().remove(at);
        }
        "index" => {
            let wanted = args.need(0, "value")?;
            let at = place(args, &wanted);
            return at
                .map(Val::from)
                .ok_or_else(|| Error::other(format!("{} is not in list", text::repr(&wanted))));
        }
        "count" => {
            let wanted = args.need(0, "value")?;
            return Ok(list.items.borrow().iter().filter(|item| ops::equal(item, &wanted)).count().into());
        }
        "copy" => return Ok(Val::list(list.items.borrow().clone())),
        "clear" => list.items.borrow_mut().clear(),
        "reverse" => list.items.borrow_mut().reverse(),
        _ => {
            let reverse = args.key("reverse").map_or(Ok(false), |value| value.truth())?;
            let sorted = run.filter("sort", object, Args::of([reverse.into(), true.into()]))?;
            *list.items.borrow_mut() = run.items(&sorted)?;
        }
    }
    Ok(Val::None)
}

fn dict_method(run: &Run<'_>, object: &Val, name: &str, args: &mut Args) -> Result<Val, Error> {
    let Val::Dict(dict) = object else {
        return Ok(Val::None);
    };
    let keyed = |args: &mut Args| ops::key(&args.need(0, "key")?);
    Ok(match name {
        "get" => {
            let key = keyed(args)?;
            let default = args.take(1, "default").unwrap_or(Val::None);
            let found = dict.items.borrow().get(&key).cloned();
            run.force(&found.unwrap_or(default))?
        }
        "keys" => Val::sequence(dict.items.borrow().keys().map(Val::from).collect(), ListKind::Keys),
        "values" => Val::sequence(dict.items.borrow().values().cloned().collect(), ListKind::Values),
        "items" => {
            let pairs =
                dict.items.borrow().iter().map(|(k, v)| Val::tuple(vec![k.into(), v.clone()])).collect();
            Val::sequence(pairs, ListKind::Items)
        }
        "copy" => Val::dict(dict.items.borrow().clone()),
        "clear" => {
            dict.items.borrow_mut().clear();
            Val::None
        }
        "pop" => {
            let key = keyed(args)?;
            let default = args.take(1, "default");
            let found = dict.items.borrow_mut().shift_remove(&key);
            found.or(default).ok_or_else(|| Error::other(text::repr(&Val::from(&key))))?
        }
        "popitem" => match dict.items.borrow_mut().pop() {
            Some((key, value)) => Val::tuple(vec![(&key).into(), value]),
            None => return Err(Error::other("'popitem(): dictionary is empty'")),
        },
        "setdefault" => {
            let key = keyed(args)?;
            let default = args.take(1, "default").unwrap_or(Val::None);
            dict.items.borrow_mut().entry(key).or_insert(default).clone()
        }
        _ => {
            if let Some(Val::Dict(other)) = args.take(0, " positional") {
                let other = other.items.borrow().clone();
                dict.items.borrow_mut().extend(other);
            }
            let named = args.named.drain(..).map(|(name, value)| (name.into(), value));
            dict.items.borrow_mut().extend(named);
            Val::None
        }
    })
}

fn vars_method(run: &Run<'_>, object: &Val, name: &str, args: &mut Args) -> Result<Val, Error> {
    if name == "get" {
        let found = super::access::item(run, object, &args.need(0, "key")?)?;
        let default = args.take(1, "default").unwrap_or(Val::None);
        return Ok(if found.is_undefined() { default } else { found });
    }
    let names = run.items(object)?;
    let values =
        || names.iter().map(|name| super::access::item(run, object, name)).collect::<Result<Vec<_>, _>>();
    Ok(match name {
        "keys" => Val::sequence(names, ListKind::Keys),
        "values" => Val::sequence(values()?, ListKind::Values),
        _ => {
            let pairs =
                names.iter().cloned().zip(values()?).map(|(name, value)| Val::tuple(vec![name, value]));
            Val::sequence(pairs.collect(), ListKind::Items)
        }
    })
}
