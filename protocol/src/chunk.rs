//! Content in transit, split into chunks.

use std::fmt;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The size of a chunk before compression, in bytes.
pub const CHUNK: usize = 256 * 1024;

/// A part of some content. The chunks of one content arrive in order and without gaps.
#[derive(Serialize, Deserialize)]
pub struct Chunk {
    /// The digest of the whole content.
    pub digest: Digest,
    /// Whether this is the last part.
    pub last: bool,
    /// Whether `bytes` is compressed (deflate, each chunk on its own).
    pub deflated: bool,
    /// Whether the receiver must not store it on disk, except where the task asks for that.
    pub secret: bool,
    /// The data; at most [`CHUNK`] bytes after decompression.
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// Makes a chunk, compressed if that makes it smaller.
    pub fn pack(digest: Digest, last: bool, secret: bool, bytes: Vec<u8>) -> Self {
        let mut packer = DeflateEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
        // Writing to memory does not fail; if it did, the data would be sent uncompressed.
        let packed = packer.write_all(&bytes).and_then(|()| packer.finish()).ok();
        match packed.filter(|packed| packed.len() < bytes.len()) {
            Some(bytes) => Self { digest, last, deflated: true, secret, bytes },
            None => Self { digest, last, deflated: false, secret, bytes },
        }
    }

    /// Returns the data, decompressed.
    ///
    /// # Errors
    /// If it is corrupt, or larger than [`CHUNK`].
    pub fn unpack(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.deflated {
            DeflateDecoder::new(&self.bytes[..]).take(CHUNK as u64 + 1).read_to_end(&mut bytes)?;
        } else {
            bytes.extend_from_slice(&self.bytes);
        }
        if bytes.len() > CHUNK {
            return Err(io::Error::other("a chunk is larger than allowed"));
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({}, {} bytes, last: {})", self.digest, self.bytes.len(), self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_survive_compression_and_are_limited_in_size() {
        let digest = Digest::of(b"x");
        for (bytes, deflated) in [(vec![7; CHUNK], true), (b"a".to_vec(), false), (Vec::new(), false)] {
            let chunk = Chunk::pack(digest, true, false, bytes.clone());
            assert_eq!((chunk.deflated, chunk.unpack().unwrap()), (deflated, bytes));
        }
        let bomb = Chunk::pack(digest, true, false, vec![0; 100 * CHUNK]);
        assert!(bomb.bytes.len() < CHUNK);
        assert_eq!(bomb.unpack().unwrap_err().to_string(), "a chunk is larger than allowed");
    }
}
