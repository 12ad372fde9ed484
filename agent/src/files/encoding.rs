//! Text of files in other encodings than UTF-8: the node's `iconv` knows them.

use crate::failure::Failure;
use crate::system::{Process, SystemView};

/// Why bytes are no text.
#[derive(Debug, PartialEq, Eq)]
pub enum NoText {
    /// No encoding has this name.
    Unknown,
    /// The bytes mean nothing in it.
    Malformed,
    /// It could not be found out.
    Failed(String),
}

impl NoText {
    /// Returns the failure for `what` in the encoding `name`.
    pub fn failure(self, what: &str, name: &str) -> Failure {
        Failure::new(match self {
            Self::Unknown => format!("unknown encoding: {name}"),
            Self::Malformed => format!("{what} is no text in the encoding {name}"),
            Self::Failed(why) => why,
        })
    }
}

/// Stand for bytes that are no UTF-8: characters that no text has. They are what Python's `surrogateescape` is.
const STRAY: u32 = 0x10_FE00;

fn stray(byte: u8) -> char {
    char::from_u32(STRAY + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn stray_byte(c: char) -> Option<u8> {
    u32::from(c).checked_sub(STRAY).and_then(|byte| u8::try_from(byte).ok())
}

/// Returns whether `name` means UTF-8, in Python's spellings.
fn is_utf8(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    matches!(name.as_str(), "utf8" | "u8" | "cp65001")
}

/// Returns the text that `bytes` are in the encoding `name`.
///
/// # Errors
/// If they are none. Of UTF-8 it is never said: [`encode`] gives every stray byte back.
pub fn decode(view: &SystemView, bytes: &[u8], name: &str) -> Result<String, NoText> {
    if !is_utf8(name) {
        return String::from_utf8(convert(view, bytes, name, "UTF-8")?).map_err(|_| NoText::Malformed);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        if chunk.valid().chars().any(|c| stray_byte(c).is_some()) {
            return Err(NoText::Failed(
                "it holds characters from U+10FE00 to U+10FEFF, which convoy needs itself".into(),
            ));
        }
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| stray(*byte)));
    }
    Ok(text)
}

/// Returns the text that `bytes` are in the encoding `name`; stray bytes are an error in every encoding.
///
/// # Errors
/// If they are none.
pub fn decode_strict(view: &SystemView, bytes: &[u8], name: &str) -> Result<String, NoText> {
    if is_utf8(name) {
        return str::from_utf8(bytes).map(str::to_owned).map_err(|_| NoText::Malformed);
    }
    decode(view, bytes, name)
}

/// Returns `text` in the encoding `name`.
///
/// # Errors
/// If it cannot be written in it.
pub fn encode(view: &SystemView, text: &str, name: &str) -> Result<Vec<u8>, NoText> {
    if !is_utf8(name) {
        return convert(view, text.as_bytes(), "UTF-8", name);
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stray_byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes)
}

fn convert(view: &SystemView, bytes: &[u8], from: &str, to: &str) -> Result<Vec<u8>, NoText> {
    let run = |from: &str, to: &str, bytes: Vec<u8>| {
        let process = Process::new(["iconv", "-f", from, "-t", to]).env("LC_ALL", "C").stdin(bytes);
        view.query(&process).map_err(|failure| NoText::Failed(failure.msg))
    };
    let (from, to) = (python_name(from), python_name(to));
    let output = run(from, to, bytes.to_vec())?;
    if output.rc == 0 {
        return Ok(output.stdout);
    }
    // Without input, only the names can be at fault.
    Err(if run(from, to, Vec::new())?.rc == 0 { NoText::Malformed } else { NoText::Unknown })
}

/// Returns what `iconv` calls an encoding of which Python has another name.
fn python_name(name: &str) -> &str {
    match name {
        "latin-1" | "latin_1" | "iso8859_1" => "latin1",
        "us_ascii" => "ascii",
        _ => name,
    }
}
