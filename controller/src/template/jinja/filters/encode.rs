//! Filters that encode and hash: Base64, checksums, password hashes, UUIDs, XML attributes.

use std::fmt::Write as _;

use convoy_protocol::base64;
use sha2::Digest;

use crate::crypt::{self, Settings};
use crate::template::Error;
use crate::template::encoding::Encoding;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("b64encode", |_, v, args| {
        let encoding = encoding(args)?;
        let bytes = match v {
            Val::Bytes(bytes) => bytes.to_vec(),
            text => encoding
                .encode(&text_of(text)?)
                .ok_or_else(|| Error::other("the text cannot be represented in this encoding"))?,
        };
        Ok(base64::encode(&bytes).into())
    }),
    ("b64decode", |_, v, args| {
        let encoding = encoding(args)?;
        let decoded = from_base64(&text_of(v)?).ok_or_else(|| Error::other("Incorrect padding"))?;
        // Content that is not text stays bytes: `copy` writes it as it is.
        let text = encoding.decode(&decoded);
        Ok(text.map_or_else(|| Val::Bytes(decoded.into()), Val::from))
    }),
    ("md5", |_, v, _| Ok(hex(&md5::Md5::digest(bytes(v)?)).into())),
    ("sha1", |_, v, _| Ok(hex(&sha1::Sha1::digest(bytes(v)?)).into())),
    ("checksum", |_, v, _| Ok(hex(&sha1::Sha1::digest(bytes(v)?)).into())),
    ("hash", hash),
    ("password_hash", password_hash),
    ("to_uuid", to_uuid),
    ("xmlattr", xmlattr),
];

fn encoding(args: &mut Args) -> Result<Encoding, Error> {
    let name = args.text(0, "encoding")?.unwrap_or_else(|| "utf-8".into());
    Encoding::named(&name).ok_or_else(|| Error::other(format!("unknown encoding: {name}")))
}

fn bytes(v: Val) -> Result<Vec<u8>, Error> {
    match v {
        Val::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Ok(text_of(other)?.into_bytes()),
    }
}

/// Decodes Base64 as Python does: characters that are not digits are skipped before the padding.
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

/// Returns a password hash as in `/etc/shadow`. Without a salt, it differs each time.
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
        // Passlib supports these, but they need the name of a user.
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
    hash.update(text_of(v)?);
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id[6] = id[6] & 0x0f | 0x50;
    id[8] = id[8] & 0x3f | 0x80;
    let text = hex(&id);
    Ok(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]).into())
}

fn xmlattr(rendering: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let space = args.flag(0, "autospace", true)?;
    let Val::Dict(dict) = v.defined()? else {
        return Err(Error::type_error("xmlattr requires a mapping"));
    };
    let mut parts = Vec::new();
    for (key, value) in dict.items.borrow().iter() {
        if !matches!(value, Val::None | Val::Undefined(_)) {
            let value = rendering.filter("escape", value.clone(), Args::default())?;
            parts.push(format!("{key}=\"{}\"", text_of(value)?));
        }
    }
    let text = parts.join(" ");
    Ok(if space && !text.is_empty() { format!(" {text}") } else { text }.into())
}
