//! Filters that encode, hash and name.

use std::fmt::Write as _;

use convoy_protocol::base64;
use sha2::Digest;

use super::text::soft;
use crate::crypt::{self, Settings};
use crate::template::Error;
use crate::template::encoding::Encoding;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("b64encode", |_, v, args| {
        let encoding = encoding(args)?;
        let bytes = match v {
            Val::Bytes(bytes) => bytes.to_vec(),
            text => encoding
                .encode(&soft(text)?)
                .ok_or_else(|| Error::other("text has no form in this encoding"))?,
        };
        Ok(base64::encode(&bytes).into())
    }),
    ("b64decode", |_, v, args| {
        let encoding = encoding(args)?;
        let decoded = from_base64(&soft(v)?).ok_or_else(|| Error::other("Incorrect padding"))?;
        // What is no text stays as it is, for `copy` to write.
        let text = encoding.decode(&decoded);
        Ok(text.map_or_else(|| Val::Bytes(decoded.into()), Val::from))
    }),
    ("md5", |_, v, _| Ok(hex(&md5::Md5::digest(bytes(v)?)).into())),
    ("sha1", |_, v, _| Ok(hex(&sha1::Sha1::digest(bytes(v)?)).into())),
    ("checksum", |_, v, _| Ok(hex(&sha1::Sha1::digest(bytes(v)?)).into())),
    ("hash", hash),
    ("password_hash", password_hash),
    ("to_uuid", to_uuid),
    ("urlencode", urlencode),
    ("urldecode", |_, v, _| Ok(urldecode(&soft(v)?).into())),
    ("urlsplit", urlsplit),
    ("xmlattr", xmlattr),
];

fn encoding(args: &mut Args) -> Result<Encoding, Error> {
    let name = args.text(0, "encoding")?.unwrap_or_else(|| "utf-8".into());
    Encoding::named(&name).ok_or_else(|| Error::other(format!("unknown encoding: {name}")))
}

fn bytes(v: Val) -> Result<Vec<u8>, Error> {
    match v {
        Val::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Ok(soft(other)?.into_bytes()),
    }
}

/// Reads Base64 as Python does, which skips what is no digit before the padding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let mut digits: String = text.chars().take_while(|c| *c != '=').filter(digit).collect();
    let end = text.chars().rev().take_while(|c| *c == '=' || c.is_ascii_whitespace());
    let missing = digits.len().next_multiple_of(4) - digits.len();
    digits.extend(end.filter(|c| *c == '=').take(missing));
    base64::decode(&digits)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn hash(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let kind = args.text(0, "hashtype")?.unwrap_or_else(|| "sha1".into());
    let data = bytes(v)?;
    Ok(match &*kind {
        "md5" => hex(&md5::Md5::digest(data)),
        "sha1" => hex(&sha1::Sha1::digest(data)),
        "sha224" => hex(&sha2::Sha224::digest(data)),
        "sha256" => hex(&sha2::Sha256::digest(data)),
        "sha384" => hex(&sha2::Sha384::digest(data)),
        "sha512" => hex(&sha2::Sha512::digest(data)),
        other => return Err(Error::other(format!("unsupported hash type {other}"))),
    }
    .into())
}

/// The password as `/etc/shadow` has it; without a salt another one each time.
fn password_hash(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let algorithm = args.text(0, "hashtype")?.unwrap_or_else(|| "sha512".into());
    let salt = args.text(1, "salt")?;
    let mut number = |index, name| args.int(index, name, 0).map(|number| (number != 0).then_some(number));
    let (salt_size, rounds) = (number(2, "salt_size")?, number(3, "rounds")?);
    let settings = Settings { salt, salt_size, rounds, ident: args.text(4, "ident")? };
    let v = v.defined()?;
    let Some(secret) = v.as_str() else {
        let type_name = v.type_name();
        return Err(Error::type_error(format!("secret must be unicode or bytes, not {type_name}")));
    };
    if settings.salt.is_none() {
        rendering.require_impure("the filter password_hash without a salt")?;
    }
    let hashed = crypt::hash(secret, &algorithm, &settings);
    hashed.map(Val::from).map_err(|error| match error {
        // Passlib hashes with these, but only together with a user's name.
        crypt::Error::Algorithm(name)
            if matches!(name.as_str(), "msdcc" | "msdcc2" | "oracle10" | "postgres_md5") =>
        {
            Error::other(format!(
                "{name} is not in the list of supported passlib algorithms: md5, blowfish, sha256, sha512"
            ))
        }
        error => Error::other(error.to_string()),
    })
}

fn to_uuid(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let namespace =
        args.text(0, "namespace")?.unwrap_or_else(|| "361E6D51-FAEC-444A-9079-341386DA8E2E".into());
    let digits: String =
        namespace.trim_start_matches("urn:uuid:").chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).ok_or_else(|| {
        Error::other(format!(
            "Invalid value '{namespace}' for 'namespace': badly formed hexadecimal UUID string"
        ))
    })?;
    let mut hash = sha1::Sha1::new();
    hash.update(number.to_be_bytes());
    hash.update(soft(v)?);
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id[6] = id[6] & 0x0f | 0x50;
    id[8] = id[8] & 0x3f | 0x80;
    let text = hex(&id);
    Ok(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]).into())
}

fn percent(text: &str, safe: &str) -> String {
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
            .map(|(k, v)| Ok((k.to_string(), soft(v.clone())?)))
            .collect::<Result<Vec<_>, Error>>()?,
        Val::List(_) => {
            let mut pairs = Vec::new();
            for pair in rendering.items(&v)? {
                match rendering.items(&pair)?.as_slice() {
                    [key, value] => pairs.push((soft(key.clone())?, soft(value.clone())?)),
                    _ => return Err(Error::other("urlencode wants pairs")),
                }
            }
            pairs
        }
        _ => return Ok(percent(&soft(v)?, "/").into()),
    };
    let form = |text: &str| percent(text, " ").replace(' ', "+");
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

fn urlsplit(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let url = soft(v)?;
    let query = args.text(0, "query")?.unwrap_or_default();
    let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let (rest, query_part) = rest.split_once('?').unwrap_or((rest, ""));
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = rest.split_once(':').filter(|(s, _)| is_scheme(s)).unwrap_or(("", rest));
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
    let made = [
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
        return Ok(Val::pairs(made));
    }
    made.into_iter()
        .find(|(name, _)| *name == query)
        .map(|(_, value)| value)
        .ok_or_else(|| Error::other(format!("urlsplit: unknown URL component: {query}")))
}

fn xmlattr(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let space = args.flag(0, "autospace", true)?;
    let Val::Dict(dict) = v.defined()? else {
        return Err(Error::type_error("xmlattr wants a mapping"));
    };
    let mut parts = Vec::new();
    for (key, value) in dict.items.borrow().iter() {
        if !matches!(value, Val::None | Val::Undefined(_)) {
            let value = rendering.filter("escape", value.clone(), Args::default())?;
            parts.push(format!("{key}=\"{}\"", soft(value)?));
        }
    }
    let text = parts.join(" ");
    Ok(if space && !text.is_empty() { format!(" {text}") } else { text }.into())
}
