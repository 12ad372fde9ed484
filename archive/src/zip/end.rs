//! The end-of-archive record of a zip archive, which gives the position of the list of members.

use std::io::{Read, Seek};

use super::bytes::{damaged, read_at, u16_at, u32_at, u64_at};
use crate::error::Error;

/// The size of the record without its comment.
const RECORD: usize = 22;

/// The size of the locator of the zip64 record.
const LOCATOR: usize = 20;

/// The size of the zip64 record.
const RECORD_64: usize = 56;

/// The contents of the end-of-archive record.
pub(super) struct End {
    /// The number of members.
    pub(super) count: u64,
    /// The offset of the list of members in the file.
    pub(super) list: u64,
    /// The size of that list.
    pub(super) list_size: u64,
    /// The size of the data before the archive in the file.
    pub(super) shift: u64,
}

/// Finds the record; returns its offset and its bytes.
fn record(source: &mut (impl Read + Seek), size: u64) -> Result<Option<(u64, Vec<u8>)>, Error> {
    // Only a comment may follow it.
    let start = size.saturating_sub(RECORD as u64 + u64::from(u16::MAX));
    let length = usize::try_from(size - start).unwrap_or_default();
    let tail = read_at(source, start, length)?;
    let found = (0..(length + 1).saturating_sub(RECORD)).rev().find(|at| {
        tail[*at..].starts_with(b"PK\x05\x06") && at + RECORD + usize::from(u16_at(&tail, at + 20)) == length
    });
    Ok(found.map(|at| (start + at as u64, tail[at..at + RECORD].to_vec())))
}

/// Returns whether the file ends like a zip archive.
pub(crate) fn has_end(source: &mut (impl Read + Seek), size: u64) -> Result<bool, Error> {
    record(source, size).map(|record| record.is_some())
}

/// Finds the list of members.
pub(super) fn find(source: &mut (impl Read + Seek), size: u64) -> Result<End, Error> {
    let Some((at, record)) = record(source, size)? else { return Err(Error::Truncated) };
    let large = match at.checked_sub(LOCATOR as u64) {
        Some(before) => large(source, before)?,
        None => None,
    };
    let (count, list_size, offset, list_end) = match large {
        Some((at, record)) => {
            if u32_at(&record, 16) != 0 || u32_at(&record, 20) != 0 {
                return Err(Error::Unsupported("a multi-volume archive"));
            }
            (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48), at)
        }
        None => {
            if u16_at(&record, 4) != 0 || u16_at(&record, 6) != 0 {
                return Err(Error::Unsupported("a multi-volume archive"));
            }
            (u16_at(&record, 10).into(), u32_at(&record, 12).into(), u32_at(&record, 16).into(), at)
        }
    };
    let list =
        list_end.checked_sub(list_size).ok_or_else(|| damaged("its list of members does not fit in it"))?;
    let shift = list
        .checked_sub(offset)
        .ok_or_else(|| damaged("its list of members is not at its declared position"))?;
    Ok(End { count, list, list_size, shift })
}

/// Returns the zip64 record and its offset, if there is one.
fn large(source: &mut (impl Read + Seek), locator: u64) -> Result<Option<(u64, Vec<u8>)>, Error> {
    let bytes = read_at(source, locator, LOCATOR)?;
    if !bytes.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    // It directly precedes its locator, unless something was inserted between them. The declared offset is wrong if something
    // precedes the archive in the file.
    let mut places = vec![u64_at(&bytes, 8)];
    places.extend(locator.checked_sub(RECORD_64 as u64));
    for at in places {
        if at + RECORD_64 as u64 <= locator {
            let record = read_at(source, at, RECORD_64)?;
            if record.starts_with(b"PK\x06\x06") {
                return Ok(Some((at, record)));
            }
        }
    }
    Err(damaged("its zip64 record is not at its declared position"))
}
