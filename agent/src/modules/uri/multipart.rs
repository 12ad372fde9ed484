//! A form in parts.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use convoy_protocol::{Map, Value};

use crate::args::{Arg, NodePath};
use crate::failure::Failure;
use crate::system::SystemView;

/// One part.
struct Part {
    name: String,
    filename: Option<String>,
    kind: String,
    content: Vec<u8>,
}

/// Returns the bytes of a form and its content type.
pub(super) fn encode(body: &Value, on_node: bool, view: &SystemView) -> Result<(Vec<u8>, String), Failure> {
    let refused = |why: &str| Failure::new(format!("failed to parse body as form-multipart: {why}"));
    let map = body
        .as_map()
        .ok_or_else(|| refused(&format!("Mapping is required, cannot be type {}", body.kind_name())))?;
    let parts: Result<Vec<Part>, Failure> =
        map.iter().map(|(name, value)| part(&name.to_string(), value, on_node, view)).collect();
    let parts = parts.map_err(|failure| refused(&failure.msg))?;
    let boundary = loop {
        let random = || RandomState::new().build_hasher().finish();
        let boundary = format!("{:016x}{:016x}", random(), random());
        let inside =
            |part: &Part| part.content.windows(boundary.len()).any(|bytes| bytes == boundary.as_bytes());
        if !parts.iter().any(inside) {
            break boundary;
        }
    };
    let mut bytes = Vec::new();
    for part in &parts {
        let quote = |text: &str| text.replace(['\r', '\n'], " ").replace('\\', "\\\\").replace('"', "\\\"");
        let file =
            part.filename.as_ref().map(|name| format!("; filename=\"{}\"", quote(name))).unwrap_or_default();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\nContent-Type: {}\r\n\r\n",
            quote(&part.name),
            part.kind.replace(['\r', '\n'], " ")
        );
        bytes.extend(head.as_bytes());
        bytes.extend(&part.content);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("--{boundary}--\r\n").as_bytes());
    Ok((bytes, format!("multipart/form-data; boundary={boundary}")))
}

fn part(name: &str, value: &Value, on_node: bool, view: &SystemView) -> Result<Part, Failure> {
    let Some(map) = value.as_map() else {
        let content = String::convert(value).map_err(|why| Failure::new(format!("{name}: {why}")))?;
        return Ok(Part {
            name: name.into(),
            filename: None,
            kind: "text/plain".into(),
            content: content.into(),
        });
    };
    let text = |key: &str, map: &Map| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let (filename, content) = (text("filename", map), map.get("content").filter(|value| !value.is_null()));
    let bytes = match (&filename, content) {
        (_, Some(content)) => {
            String::convert(content).map_err(|why| Failure::new(format!("{name}: {why}")))?.into()
        }
        (None, None) => return Err(Failure::new("at least one of filename or content must be provided")),
        (Some(path), None) if on_node => view.read(&view.expand(&NodePath(path.into())))?,
        (Some(path), None) => {
            return Err(Failure::new(format!(
                "'{path}' is a file of the workstation, which is not sent: say its content, by lookup('file', …), or remote_src: true"
            )));
        }
    };
    let kind = text("mime_type", map).unwrap_or_else(|| "application/octet-stream".into());
    let base = |path: String| Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Part { name: name.into(), filename: filename.and_then(base), kind, content: bytes })
}
