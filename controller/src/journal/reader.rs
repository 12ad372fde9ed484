//! Reads the records of a journal, up to the first that is not as it was written.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::file::{FILE_NAME, FileError};
use super::header::{FORMAT, Header};
use super::record::Record;
use crate::events::{Note, RunEvent, object};

/// The maximum length of a record in bytes. No record comes near: a result is smaller than
/// [`convoy_protocol::frame::MAX_FRAME`].
const MAX_RECORD: u64 = 256 * 1024 * 1024;

/// Reads the records of a journal one by one.
#[derive(Debug)]
pub struct Reader {
    source: BufReader<File>,
    /// How many records were read.
    records: u64,
    /// How many bytes they take.
    intact: u64,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// An event.
    Event(RunEvent),
    /// How many events could not be written.
    Missing(u64),
    /// Something of a later minor version of the format; why it is not understood.
    Unknown(String),
}

/// What follows the last intact record of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The number of intact records.
    pub records: u64,
    /// The length of the intact records in bytes.
    pub intact: u64,
    /// The length of the tail in bytes.
    pub bytes: u64,
    /// Whether the tail is an incomplete line, which was being written when the run was killed, or is being written.
    /// Otherwise it is damage.
    pub torn: bool,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal has a major version that this convoy does not read.
    #[error("the journal has format {0}.{1}; this convoy reads {major}.x", major = FORMAT.0)]
    Version(u32, u32),
    /// Not even the first record is as it was written.
    #[error("the first record of the journal is damaged")]
    Damaged,
}

impl Reader {
    /// Opens the journal in the directory of a run and reads its first record.
    ///
    /// # Errors
    /// If the file cannot be read, or its first record is damaged or of another major version.
    pub fn open(folder: &Path) -> Result<(Header, Self), ReadError> {
        let path = folder.join(FILE_NAME);
        let file = File::open(&path).map_err(FileError::new("open", &path))?;
        let mut reader = Self { source: BufReader::new(file), records: 0, intact: 0 };
        let first = reader.record().map_err(FileError::new("read", &path))?;
        let Some(Ok(record)) = first else { return Err(ReadError::Damaged) };
        match Header::format(&record.body) {
            Some((major, minor)) if major != FORMAT.0 => Err(ReadError::Version(major, minor)),
            Some(_) => {
                let header = Header::read(record.at, &record.body).map_err(|_| ReadError::Damaged)?;
                Ok((header, reader))
            }
            None => Err(ReadError::Damaged),
        }
    }

    /// Returns what the next record holds; `None` at the end, or where a record is not as it was written.
    /// [`Reader::tail`] tells which.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        Ok(self.record()?.map(|record| match record {
            Ok(record) => entry(&record),
            Err(why) => Entry::Unknown(why),
        }))
    }

    /// Returns the notes in the journal, as far as it can be read.
    pub fn notes(mut self) -> impl Iterator<Item = Note> {
        std::iter::from_fn(move || self.next_entry().ok().flatten()).filter_map(|entry| match entry {
            Entry::Event(RunEvent::Noted(note)) => Some(note),
            _ => None,
        })
    }

    fn record(&mut self) -> io::Result<Option<Result<Record, String>>> {
        let mut line = Vec::new();
        self.source.by_ref().take(MAX_RECORD).read_until(b'\n', &mut line)?;
        let record = Record::read(&line)
            .filter(|record| record.as_ref().map_or(true, |record| record.number == self.records));
        if record.is_some() {
            self.records += 1;
            self.intact += line.len() as u64;
        }
        Ok(record)
    }

    /// Returns how many records were read, and how many bytes they take.
    pub fn position(&self) -> (u64, u64) {
        (self.records, self.intact)
    }

    /// Returns what follows the records that were read; `None` if nothing does.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn tail(&self) -> io::Result<Option<Tail>> {
        let file = self.source.get_ref();
        let bytes = file.metadata()?.len().saturating_sub(self.intact);
        if bytes == 0 {
            return Ok(None);
        }
        let torn = !has_line_feed(file, self.intact)?;
        Ok(Some(Tail { records: self.records, intact: self.intact, bytes, torn }))
    }
}

fn entry(record: &Record) -> Entry {
    if let Some(count) = record.body.get("lost").and_then(convoy_protocol::Value::as_int) {
        return Entry::Missing(u64::try_from(count).unwrap_or_default());
    }
    match object::event(&record.body) {
        Ok(event) => Entry::Event(event),
        Err(why) => Entry::Unknown(why.to_string()),
    }
}

fn has_line_feed(file: &File, from: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt as _;
    let (mut at, mut part) = (from, vec![0; 64 * 1024]);
    loop {
        match file.read_at(&mut part, at)? {
            0 => return Ok(false),
            read if part[..read].contains(&b'\n') => return Ok(true),
            read => at += read as u64,
        }
    }
}

/// Returns what the last record of a journal holds, if it is intact. Reads only the end of the file.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn last_entry(file: &File) -> io::Result<Option<Entry>> {
    use std::os::unix::fs::FileExt as _;
    let length = file.metadata()?.len();
    let mut size = 4 * 1024;
    loop {
        let begin = length.saturating_sub(size);
        let mut part = vec![0; usize::try_from(length - begin).unwrap_or_default()];
        file.read_exact_at(&mut part, begin)?;
        let before = part.len().saturating_sub(1);
        let start = part[..before].iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let start = start.or((begin == 0).then_some(0));
        match start {
            Some(start) => {
                return Ok(Record::read(&part[start..]).and_then(Result::ok).map(|record| entry(&record)));
            }
            // The last event of a run is never that long.
            None if size > MAX_RECORD => return Ok(None),
            None => size *= 8,
        }
    }
}
