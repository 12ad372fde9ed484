//! Writes a journal: each record at once, in one write.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use convoy_protocol::Map;
use jiff::{SignedDuration, Timestamp};

use super::record::Record;

/// Writes records at the end of a journal.
#[derive(Debug)]
pub struct Writer {
    file: File,
    /// How long the journal is; what stands beyond is no part of it.
    length: u64,
    /// The number of the next record.
    next: u64,
    began: (Timestamp, Instant),
}

impl Writer {
    /// Goes on behind the first `records` records, which are `length` bytes, and cuts off what stands there. `now` is the
    /// time of the next record; those after follow it, whatever becomes of the clock.
    ///
    /// # Errors
    /// If the file cannot be cut.
    pub fn behind(file: File, length: u64, records: u64, now: Timestamp) -> io::Result<Self> {
        file.set_len(length)?;
        Ok(Self { file, length, next: records, began: (now, Instant::now()) })
    }

    /// Writes a record. If that fails none of it is left, unless not even that can be done: then it is torn, and the
    /// reader cuts it off.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, body: Map) -> io::Result<()> {
        let (wall, clock) = self.began;
        let since = SignedDuration::try_from(clock.elapsed()).unwrap_or(SignedDuration::ZERO);
        let at = wall.checked_add(since).unwrap_or(wall);
        let line = Record { number: self.next, at, body }.line();
        if let Err(error) = self.file.write_all_at(&line, self.length) {
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += line.len() as u64;
        self.next += 1;
        Ok(())
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
