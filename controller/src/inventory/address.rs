//! Parses host names with ports and ranges: `web[01:10:2].example.com:2222`.

use std::sync::LazyLock;

use fancy_regex::Regex;

/// Compiles a pattern of this file.
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns of this file are constant and covered by tests")
}

static PORT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:\[(?P<inner>.+)\]|(?P<name>(?:[^:\[\]]|\[[^\]]*\])*)):(?P<port>[0-9]+)$"));

static NAME: LazyLock<Regex> = LazyLock::new(|| {
    let range = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]";
    let label = format!(r"(?:\w|{range})(?:[\w-]|{range})*(?<![_-])");
    regex(&format!(r"(?i)^{label}(?:\.{label})*$"))
});

static IPV6: LazyLock<Regex> = LazyLock::new(|| {
    let part = r"(?:[0-9a-f]{1,4}|\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\])";
    regex(&format!(
        r"(?i)^(?:(?:{part}:){{7}}{part}|(?:{part}(?::{part})*)?::(?:{part}(?::{part})*)?(?:\.[0-9.]+)?)$"
    ))
});

/// Returns host and port if `text` is a valid host name or address, with or without ranges and a port.
pub(super) fn parse(text: &str) -> Option<(&str, Option<u16>)> {
    let mut host = text;
    let mut port = None;
    if let Ok(Some(found)) = PORT.captures(text) {
        host = found.name("inner").or_else(|| found.name("name"))?.as_str();
        port = Some(found.name("port")?.as_str().parse().ok()?);
    }
    let matches = |regex: &Regex| regex.is_match(host).unwrap_or(false);
    (matches(&NAME) || matches(&IPV6)).then_some((host, port))
}

/// Splits a host name from its port. Returns text that is not a valid address as the name.
pub fn split_port(text: &str) -> (&str, Option<u16>) {
    match parse(text) {
        Some((name, port)) if !name.contains('[') => (name, port),
        _ => (text, None),
    }
}

/// Returns the hosts that `text` names, and their port.
///
/// # Errors
///
/// If a range or the port is not valid.
pub(super) fn expand(text: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (pattern, port) = parse(text).unwrap_or((text, None));
    if text.ends_with(':') && port.is_none() {
        return Err(format!("the host `{text}` ends in `:` without a port"));
    }
    let mut names = Vec::new();
    expand_ranges(pattern, &mut names)?;
    if names.iter().any(|name| name == "---") {
        return Err("`---` is not a host: is this a YAML file?".to_owned());
    }
    Ok((names, port))
}

fn expand_ranges(pattern: &str, names: &mut Vec<String>) -> Result<(), String> {
    /// More hosts than this in one range are a mistake.
    const MAX_HOSTS: usize = 100_000;
    let Some((head, rest)) = pattern.split_once('[') else {
        names.push(pattern.to_owned());
        return if names.len() > MAX_HOSTS {
            Err(format!("more than {MAX_HOSTS} hosts in one range"))
        } else {
            Ok(())
        };
    };
    let Some((range, tail)) = rest.split_once(']') else {
        return Err(format!("the range in `{pattern}` is not closed"));
    };
    for item in sequence(range)? {
        expand_ranges(&format!("{head}{item}{tail}"), names)?;
    }
    Ok(())
}

/// Returns the elements of a range such as `01:10:2` or `a:f`.
fn sequence(range: &str) -> Result<Box<dyn Iterator<Item = String>>, String> {
    let error = |why: &str| Err(format!("the range `[{range}]` {why}"));
    let parts: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, "1"),
        [first, last, step] => (first, last, step),
        _ => return error("must be begin:end or begin:end:step"),
    };
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return error("has no end");
    }
    let Some(step) = step.parse::<usize>().ok().filter(|step| *step > 0) else {
        return error("needs a step greater than zero");
    };
    if let ([from], [to]) = (first.as_bytes(), last.as_bytes())
        && from.is_ascii_alphabetic()
        && to.is_ascii_alphabetic()
    {
        // Lower case letters come first, as in Python.
        let rank = |b: u8| (b.is_ascii_uppercase(), b);
        if rank(*from) > rank(*to) {
            return error("ends before it begins");
        }
        let (from, to) = (*from, *to);
        let letters = (b'a'..=b'z').chain(b'A'..=b'Z');
        let within = letters.filter(move |b| rank(from) <= rank(*b) && rank(*b) <= rank(to));
        return Ok(Box::new(within.step_by(step).map(|b| char::from(b).to_string())));
    }
    let width = if first.starts_with('0') && first.len() > 1 { first.len() } else { 0 };
    if width != 0 && width != last.len() {
        return error("needs a begin and an end of the same length");
    }
    let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) else {
        return error("contains neither numbers nor letters");
    };
    if from > to {
        return error("ends before it begins");
    }
    Ok(Box::new((from..=to).step_by(step).map(move |n| format!("{n:0width$}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_expanded_as_in_ansible() {
        for (text, expected) in [
            ("web[01:05:2].x", "web01.x web03.x web05.x"),
            ("db-[a:c]", "db-a db-b db-c"),
            ("n[8:10]", "n8 n9 n10"),
            ("[:2]x", "0x 1x 2x"),
            ("r[1:2]c[a:b]", "r1ca r1cb r2ca r2cb"),
            ("z[y:B]", "zy zz zA zB"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(text).unwrap().0.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn ports_are_split_off() {
        for (text, host, port) in [
            ("web:2222", "web", Some(2222)),
            ("web[1:1]:22", "web1", Some(22)),
            ("10.0.0.1:22", "10.0.0.1", Some(22)),
            ("[::1]:22", "::1", Some(22)),
            ("::1", "::1", None),
            ("fe80::1:2", "fe80::1:2", None),
        ] {
            assert_eq!(expand(text).unwrap(), (vec![host.to_owned()], port), "{text}");
        }
    }

    #[test]
    fn invalid_ranges_are_errors() {
        for (text, error) in [
            ("w[1:2:3:4]", "the range `[1:2:3:4]` must be begin:end or begin:end:step"),
            ("w[1:]", "the range `[1:]` has no end"),
            ("w[01:100]", "the range `[01:100]` needs a begin and an end of the same length"),
            ("w[5:1]", "the range `[5:1]` ends before it begins"),
            ("w[c:a]", "the range `[c:a]` ends before it begins"),
            ("w[a:10]", "the range `[a:10]` contains neither numbers nor letters"),
            ("w[1:2:0]", "the range `[1:2:0]` needs a step greater than zero"),
            ("w[1:2", "the range in `w[1:2` is not closed"),
            ("w:", "the host `w:` ends in `:` without a port"),
            ("---", "`---` is not a host: is this a YAML file?"),
            ("w[1:9999][1:9999]", "more than 100000 hosts in one range"),
        ] {
            assert_eq!(expand(text).unwrap_err(), error, "{text}");
        }
    }
}
