//! Filters on URLs.

use std::fmt::Write as _;

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("urlencode", urlencode),
    ("urldecode", |_, v, _| Ok(urldecode(&text_of(v)?).into())),
    ("urlsplit", urlsplit),
];

/// Percent-encodes text, except for the characters that are `safe`.
fn percent_encoded(text: &str, safe: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"_.-~".contains(&b) || safe.as_bytes().contains(&b) {
            out.push(char::from(b));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

fn urlencode(rendering: &Rendering<'_>, v: Val, _: &mut Args) -> Result<Val, Error> {
    let pairs = match &v {
        Val::Dict(dict) => dict
            .items
            .borrow()
            .iter()
            .map(|(k, v)| Ok((k.to_string(), text_of(v.clone())?)))
            .collect::<Result<Vec<_>, Error>>()?,
        Val::List(_) => {
            let mut pairs = Vec::new();
            for pair in rendering.items(&v)? {
                match rendering.items(&pair)?.as_slice() {
                    [key, value] => pairs.push((text_of(key.clone())?, text_of(value.clone())?)),
                    _ => return Err(Error::other("urlencode requires pairs")),
                }
            }
            pairs
        }
        _ => return Ok(percent_encoded(&text_of(v)?, "/").into()),
    };
    let form = |text: &str| percent_encoded(text, " ").replace(' ', "+");
    Ok(pairs.iter().map(|(k, v)| format!("{}={}", form(k), form(v))).collect::<Vec<_>>().join("&").into())
}

fn urldecode(text: &str) -> String {
    let bytes = text.replace('+', " ").into_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let code = (bytes[i] == b'%').then(|| std::str::from_utf8(bytes.get(i + 1..i + 3)?).ok()).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Splits a URL after its scheme, which is empty if there is none.
pub(crate) fn split_scheme(url: &str) -> (&str, &str) {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", url))
}

fn urlsplit(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let url = text_of(v)?;
    let query = args.text(0, "query")?.unwrap_or_default();
    let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let (rest, query_part) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = split_scheme(rest);
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = netloc.rsplit_once('@').map_or((None, netloc), |(user, host)| (Some(user), host));
    let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((name, port)) => (name, port.strip_prefix(':')),
        None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => Val::Int(
            port.parse()
                .map_err(|_| Error::other(format!("Port could not be cast to integer value as '{port}'")))?,
        ),
        None => Val::None,
    };
    let optional = |text: Option<&str>| text.map_or(Val::None, Val::from);
    let parts = [
        ("fragment", fragment.into()),
        ("hostname", optional((!name.is_empty()).then_some(&*name.to_lowercase()))),
        ("netloc", netloc.into()),
        ("password", optional(user.and_then(|user| user.split_once(':')).map(|(_, password)| password))),
        ("path", path.into()),
        ("port", port),
        ("query", query_part.into()),
        ("scheme", scheme.to_lowercase().into()),
        ("username", optional(user.map(|user| user.split_once(':').map_or(user, |(name, _)| name)))),
    ];
    if query.is_empty() {
        return Ok(Val::pairs(parts));
    }
    parts
        .into_iter()
        .find(|(name, _)| *name == query)
        .map(|(_, value)| value)
        .ok_or_else(|| Error::other(format!("urlsplit: unknown URL component: {query}")))
}
