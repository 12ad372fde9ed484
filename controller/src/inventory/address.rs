//! Host names with ports and ranges: `web[01:10:2].example.com:2222`.

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

/// Returns host and port if `text` is a host name or an address, with or without ranges and a port.
pub(super) fn parse(text: &str) -> Option<(&str, Option<u16>)> {
    let mut host = text;
    let mut port = None;
    if let Ok(Some(found)) = PORT.captures(text) {
        host = found.name("inner").or_else(|| found.name("name"))?.as_str();
        port = Some(found.name("port")?.as_str().parse().ok()?);
    }
    let good = |regex: &Regex| regex.is_match(host).unwrap_or(false);
    (good(&NAME) || good(&IPV6)).then_some((host, port))
}

/// Splits one host from its port; what is no address is the name as it is.
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
/// What is wrong with a range or the port.
pub(super) fn expand(text: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (pattern, port) = parse(text).unwrap_or((text, None));
    if text.ends_with(':') && port.is_none() {
        return Err(format!("the host `{text}` ends in `:` without a port"));
    }
    let mut names = Vec::new();
    ranges(pattern, &mut names)?;
    if names.iter().any(|name| name == "---") {
        return Err("`---` is not a host: is this a YAML file?".to_owned());
    }
    Ok((names, port))
}

fn ranges(pattern: &str, names: &mut Vec<String>) -> Result<(), String> {
    /// More hosts than this from one line are a slip of the finger.
    const MOST: usize = 100_000;
    let Some((head, rest)) = pattern.split_once('[') else {
        names.push(pattern.to_owned());
        return if names.len() > MOST { Err(format!("more than {MOST} hosts in one range")) } else { Ok(()) };
    };
    let Some((range, tail)) = rest.split_once(']') else {
        return Err(format!("the range in `{pattern}` is not closed"));
    };
    for item in sequence(range)? {
        ranges(&format!("{head}{item}{tail}"), names)?;
    }
    Ok(())
}

/// Returns what a range such as `01:10:2` or `a:f` counts.
fn sequence(range: &str) -> Result<Box<dyn Iterator<Item = String>>, String> {
    let bad = |why: &str| Err(format!("the range `[{range}]` {why}"));
    let parts: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, "1"),
        [first, last, step] => (first, last, step),
        _ => return bad("is not begin:end or begin:end:step"),
    };
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return bad("has no end");
    }
    let Some(step) = step.parse::<usize>().ok().filter(|step| *step > 0) else {
        return bad("has no step above zero");
    };
    if let ([from], [to]) = (first.as_bytes(), last.as_bytes())
        && from.is_ascii_alphabetic()
        && to.is_ascii_alphabetic()
    {
        // As Python counts letters: small ones come first.
        let rank = |b: u8| (b.is_ascii_uppercase(), b);
        if rank(*from) > rank(*to) {
            return bad("ends before it begins");
        }
        let (from, to) = (*from, *to);
        let letters = (b'a'..=b'z').chain(b'A'..=b'Z');
        let within = letters.filter(move |b| rank(from) <= rank(*b) && rank(*b) <= rank(to));
        return Ok(Box::new(within.step_by(step).map(|b| char::from(b).to_string())));
    }
    let width = if first.starts_with('0') && first.len() > 1 { first.len() } else { 0 };
    if width != 0 && width != last.len() {
        return bad("needs begin and end of the same length");
    }
    let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) else {
        return bad("is neither of numbers nor of letters");
    };
    if from > to {
        return bad("ends before it begins");
    }
    Ok(Box::new((from..=to).step_by(step).map(move |n| format!("{n:0width$}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_as_in_ansible() {
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
    fn bad_ranges_are_refused() {
        for (text, error) in [
            ("w[1:2:3:4]", "the range `[1:2:3:4]` is not begin:end or begin:end:step"),
            ("w[1:]", "the range `[1:]` has no end"),
            ("w[01:100]", "the range `[01:100]` needs begin and end of the same length"),
            ("w[5:1]", "the range `[5:1]` ends before it begins"),
            ("w[c:a]", "the range `[c:a]` ends before it begins"),
            ("w[a:10]", "the range `[a:10]` is neither of numbers nor of letters"),
            ("w[1:2:0]", "the range `[1:2:0]` has no step above zero"),
            ("w[1:2", "the range in `w[1:2` is not closed"),
            ("w:", "the host `w:` ends in `:` without a port"),
            ("---", "`---` is not a host: is this a YAML file?"),
            ("w[1:9999][1:9999]", "more than 100000 hosts in one range"),
        ] {
            assert_eq!(expand(text).unwrap_err(), error, "{text}");
        }
    }
}
