//! Offering files to the controller as part of an outcome.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use convoy_protocol::Offer;

use super::{Checksums, System, SystemView};
use crate::content::OfferedFile;

impl SystemView {
    /// Reads an open file and offers its current content to the controller; returns its digests. Data appended later are not
    /// offered.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn offer(&self, path: &Path, file: &File) -> io::Result<Checksums> {
        let meta = file.metadata()?;
        // Files in /proc have size 0.
        let limit = if meta.len() == 0 { u64::MAX } else { meta.len() };
        let mut counted = CountingReader { source: file.take(limit), count: 0 };
        let sums = Checksums::of_reader(&mut counted)?;
        let (path, size) = (path.to_owned(), counted.count);
        self.contents.offer(sums.sha256, OfferedFile { path, dev: meta.dev(), ino: meta.ino(), size });
        self.offered.set(Some(Offer { digest: sums.sha256, size }));
        Ok(sums)
    }
}

impl System {
    /// Takes what the running order has offered.
    pub(crate) fn take_offer(&mut self) -> Option<Offer> {
        self.view.offered.take()
    }
}

struct CountingReader<R> {
    source: R,
    count: u64,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}
