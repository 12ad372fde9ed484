//! Text in encodings other than UTF-8, converted by the node's `iconv`.

use crate::failure::Failure;
use crate::system::{Process, SystemView};

/// Why bytes cannot be converted to or from text.
#[derive(Debug, PartialEq, Eq)]
pub enum EncodingError {
    /// There is no encoding of this name.
    Unknown,
    /// The bytes are not valid in the encoding.
    Malformed,
    /// The conversion could not be run.
    Failed(String),
}

impl EncodingError {
    /// Returns the failure for `what`, given in the encoding `name`.
    pub fn failure(self, what: &str, name: &str) -> Failure {
        Failure::new(match self {
            Self::Unknown => format!("unknown encoding: {name}"),
            Self::Malformed => format!("{what} is not valid in the encoding {name}"),
            Self::Failed(why) => why,
        })
    }
}

/// The start of a range of characters that represent bytes which are not valid UTF-8, like Python's `surrogateescape`. No
/// text contains them.
const ESCAPED_BYTES: u32 = 0x10_FE00;

fn escape_byte(byte: u8) -> char {
    char::from_u32(ESCAPED_BYTES + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn escaped_byte(c: char) -> Option<u8> {
    u32::from(c).checked_sub(ESCAPED_BYTES).and_then(|byte| u8::try_from(byte).ok())
}

/// Returns whether `name` is one of Python's spellings of UTF-8.
fn is_utf8(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    matches!(name.as_str(), "utf8" | "u8" | "cp65001")
}

/// Decodes `bytes` from the encoding `name`.
///
/// # Errors
/// If the bytes are not valid. Invalid UTF-8 is not an error: [`encode`] restores the original bytes.
pub fn decode(view: &SystemView, bytes: &[u8], name: &str) -> Result<String, EncodingError> {
    if !is_utf8(name) {
        return String::from_utf8(convert(view, bytes, name, "UTF-8")?).map_err(|_| EncodingError::Malformed);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        if chunk.valid().chars().any(|c| escaped_byte(c).is_some()) {
            return Err(EncodingError::Failed(
                "it contains characters from U+10FE00 to U+10FEFF, which convoy reserves".into(),
            ));
        }
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| escape_byte(*byte)));
    }
    Ok(text)
}

/// Decodes `bytes` from the encoding `name`; invalid UTF-8 is an error, too.
///
/// # Errors
/// If the bytes are not valid.
pub fn decode_strict(view: &SystemView, bytes: &[u8], name: &str) -> Result<String, EncodingError> {
    if is_utf8(name) {
        return str::from_utf8(bytes).map(str::to_owned).map_err(|_| EncodingError::Malformed);
    }
    decode(view, bytes, name)
}

/// Encodes `text` in the encoding `name`.
///
/// # Errors
/// If the encoding cannot represent it.
pub fn encode(view: &SystemView, text: &str, name: &str) -> Result<Vec<u8>, EncodingError> {
    if !is_utf8(name) {
        return convert(view, text.as_bytes(), "UTF-8", name);
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match escaped_byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(bytes)
}

fn convert(view: &SystemView, bytes: &[u8], from: &str, to: &str) -> Result<Vec<u8>, EncodingError> {
    let run = |from: &str, to: &str, bytes: Vec<u8>| {
        let process = Process::new(["iconv", "-f", from, "-t", to]).env("LC_ALL", "C").stdin(bytes);
        view.query(&process).map_err(|failure| EncodingError::Failed(failure.msg))
    };
    let (from, to) = (python_name(from), python_name(to));
    let output = run(from, to, bytes.to_vec())?;
    if output.rc == 0 {
        return Ok(output.stdout);
    }
    // Without input, only the names of the encodings can be wrong.
    Err(if run(from, to, Vec::new())?.rc == 0 { EncodingError::Malformed } else { EncodingError::Unknown })
}

/// Returns the name that `iconv` has for an encoding with another name in Python.
fn python_name(name: &str) -> &str {
    match name {
        "latin-1" | "latin_1" | "iso8859_1" => "latin1",
        "us_ascii" => "ascii",
        _ => name,
    }
}
