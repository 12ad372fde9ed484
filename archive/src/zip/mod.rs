//! zip archives, including those of more than 4 GiB or 65,535 members (zip64).
//!
//! Parsed here because the available crates keep members by name, which loses one of two members with the same name, and do
//! not tell the offset of a member's content, which reveals members that share bytes.

mod bytes;
mod end;
mod member;

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use crate::error::{Error, Fault};
use crate::limits::{MEMBERS, limit};
use crate::manifest::{Entry, Kind, Visitor};
use bytes::damaged;
use member::{Member, Type};

pub(crate) use end::has_end;

/// The longest target of a symbolic link, in bytes.
const TARGET: u64 = 4095;

/// How many bytes are read at once.
const BUFFER: usize = 64 * 1024;

/// Reads the list of members at the end of the archive.
fn members(source: &mut (impl Read + Seek), size: u64) -> Result<Vec<Member>, Error> {
    let end = end::find(source, size)?;
    if end.count > MEMBERS as u64 {
        return Err(Error::TooMany);
    }
    source.seek(SeekFrom::Start(end.list)).map_err(Error::Io)?;
    let mut list = BufReader::with_capacity(BUFFER, source.take(end.list_size));
    let mut members = Vec::new();
    for _ in 0..end.count {
        members.push(Member::read(&mut list, end.shift)?);
    }
    if !list.buffer().is_empty() || list.into_inner().limit() > 0 {
        return Err(damaged("its list of members is longer than declared"));
    }
    let total = members.iter().try_fold(0u64, |total, member| total.checked_add(member.size));
    if total.is_none_or(|total| total > limit(size)) {
        return Err(Error::Bomb(limit(size)));
    }
    locate(source, &mut members, end.list)?;
    Ok(members)
}

/// Finds the content of each member. Members must not overlap: this is how a small archive unpacks to petabytes.
fn locate(source: &mut (impl Read + Seek), members: &mut [Member], list: u64) -> Result<(), Error> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|i| members[*i].header);
    let mut free = 0;
    for i in order {
        let member = &mut members[i];
        if member.header < free {
            return Err(Fault::Overlap.of(&member.name));
        }
        member.data = member::local_header(source, member)?;
        free = member
            .data
            .checked_add(member.packed)
            .ok_or_else(|| damaged("a member ends outside the archive"))?;
        if free > list {
            return Err(if member.data > list {
                damaged("a member starts outside the archive")
            } else {
                Error::Truncated
            });
        }
    }
    Ok(())
}

/// Visits all members.
pub(crate) fn walk<E: From<Error>>(
    source: &mut (impl Read + Seek),
    size: u64,
    visit: Visitor<'_, E>,
) -> Result<(), E> {
    for member in members(source, size)? {
        source.seek(SeekFrom::Start(member.data)).map_err(Error::Io)?;
        let mut bytes = Content::new(BufReader::with_capacity(BUFFER, &mut *source), &member)?;
        let kind = match member.r#type()? {
            Type::File => Kind::File { size: member.size, digest: () },
            Type::Dir => Kind::Dir,
            Type::Link => Kind::Link(target(&mut bytes, &member)?),
        };
        let mode = member.mode();
        let entry = Entry { name: member.name, kind, mode, owner: None, mtime: member.mtime };
        visit(entry, &mut bytes)?;
    }
    Ok(())
}

fn target(bytes: &mut impl Read, member: &Member) -> Result<String, Error> {
    if member.size > TARGET {
        return Err(Fault::TooLong.of(&member.name));
    }
    let mut target = Vec::new();
    bytes.read_to_end(&mut target).map_err(|error| Error::in_member(error, &member.name))?;
    String::from_utf8(target).map_err(|_| Fault::NotUtf8.of(&member.name))
}

enum Bytes<R> {
    Stored(io::Take<R>),
    Deflated(DeflateDecoder<io::Take<R>>),
}

/// The content of a member, verified against its size and checksum as it is read.
struct Content<R> {
    bytes: Bytes<R>,
    left: u64,
    crc: Crc,
    expected: u32,
    name: String,
}

impl<R: io::BufRead> Content<R> {
    fn new(source: R, member: &Member) -> Result<Self, Error> {
        let packed = source.take(member.packed);
        let bytes = match member.method {
            0 => Bytes::Stored(packed),
            8 => Bytes::Deflated(DeflateDecoder::new(packed)),
            other => return Err(Fault::Method(member::method(other)).of(&member.name)),
        };
        let (left, expected, name) = (member.size, member.crc, member.name.clone());
        Ok(Self { bytes, left, crc: Crc::new(), expected, name })
    }
}

impl<R: io::BufRead> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let n = match &mut self.bytes {
            Bytes::Stored(bytes) => bytes.read(buffer)?,
            Bytes::Deflated(bytes) => bytes.read(buffer)?,
        };
        self.crc.update(&buffer[..n]);
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| Fault::Size.of(&self.name))?;
        if n == 0 {
            if self.left > 0 {
                return Err(Fault::Size.of(&self.name).into());
            }
            if self.crc.sum() != self.expected {
                return Err(Fault::Checksum.of(&self.name).into());
            }
        }
        Ok(n)
    }
}
