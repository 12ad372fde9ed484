//! Appends records to a journal, each in one write.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use convoy_protocol::Map;
use jiff::{SignedDuration, Timestamp};

use super::record::Record;

/// Appends records to a journal.
#[derive(Debug)]
pub struct Writer {
    file: File,
    /// The length of the journal in bytes. Anything beyond is not part of it.
    length: u64,
    /// The number of the next record.
    next: u64,
    /// The time of the first record that is written here.
    start: Timestamp,
    /// When that record was written, by the monotonic clock.
    started: Option<Instant>,
}

impl Writer {
    /// Returns a writer that continues after the first `records` records, which take `length` bytes; truncates the file
    /// there. `now` is the time of the next record; the times of later ones count from it by the monotonic clock, so
    /// that they never go back.
    ///
    /// # Errors
    /// If the file cannot be truncated.
    pub fn after(file: File, length: u64, records: u64, now: Timestamp) -> io::Result<Self> {
        file.set_len(length)?;
        Ok(Self { file, length, next: records, start: now, started: None })
    }

    /// Appends a record. If that fails, the incomplete record is removed; if even that fails, readers ignore it.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn append(&mut self, body: Map) -> io::Result<()> {
        let elapsed = self.started.get_or_insert_with(Instant::now).elapsed();
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::ZERO);
        let at = self.start.checked_add(elapsed).unwrap_or(self.start);
        let line = Record { number: self.next, at, body }.line();
        if let Err(error) = self.file.write_all_at(&line, self.length) {
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += line.len() as u64;
        self.next += 1;
        Ok(())
    }

    /// Waits until all records are on the disk.
    ///
    /// # Errors
    /// If the file cannot be synchronized.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
