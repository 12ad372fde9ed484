//! tar archives in the old format, ustar, GNU's format and POSIX's (pax).

mod header;
mod pax;

use std::io::{self, Read};

use crate::error::{Error, Fault};
pub(crate) use header::{BLOCK, is_header};

use crate::fill::fill;
use crate::manifest::{Entry, Kind, ModificationTime, Owner, Visitor};

use header::Header;
use pax::Records;

/// The largest size of a long name or an attribute list, in bytes.
const EXTENSION: u64 = 1 << 20;

/// Visits all members.
pub(crate) fn walk<E: From<Error>>(source: impl Read, visit: Visitor<'_, E>) -> Result<(), E> {
    let mut reader = Reader { source, global: Records::default() };
    while let Some(found) = reader.next()? {
        let Some((entry, stored)) = found.entry()? else {
            reader.skip(found.stored + padding(found.stored))?;
            continue;
        };
        let mut content = Content { source: &mut reader.source, left: stored };
        visit(entry, &mut content)?;
        let left = content.left;
        reader.skip(left + padding(stored))?;
    }
    // Data after the end of the archive is ignored, but must be read to verify the checksum of the compressed stream.
    io::copy(&mut reader.source, &mut io::sink()).map_err(Error::of_reading)?;
    Ok(())
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

/// The content of a member.
struct Content<'s, R> {
    source: &'s mut R,
    left: u64,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let n = self.source.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(Error::Truncated.into());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

struct Reader<R> {
    source: R,
    /// Attributes that apply to all following members.
    global: Records,
}

/// A header, with the extension records that precede it.
struct Member {
    header: Header,
    records: Records,
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    /// The size of the content, without the padding of the last block.
    stored: u64,
}

impl<R: Read> Reader<R> {
    fn block(&mut self) -> Result<Option<Header>, Error> {
        let mut block = [0; BLOCK];
        match fill(&mut self.source, &mut block).map_err(Error::of_reading)? {
            BLOCK => {}
            // Even the shortest archive ends with empty blocks.
            _ => return Err(Error::Truncated),
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header(block);
        if header.is_whole() {
            Ok(Some(header))
        } else {
            Err(Error::Damaged("a header does not match its checksum".into()))
        }
    }

    /// Returns the next member; `None` at the end of the archive.
    fn next(&mut self) -> Result<Option<Member>, Error> {
        let (mut records, mut name, mut target) = (self.global.clone(), None, None);
        loop {
            let Some(header) = self.block()? else { return Ok(None) };
            match header.kind() {
                b'L' => name = Some(self.text(&header)?),
                b'K' => target = Some(self.text(&header)?),
                b'x' | b'X' => records.read(&self.extension(&header)?)?,
                b'g' => {
                    let bytes = self.extension(&header)?;
                    self.global.read(&bytes)?;
                    records.read(&bytes)?;
                }
                _ => {
                    let stored = match header.kind() {
                        // A hard link gives the size of its target, but has no content.
                        b'1' => 0,
                        _ => records.size()?.map_or_else(|| header.size(), Ok)?,
                    };
                    return Ok(Some(Member { header, records, name, target, stored }));
                }
            }
        }
    }

    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let size = header.size()?;
        if size > EXTENSION {
            return Err(Error::Damaged(format!("a name or list of attributes of {size} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        if fill(&mut self.source, &mut bytes).map_err(Error::of_reading)? < bytes.len() {
            return Err(Error::Truncated);
        }
        self.skip(padding(size))?;
        Ok(bytes)
    }

    fn text(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let mut bytes = self.extension(header)?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(bytes)
    }

    fn skip(&mut self, size: u64) -> Result<(), Error> {
        let skipped = io::copy(&mut (&mut self.source).take(size), &mut io::sink());
        if skipped.map_err(Error::of_reading)? == size { Ok(()) } else { Err(Error::Truncated) }
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
        Fault::NotUtf8.of(&shown)
    })
}

impl Member {
    /// Returns the member's entry and the size of its content; `None` if it is not a member but a note about the archive.
    fn entry(&self) -> Result<Option<(Entry<()>, u64)>, Error> {
        let name = match (self.records.text("path"), &self.name) {
            (Some(path), _) => path.to_owned(),
            (None, Some(name)) => utf8(name.clone())?,
            (None, None) => utf8(self.header.name())?,
        };
        if self.records.is_sparse() {
            return Err(Fault::Special("a sparse file").of(&name));
        }
        let target = || match (self.records.text("linkpath"), &self.target) {
            (Some(path), _) => Ok(path.to_owned()),
            (None, Some(target)) => utf8(target.clone()),
            (None, None) => utf8(self.header.target()),
        };
        let special = |what| Err(Fault::Special(what).of(&name));
        let kind = match self.header.kind() {
            b'0' | b'7' | 0 if !name.ends_with('/') => Kind::File { size: self.stored, digest: () },
            b'0' | b'7' | 0 | b'5' => Kind::Dir,
            b'1' => Kind::Hard(target()?),
            b'2' => Kind::Link(target()?),
            b'3' | b'4' => return special("a device"),
            b'6' => return special("a named pipe"),
            b'S' => return special("a sparse file"),
            b'M' => return special("a continuation of a file from another volume"),
            // The name of the volume.
            b'V' => return Ok(None),
            other => return Err(Fault::UnknownKind(char::from(other)).of(&name)),
        };
        let owner = Owner {
            uid: self.records.number("uid")?.map_or_else(|| self.header.uid(), Ok)?,
            gid: self.records.number("gid")?.map_or_else(|| self.header.gid(), Ok)?,
            user: self.records.text("uname").map_or_else(|| self.header.user(), str::to_owned),
            group: self.records.text("gname").map_or_else(|| self.header.group(), str::to_owned),
        };
        let mtime =
            ModificationTime::Utc(self.records.seconds("mtime")?.map_or_else(|| self.header.mtime(), Ok)?);
        let mode = Some(self.header.mode()?);
        Ok(Some((Entry { name, kind, mode, owner: Some(owner), mtime }, self.stored)))
    }
}
