//! Framing: a length of four bytes, little endian, followed by one message in postcard's encoding.
//!
//! The agent writes [`MAGIC`] before its first frame, since a login shell may print anything before it.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What an agent writes first.
pub const MAGIC: &[u8; 16] = b"\0convoy-agent-1\n";

/// The largest message, in bytes. Both the sender and the receiver refuse a larger one.
pub const MAX_FRAME: usize = 32 * 1024 * 1024;

/// Why a frame cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The message is larger than [`MAX_FRAME`].
    #[error("a message of {0} bytes is larger than the {MAX_FRAME} bytes allowed")]
    TooLarge(usize),
    /// The bytes do not decode to a message.
    #[error("not a message: {0}")]
    Garbled(#[from] postcard::Error),
}

/// Returns `message` as one frame.
///
/// # Errors
/// [`FrameError::TooLarge`] if it would be larger than [`MAX_FRAME`].
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = postcard::to_extend(message, vec![0; 4])?;
    let length = bytes.len() - 4;
    let header = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME);
    let header = header.ok_or(FrameError::TooLarge(length))?;
    bytes[..4].copy_from_slice(&header.to_le_bytes());
    Ok(bytes)
}

/// Writes `message` as one frame, in one write.
///
/// # Errors
/// As [`encode`], and any error of `sink`.
pub fn write(sink: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    sink.write_all(&encode(message)?)?;
    Ok(sink.flush()?)
}

/// Reads one frame; returns `None` if the stream ends between two frames.
///
/// # Errors
/// If the stream fails or ends within a frame, or if the frame is too large or not a message.
pub fn read<T: DeserializeOwned>(source: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut header = [0; 4];
    let first = loop {
        match source.read(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    source.read_exact(&mut header[first..])?;
    let length = checked_length(header)?;
    // Not allocated up front: memory grows only with the bytes that arrive.
    let mut body = Vec::new();
    source.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(postcard::from_bytes(&body)?))
}

/// Collects bytes as they arrive and returns the messages in them.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next complete message, if there is one.
    ///
    /// # Errors
    /// If the frame is too large or not a message.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let rest = &self.bytes[self.start..];
        let Some((header, body)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = checked_length(*header)?;
        let Some(body) = body.get(..length) else { return Ok(None) };
        let message = postcard::from_bytes(body)?;
        self.start += 4 + length;
        Ok(Some(message))
    }
}

fn checked_length(header: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(header) as usize;
    if length > MAX_FRAME { Err(FrameError::TooLarge(length)) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_decoded_however_the_bytes_are_split() {
        let mut bytes = encode(&"one").unwrap();
        bytes.extend(encode(&"two").unwrap());
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut seen = Vec::<String>::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(text) = decoder.take().unwrap() {
                    seen.push(text);
                }
            }
            assert_eq!(seen, ["one", "two"]);
        }
        let mut source = &bytes[..];
        assert_eq!(read::<String>(&mut source).unwrap().as_deref(), Some("one"));
        assert_eq!(read::<String>(&mut source).unwrap().as_deref(), Some("two"));
        assert_eq!(read::<String>(&mut source).unwrap(), None);
    }

    #[test]
    fn an_oversized_length_is_refused_without_allocating() {
        let mut source = &[0xff, 0xff, 0xff, 0xff, 1][..];
        assert!(matches!(read::<String>(&mut source), Err(FrameError::TooLarge(_))));
        let mut decoder = Decoder::default();
        decoder.push(&[0xff, 0xff, 0xff, 0xff]);
        assert!(decoder.take::<String>().is_err());
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
        let bytes = encode(&"one").unwrap();
        assert!(read::<String>(&mut &bytes[..3]).is_err());
        assert!(read::<String>(&mut &bytes[..6]).is_err());
    }
}
