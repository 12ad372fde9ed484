//! Reads zip and tar archives: what is in them, told before anything is placed, and their files' bytes.
//!
//! The controller makes the manifest of an archive that it sends, an agent that of one it finds on its node; both by
//! this one reader. It reads a stream that it is given and writes nothing.

pub mod error;
pub mod format;
pub mod layout;
pub mod manifest;
mod tar;
mod zip;

use std::io::{self, Read, Seek, SeekFrom};

pub use error::{Error, Fault};
pub use format::Format;
pub use manifest::{Entry, Kind, Manifest, Owner, When};

/// The most members that an archive may have.
pub const MEMBERS: usize = 500_000;

/// An archive that unpacks to no more than this is never taken for a bomb, in bytes.
pub const HARMLESS: u64 = 1 << 30;

/// A larger one may unpack to so many times its own size. Texts and logs pack to a hundredth, bombs to a thousandth.
pub const RATIO: u64 = 250;

/// Returns the most that an archive of `packed` bytes may unpack to, in bytes.
fn limit(packed: u64) -> u64 {
    packed.saturating_mul(RATIO).max(HARMLESS)
}

/// What is to be done with each member: its header, without a digest, and its bytes. Whoever does not read them all
/// skips them; whoever does is told of wrong checksums and sizes at their end.
pub type Each<'e, E> = &'e mut dyn FnMut(Entry<()>, &mut dyn Read) -> Result<(), E>;

/// Goes through an archive, always in the same order.
///
/// # Errors
/// If it is no archive or a damaged one, if a member is of a kind that is refused, and what `each` returns.
pub fn walk<E: From<Error>>(source: &mut (impl Read + Seek), each: Each<'_, E>) -> Result<Format, E> {
    let size = source.seek(SeekFrom::End(0)).map_err(Error::Io)?;
    let format = format::detect(source, size)?;
    source.rewind().map_err(Error::Io)?;
    match format {
        Format::Zip => zip::walk(source, size, each)?,
        packed => tar::walk(format::unpacked(packed, source, limit(size))?, each)?,
    }
    Ok(format)
}

/// Reads an archive whole and returns what is in it. Then every file's bytes are what the archive's own checksums say,
/// and no member leads out of the folder that it will be unpacked into, as far as names alone can tell.
///
/// # Errors
/// If the archive is not one, is damaged, or has a member that is refused.
pub fn read(source: &mut (impl Read + Seek)) -> Result<Manifest, Error> {
    let mut entries = Vec::new();
    let mut tree = layout::Tree::default();
    let mut each = |entry: Entry<()>, bytes: &mut dyn Read| -> Result<(), Error> {
        if entries.len() == MEMBERS {
            return Err(Error::TooMany);
        }
        let path = layout::path(&entry.name).map_err(|fault| fault.of(&entry.name))?;
        if let Kind::Hard(target) = &entry.kind
            && !layout::path(target).is_ok_and(|target| tree.has_file(&target))
        {
            return Err(Fault::HardLink(target.clone()).of(&entry.name));
        }
        tree.add(&entry.name, &path, (&entry.kind).into())?;
        let name = entry.name.clone();
        entries.push(entry.digested(|size| {
            let mut bytes = bytes;
            let (digest, length) = convoy_protocol::Digest::of_reader(&mut bytes)
                .map_err(|error| Error::in_member(error, &name))?;
            if length == size { Ok(digest) } else { Err(Fault::Size.of(&name)) }
        })?);
        Ok(())
    };
    let format = walk(source, &mut each)?;
    Ok(Manifest { format, entries })
}

/// Reads until `buffer` is full; returns how much there was.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
