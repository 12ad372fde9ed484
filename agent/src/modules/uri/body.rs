//! What is sent: a file, text, JSON or a form.

use std::fs::File;

use convoy_protocol::{Kind, Value};

use super::args::{Args, Format};
use super::multipart;
use crate::args::Arg;
use crate::content::StagedSource;
use crate::failure::Failure;
use crate::files::json;
use crate::http::{Body, Request};
use crate::os_error::cannot;
use crate::system::SystemView;

/// Puts what is sent into the request, with its type.
pub(super) fn prepare(args: &Args, view: &SystemView, request: &mut Request) -> Result<(), Failure> {
    let Some(body) = &args.body else { return Ok(()) };
    let (bytes, kind) = match args.body_format {
        Format::Raw => (text(body), None),
        Format::Json => (text(body), Some("application/json".to_owned())),
        Format::Form => (form(body)?, Some("application/x-www-form-urlencoded".to_owned())),
        Format::Multipart => {
            let (bytes, kind) = multipart::encode(body, args.remote_src, view)?;
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            (bytes, Some(kind))
        }
    };
    request.body = Body::Bytes(bytes);
    set_type(request, kind);
    Ok(())
}

/// Says of what type the body is, unless the user has.
fn set_type(request: &mut Request, kind: Option<String>) {
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        // Python's own for a body of which nothing is said.
        let kind = kind.unwrap_or_else(|| "application/x-www-form-urlencoded".into());
        request.headers.push(("Content-Type".into(), kind));
    }
}

/// Opens the file that is sent.
pub(super) fn open(args: &Args, view: &SystemView, request: &mut Request) -> Result<(), Failure> {
    let path = match &args.src {
        None => return Ok(()),
        Some(StagedSource::File(content)) => view.content(&content.digest)?,
        Some(StagedSource::Node(path)) if args.remote_src => view.expand(path),
        Some(StagedSource::Node(path)) => {
            return Err(Failure::new(format!(
                "{} is a file of the workstation, but its content was not sent with the task",
                path.0.display()
            )));
        }
        Some(StagedSource::Tree(tree)) => {
            return Err(Failure::new(format!("Unable to open source file {}: it is a directory", tree.name)));
        }
    };
    let file = File::open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(format!("Unable to open source file {}", path.display())).with("elapsed", 0)
        }
        _ => cannot("read", &path, &error),
    })?;
    request.body = Body::File(file);
    set_type(request, None);
    Ok(())
}

/// Returns text as it is, and anything else as JSON.
fn text(body: &Value) -> Vec<u8> {
    match &body.kind {
        Kind::Text(text) => text.as_bytes().to_vec(),
        Kind::Bytes(bytes) => bytes.to_vec(),
        _ => json::compact(body).into_bytes(),
    }
}

/// Writes a text for a form.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn form(body: &Value) -> Result<Vec<u8>, Failure> {
    let refused = || {
        Failure::new(
            "failed to parse body as form_urlencoded: cannot form-urlencode body, expect list or dict",
        )
    };
    let pairs: Vec<(String, Value)> = match &body.kind {
        Kind::Text(text) => return Ok(text.as_bytes().to_vec()),
        Kind::Map(map) => map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect(),
        Kind::List(list) => {
            let pair = |item: &Value| match item.as_list() {
                Some([key, value]) => Ok((String::convert(key).map_err(|_| refused())?, value.clone())),
                _ => Err(refused()),
            };
            list.iter().map(pair).collect::<Result<_, _>>()?
        }
        _ => return Err(refused()),
    };
    let mut words = Vec::new();
    for (key, value) in pairs {
        let values = match &value.kind {
            Kind::List(list) => list.to_vec(),
            _ => vec![value],
        };
        for value in values.iter().filter(|value| !value.is_null()) {
            let value = String::convert(value).unwrap_or_else(|_| json::compact(value));
            words.push(format!("{}={}", quoted(&key), quoted(&value)));
        }
    }
    Ok(words.join("&").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn forms_are_written_as_python_writes_them() {
        let of = |body: Value| String::from_utf8(form(&body).unwrap()).unwrap();
        let list = vec![Value::from("x"), Value::from(2)];
        assert_eq!(
            of(map! { "a b" => "c&d=é", "n" => list, "none" => () }.into()),
            "a+b=c%26d%3D%C3%A9&n=x&n=2"
        );
        assert_eq!(of("a=1".into()), "a=1");
        assert_eq!(of(vec![Value::from(vec![Value::from("k"), Value::from(true)])].into()), "k=True");
        assert!(form(&5.into()).is_err());
    }
}
