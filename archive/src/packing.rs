//! Recognizes an archive by its first bytes, never by its name, and decompresses tar archives.

use std::io::{self, BufRead, BufReader, Read, Seek};

use crate::error::Error;
use crate::fill::fill;
use crate::format::Format;
use crate::{tar, zip};

/// How many bytes are read at once.
const BUFFER: usize = 128 * 1024;

/// How much memory a decoder may use, in bytes: enough for the strongest settings of xz and zstd.
const MEMORY: u32 = 128 << 20;

/// Returns the format of `source`, which has `size` bytes.
///
/// # Errors
/// If it has none of the supported formats, or cannot be read.
pub(crate) fn detect(source: &mut (impl Read + Seek), size: u64) -> Result<Format, Error> {
    let mut head = [0; tar::BLOCK];
    source.rewind().map_err(Error::Io)?;
    let length = fill(source, &mut head).map_err(Error::Io)?;
    let head = &head[..length];
    for (magic, format) in [
        (&b"PK\x03\x04"[..], Format::Zip),
        (b"PK\x05\x06", Format::Zip),
        (b"\x1f\x8b", Format::TarGz),
        (b"BZh", Format::TarBz2),
        (b"\xfd7zXZ\0", Format::TarXz),
        (b"\x28\xb5\x2f\xfd", Format::TarZst),
    ] {
        if head.starts_with(magic) {
            return Ok(format);
        }
    }
    if head.starts_with(b"$ANSIBLE_VAULT;") {
        return Err(Error::Unsupported("a vault-encrypted archive"));
    }
    if tar::is_header(head) {
        return Ok(Format::Tar);
    }
    // A zip archive may follow other data, such as a self-extracting program.
    if zip::has_end(source, size)? { Ok(Format::Zip) } else { Err(Error::Unknown) }
}

/// Returns a reader of the tar archive in `source`. Reading more than `limit` bytes is an error.
pub(crate) fn unpacked<'s>(
    format: Format,
    source: &'s mut (impl Read + Seek),
    limit: u64,
) -> Result<Box<dyn Read + 's>, Error> {
    let source = BufReader::with_capacity(BUFFER, source);
    let bytes: Box<dyn Read + 's> = match format {
        Format::Zip | Format::Tar => return Ok(Box::new(source)),
        Format::TarGz => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Format::TarBz2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        Format::TarXz => Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, MEMORY / 1024)),
        Format::TarZst => Box::new(Zstd { source: Some(source), frame: None }),
    };
    Ok(Box::new(Limited { bytes: BufReader::with_capacity(BUFFER, bytes), left: limit, limit }))
}

/// A reader that fails beyond a number of bytes.
struct Limited<R> {
    bytes: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or(Error::Bomb(self.limit))?;
        Ok(n)
    }
}

type Frame<R> = ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>;

/// Decodes all frames of a zstd file, one after the other, and verifies their checksums.
struct Zstd<R: Read> {
    source: Option<R>,
    frame: Option<Frame<R>>,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer) {
                    Ok(0) => {}
                    other => return other,
                }
            }
            if let Some(frame) = self.frame.take() {
                let (source, decoder) = frame.into_parts();
                let promised = decoder.get_checksum_from_data();
                if promised.is_some() && promised != decoder.get_calculated_checksum() {
                    return Err(Error::Damaged("a frame does not match its checksum".into()).into());
                }
                self.source = Some(source);
            }
            let Some(mut source) = self.source.take() else { return Ok(0) };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = Frame::new_with_max_window_size(source, MEMORY.into()).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write as _};

    #[test]
    fn decompression_stops_at_the_limit() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&[0; 5000]).unwrap();
        let packed = packer.finish().unwrap();
        let unpack = |limit| {
            let mut source = Cursor::new(&packed);
            let mut bytes = Vec::new();
            unpacked(Format::TarGz, &mut source, limit)?.read_to_end(&mut bytes).map_err(Error::of_reading)
        };
        assert_eq!(unpack(5000).unwrap(), 5000);
        let why = "it unpacks to more than 4999 bytes, implausibly many for its size";
        assert_eq!(unpack(4999).unwrap_err().to_string(), why);
    }
}
