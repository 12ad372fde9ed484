//! Reads zip and tar archives: first the list of their members, then the content of files.
//!
//! The controller uses it to make the manifest of an archive that it sends; an agent, for an archive on its node. It reads
//! a stream that it is given, and writes nothing.

pub mod error;
mod fill;
pub mod format;
pub mod layout;
pub mod limits;
pub mod manifest;
mod packing;
mod tar;
mod zip;

use std::io::{Read, Seek, SeekFrom};

pub use error::{Error, Fault};
pub use format::Format;
pub use limits::{HARMLESS, MEMBERS, RATIO};
pub use manifest::{Entry, Kind, Manifest, ModificationTime, Owner, Visitor};

/// Visits all members of an archive, always in the same order.
///
/// # Errors
/// If it is not an archive, is damaged, or has a member of a refused type; and errors of `visit`.
pub fn walk<E: From<Error>>(source: &mut (impl Read + Seek), visit: Visitor<'_, E>) -> Result<Format, E> {
    let size = source.seek(SeekFrom::End(0)).map_err(Error::Io)?;
    let format = packing::detect(source, size)?;
    source.rewind().map_err(Error::Io)?;
    match format {
        Format::Zip => zip::walk(source, size, visit)?,
        packed => tar::walk(packing::unpacked(packed, source, limits::limit(size))?, visit)?,
    }
    Ok(format)
}

/// Reads a whole archive and returns its manifest. On success, all files match the archive's checksums, and no member leads
/// out of the destination directory, as far as names can tell.
///
/// # Errors
/// If it is not an archive, is damaged, or has a member that is refused.
pub fn read(source: &mut (impl Read + Seek)) -> Result<Manifest, Error> {
    let mut entries = Vec::new();
    let mut tree = layout::Tree::default();
    let mut visit = |entry: Entry<()>, bytes: &mut dyn Read| -> Result<(), Error> {
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
    let format = walk(source, &mut visit)?;
    Ok(Manifest { format, entries })
}
