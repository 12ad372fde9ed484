//! Reads numbers and byte ranges of a zip archive.

use std::io::{Read, Seek, SeekFrom};

use crate::error::Error;
use crate::fill::fill;

/// Returns the 16-bit number at `at`.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// Returns the 32-bit number at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Returns the 64-bit number at `at`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(super) fn damaged(what: &str) -> Error {
    Error::Damaged(what.into())
}

/// Reads exactly `length` bytes at offset `at`.
pub(super) fn read_at(source: &mut (impl Read + Seek), at: u64, length: usize) -> Result<Vec<u8>, Error> {
    source.seek(SeekFrom::Start(at)).map_err(Error::Io)?;
    let mut bytes = vec![0; length];
    match fill(source, &mut bytes).map_err(Error::Io)? {
        n if n == length => Ok(bytes),
        _ => Err(Error::Truncated),
    }
}
