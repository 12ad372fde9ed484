//! The test `version`: compares loose, strict and semantic versions.

use std::cmp::Ordering;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::Val;

/// A part of a loose version. As in Python, a number and a word cannot be compared.
#[derive(PartialEq, Eq)]
enum Part {
    Number(u64),
    Word(String),
}

/// Compares `value` with the version, operator and type in the arguments.
pub(super) fn compare(value: &str, args: &mut Args) -> Result<bool, Error> {
    let version = args.need_text(0, "version")?;
    let operator = args.text(1, "operator")?.unwrap_or_else(|| "eq".into());
    let strict = args.take(2, "strict").filter(|v| !matches!(v, Val::None));
    let kind = args.text(3, "version_type")?;
    if strict.is_some() && kind.is_some() {
        return Err(Error::other("Cannot specify both 'strict' and 'version_type'"));
    }
    if value.is_empty() {
        return Err(Error::other("Input version value cannot be empty"));
    }
    if version.is_empty() {
        return Err(Error::other("Version parameter to compare against cannot be empty"));
    }
    let strict = strict.map_or(Ok(false), |v| v.truth())?;
    let matches = operator_of(&operator)?;
    let order = match kind.as_deref() {
        _ if strict => compare_strict(value, &version)?,
        Some("strict") => compare_strict(value, &version)?,
        None | Some("loose") => compare_loose(value, &version)?,
        Some("semver" | "semantic") => semantic(value)?.cmp(&semantic(&version)?),
        Some(other) => {
            return Err(Error::other(format!(
                "Invalid version type ({other}). Must be one of 'loose', 'strict', 'semver', 'semantic'"
            )));
        }
    };
    Ok(matches(order))
}

fn operator_of(operator: &str) -> Result<fn(Ordering) -> bool, Error> {
    Ok(match operator {
        "==" | "=" | "eq" => Ordering::is_eq,
        "<" | "lt" => Ordering::is_lt,
        "<=" | "le" => Ordering::is_le,
        ">" | "gt" => Ordering::is_gt,
        ">=" | "ge" => Ordering::is_ge,
        "!=" | "<>" | "ne" => Ordering::is_ne,
        other => {
            return Err(Error::other(format!(
                "Invalid operator type ({other}). Must be one of '==', '=', 'eq', '<', 'lt', '<=', 'le', '>', 'gt', '>=', 'ge', '!=', '<>', 'ne'"
            )));
        }
    })
}

fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(c) = rest.chars().next() {
        let same = |d: char| {
            if c.is_ascii_digit() {
                d.is_ascii_digit()
            } else {
                d.is_ascii_lowercase() == c.is_ascii_lowercase() && !d.is_ascii_digit() && d != '.'
            }
        };
        if c == '.' {
            rest = &rest[1..];
            continue;
        }
        let end = rest.find(|d| !same(d)).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(end);
        parts.push(part.parse().map_or_else(|_| Part::Word(part.into()), Part::Number));
        rest = tail;
    }
    parts
}

fn compare_loose(a: &str, b: &str) -> Result<Ordering, Error> {
    let (a, b) = (parts(a), parts(b));
    for (a, b) in a.iter().zip(&b) {
        let order = match (a, b) {
            (Part::Number(a), Part::Number(b)) => a.cmp(b),
            (Part::Word(a), Part::Word(b)) => a.cmp(b),
            (Part::Number(_), Part::Word(_)) => {
                return Err(Error::other(
                    "Version comparison failed: '<' not supported between instances of 'int' and 'str'",
                ));
            }
            (Part::Word(_), Part::Number(_)) => {
                return Err(Error::other(
                    "Version comparison failed: '<' not supported between instances of 'str' and 'int'",
                ));
            }
        };
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

/// A version such as `1.2.3a4`: its numbers, then whether it is a release, and its alpha or beta number.
type Strict = ([u64; 3], (bool, char, u64));

fn compare_strict(a: &str, b: &str) -> Result<Ordering, Error> {
    let read = |text: &str| -> Result<Strict, Error> {
        let bad = || Error::other(format!("Version comparison failed: invalid version number '{text}'"));
        let (numbers, pre) = match text.find(['a', 'b']) {
            Some(at) => (&text[..at], Some((text.as_bytes()[at], &text[at + 1..]))),
            None => (text, None),
        };
        let numbers =
            numbers.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().map_err(|_| bad())?;
        let numbers = match numbers[..] {
            [a, b] => [a, b, 0],
            [a, b, c] => [a, b, c],
            _ => return Err(bad()),
        };
        Ok((
            numbers,
            match pre {
                Some((letter, number)) => (false, char::from(letter), number.parse().map_err(|_| bad())?),
                None => (true, ' ', 0),
            },
        ))
    };
    Ok(read(a)?.cmp(&read(b)?))
}

/// A semantic version: its numbers, whether it is a release, and the parts of its pre-release. Numbers sort before words.
type Semantic = ([u64; 3], bool, Vec<(bool, u64, String)>);

fn semantic(text: &str) -> Result<Semantic, Error> {
    let bad = || Error::other(format!("Version comparison failed: invalid semantic version '{text}'"));
    let core = text.split_once('+').map_or(text, |(core, _)| core);
    let (numbers, pre) = core.split_once('-').map_or((core, None), |(numbers, pre)| (numbers, Some(pre)));
    let numbers = numbers.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().map_err(|_| bad())?;
    let numbers: [u64; 3] = numbers.try_into().map_err(|_| bad())?;
    let pre_parts = pre.into_iter().flat_map(|pre| pre.split('.'));
    let pre_parts = pre_parts
        .map(|part| part.parse().map_or_else(|_| (true, 0, part.to_owned()), |n| (false, n, String::new())));
    Ok((numbers, pre.is_none(), pre_parts.collect()))
}
