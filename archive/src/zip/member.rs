//! One member of a zip archive: its record in the list of members, and its own header.

use std::io::{Read, Seek};

use super::bytes::{damaged, read_at, u16_at, u32_at, u64_at};
use crate::error::{Error, Fault};
use crate::fill::fill;
use crate::manifest::ModificationTime;

/// The size of a record in the list, without the fields of variable length.
const RECORD: usize = 46;

/// The size of a member's own header, without the fields of variable length.
const HEADER: usize = 30;

/// The host systems whose file modes are those of Unix: Unix and OS X.
const UNIX: [u8; 2] = [3, 19];

/// The type of a member.
pub(super) enum Type {
    File,
    Dir,
    Link,
}

/// One member.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) method: u16,
    pub(super) crc: u32,
    /// The size of its stored content.
    pub(super) packed: u64,
    /// The size of its unpacked content.
    pub(super) size: u64,
    /// The offset of its own header in the file.
    pub(super) header: u64,
    /// The offset of its content; known once its own header was read.
    pub(super) data: u64,
    pub(super) mtime: ModificationTime,
    system: u8,
    flags: u16,
    attributes: u32,
}

/// Returns the name of a compression method, by its number in zip.
pub(super) fn method(number: u16) -> String {
    let name = match number {
        1 => "shrink",
        2..=5 => "reduce",
        6 => "implode",
        9 => "deflate64",
        12 => "bzip2",
        14 => "LZMA",
        93 => "zstd",
        95 => "xz",
        98 => "PPMd",
        _ => return format!("method {number}"),
    };
    name.to_owned()
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| Fault::NotUtf8.of(&String::from_utf8_lossy(error.as_bytes())))
}

/// Returns the extra fields: numbers and contents.
fn fields(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(extra, 2));
        let field = (u16_at(extra, 0), extra.get(4..4 + length)?);
        extra = &extra[4 + length..];
        Some(field)
    })
}

/// Converts a DOS date and time to seconds since 1970-01-01 00:00 local time.
fn local_seconds(date: u16, time: u16) -> i64 {
    let (year, month, day) = (1980 + i64::from(date >> 9), i64::from(date >> 5 & 15), i64::from(date & 31));
    // Years are counted from March, so that the leap day is the last day of its year.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let (hour, minute, second) = (i64::from(time >> 11), i64::from(time >> 5 & 63), 2 * i64::from(time & 31));
    days * 86_400 + hour * 3600 + minute * 60 + second
}

impl Member {
    /// Reads the next record of the list. `shift` is the size of the data before the archive in the file.
    pub(super) fn read(list: &mut impl Read, shift: u64) -> Result<Self, Error> {
        let mut take = |length: usize| {
            let mut bytes = vec![0; length];
            match fill(list, &mut bytes).map_err(Error::Io)? {
                n if n == length => Ok(bytes),
                _ => Err(damaged("its list of members is shorter than declared")),
            }
        };
        let record = take(RECORD)?;
        if !record.starts_with(b"PK\x01\x02") {
            return Err(damaged("its list of members has an invalid record"));
        }
        let name = text(take(u16_at(&record, 28).into())?)?;
        let extra = take(u16_at(&record, 30).into())?;
        take(u16_at(&record, 32).into())?;
        let mut member = Self {
            method: u16_at(&record, 10),
            crc: u32_at(&record, 16),
            packed: u32_at(&record, 20).into(),
            size: u32_at(&record, 24).into(),
            header: u32_at(&record, 42).into(),
            data: 0,
            mtime: ModificationTime::WallClock(local_seconds(u16_at(&record, 14), u16_at(&record, 12))),
            system: record[5],
            flags: u16_at(&record, 8),
            attributes: u32_at(&record, 38),
            name,
        };
        member.extend(&extra)?;
        member.header =
            member.header.checked_add(shift).ok_or_else(|| damaged("a member starts outside the archive"))?;
        if member.flags & 0x2041 != 0 || member.method == 99 {
            return Err(Fault::Encrypted.of(&member.name));
        }
        Ok(member)
    }

    /// Applies the extra fields: 64-bit numbers, and the modification time in seconds since 1970.
    fn extend(&mut self, extra: &[u8]) -> Result<(), Error> {
        for (number, bytes) in fields(extra) {
            match number {
                1 => {
                    let mut at = 0;
                    for slot in [&mut self.size, &mut self.packed, &mut self.header] {
                        if *slot == u64::from(u32::MAX) {
                            if bytes.len() < at + 8 {
                                return Err(damaged("a member has no size"));
                            }
                            *slot = u64_at(bytes, at);
                            at += 8;
                        }
                    }
                }
                0x5455 if bytes.len() >= 5 && bytes[0] & 1 != 0 => {
                    self.mtime = ModificationTime::Utc(i64::from(u32_at(bytes, 1).cast_signed()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn unix(&self) -> Option<u32> {
        let mode = self.attributes >> 16;
        (UNIX.contains(&self.system) && mode != 0).then_some(mode)
    }

    /// Returns the permission bits, if the host system has them.
    pub(super) fn mode(&self) -> Option<u32> {
        self.unix().map(|mode| mode & 0o7777)
    }

    pub(super) fn r#type(&self) -> Result<Type, Error> {
        let special = |what| Err(Fault::Special(what).of(&self.name));
        match self.unix().unwrap_or_default() >> 12 {
            _ if self.name.ends_with('/') => Ok(Type::Dir),
            0 | 0o10 => Ok(Type::File),
            0o04 => Ok(Type::Dir),
            0o12 => Ok(Type::Link),
            0o01 => special("a named pipe"),
            0o02 | 0o06 => special("a device"),
            0o14 => special("a socket"),
            _ => special("neither file, directory nor link"),
        }
    }
}

/// Reads a member's own header; returns the offset of the content.
pub(super) fn local_header(source: &mut (impl Read + Seek), member: &Member) -> Result<u64, Error> {
    let header = read_at(source, member.header, HEADER)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(damaged("a member is not at its declared position"));
    }
    let length = usize::from(u16_at(&header, 26));
    let name = read_at(source, member.header + HEADER as u64, length)?;
    if name != member.name.as_bytes() {
        return Err(Fault::TwoNames.of(&member.name));
    }
    Ok(member.header + (HEADER + length) as u64 + u64::from(u16_at(&header, 28)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times_are_converted() {
        // 2017-05-11 15:30:00
        assert_eq!(local_seconds(37 << 9 | 5 << 5 | 11, 15 << 11 | 30 << 5), 1_494_516_600);
        // 1980-01-01 00:00:00
        assert_eq!(local_seconds(1 << 5 | 1, 0), 315_532_800);
    }
}
