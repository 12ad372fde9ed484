//! Reads a journal, as far as it is as it was written.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::record::Record;
use super::{FILE, Fault, Header, header};
use crate::events::object;
use crate::events::{Note, RunEvent};

/// How long a record may be. None that is written is: a result is smaller than [`convoy_protocol::frame::MAX_FRAME`].
const LONGEST: u64 = 256 * 1024 * 1024;

/// Reads the records of a journal one by one.
#[derive(Debug)]
pub struct Reader {
    source: BufReader<File>,
    /// How many records were read, and how long they are.
    records: u64,
    intact: u64,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// What happened.
    Event(RunEvent),
    /// So many events that happened could not be written down.
    Lost(u64),
    /// Something of a later version of the format, with the reason why it is not understood.
    Strange(String),
}

/// What stands behind the last record that is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// How many records there are before.
    pub records: u64,
    /// How many bytes they are.
    pub intact: u64,
    /// How many bytes stand there.
    pub bytes: u64,
    /// Whether it is the beginning of one line: it was being written when the run was killed, or is now.
    pub torn: bool,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its file cannot be read.
    #[error(transparent)]
    File(#[from] Fault),
    /// It is of a version that is not known.
    #[error("the journal is of format {0}.{1}; this convoy reads {major}.x", major = header::FORMAT.0)]
    Version(u32, u32),
    /// Not even the first record is as it was written.
    #[error("the first record of the journal is damaged")]
    Damaged,
}

impl Reader {
    /// Opens the journal in the folder of a run.
    ///
    /// # Errors
    /// If it cannot be read, or not even its first record is as it was written.
    pub fn open(folder: &Path) -> Result<(Header, Self), Unreadable> {
        let path = folder.join(FILE);
        let file = File::open(&path).map_err(Fault::new("open", &path))?;
        let mut reader = Self { source: BufReader::new(file), records: 0, intact: 0 };
        let first = reader.record().map_err(Fault::new("read", &path))?;
        let Some(Ok(record)) = first else { return Err(Unreadable::Damaged) };
        match Header::format(&record.body) {
            Some((major, minor)) if major != header::FORMAT.0 => Err(Unreadable::Version(major, minor)),
            Some(_) => {
                let header = Header::read(record.at, &record.body).map_err(|_| Unreadable::Damaged)?;
                Ok((header, reader))
            }
            None => Err(Unreadable::Damaged),
        }
    }

    /// Returns what the next record says; nothing at the end, or where a record is not as it was written: [`Reader::rest`]
    /// tells which.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn take(&mut self) -> io::Result<Option<Found>> {
        Ok(self.record()?.map(|record| match record {
            Ok(record) => found(&record),
            Err(why) => Found::Strange(why),
        }))
    }

    /// Returns what is noted, as far as it can be read.
    pub fn notes(mut self) -> impl Iterator<Item = Note> {
        std::iter::from_fn(move || self.take().ok().flatten()).filter_map(|found| match found {
            Found::Event(RunEvent::Noted(note)) => Some(note),
            _ => None,
        })
    }

    fn record(&mut self) -> io::Result<Option<Result<Record, String>>> {
        let mut line = Vec::new();
        self.source.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        let record = Record::read(&line)
            .filter(|record| record.as_ref().map_or(true, |record| record.number == self.records));
        if record.is_some() {
            self.records += 1;
            self.intact += line.len() as u64;
        }
        Ok(record)
    }

    /// Returns how many records were read, and how many bytes they are.
    pub fn position(&self) -> (u64, u64) {
        (self.records, self.intact)
    }

    /// Returns what stands behind the records that were read; nothing if that is the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn rest(&self) -> io::Result<Option<Rest>> {
        let file = self.source.get_ref();
        let bytes = file.metadata()?.len().saturating_sub(self.intact);
        if bytes == 0 {
            return Ok(None);
        }
        let torn = !has_line_feed(file, self.intact)?;
        Ok(Some(Rest { records: self.records, intact: self.intact, bytes, torn }))
    }
}

fn found(record: &Record) -> Found {
    if let Some(count) = record.body.get("lost").and_then(convoy_protocol::Value::as_int) {
        return Found::Lost(u64::try_from(count).unwrap_or_default());
    }
    match object::event(&record.body) {
        Ok(event) => Found::Event(event),
        Err(why) => Found::Strange(why.to_string()),
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

/// Returns the last record of a journal, if it is whole: how the run ended, without reading all of it.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn last(file: &File) -> io::Result<Option<Found>> {
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
                return Ok(Record::read(&part[start..]).and_then(Result::ok).map(|record| found(&record)));
            }
            // A record that tells of the end is not that long.
            None if size > LONGEST => return Ok(None),
            None => size *= 8,
        }
    }
}
