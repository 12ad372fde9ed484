//! Reopens the journal of a run to resume it: reads it, truncates an incomplete last record, and continues writing.
//!
//! A journal that is damaged, or in which events are missing, is refused: what it does not say could be done twice.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::Digest;
use jiff::Timestamp;

use super::file::{FILE_NAME, FileError};
use super::header::Header;
use super::id::RunId;
use super::reader::{Entry, Reader, Tail};
use super::runs::Runs;
use super::writer::Writer;
use crate::diagnostic::{Diagnostic, Kind};
use crate::events::{Ending, Note, RunEvent};

/// A run to resume. Its journal is locked as long as this lives.
#[derive(Debug)]
pub struct ResumedRun {
    /// The first record of the journal.
    pub header: Header,
    /// The notes in the journal, in their order.
    pub notes: Vec<Note>,
    /// How many times the run was resumed before.
    pub times: u32,
    /// A warning for the user if an incomplete record was removed.
    pub warning: Option<String>,
    /// Continues the journal.
    pub writer: Writer,
}

impl Runs {
    /// Reopens the journal of a run that failed, was interrupted or killed.
    ///
    /// # Errors
    /// If the run is in progress, finished or in check mode, or its journal is incomplete.
    pub fn resume(&self, id: &RunId) -> Result<ResumedRun, Diagnostic> {
        let folder = self.folder_of(id);
        let path = folder.join(FILE_NAME);
        let file = lock_journal(id, &path)?;
        let unreadable = |why: &dyn std::fmt::Display| {
            Diagnostic::user(format!("run {id} cannot be resumed: {why}")).kind(Kind::Refused)
        };
        let (header, mut reader) = Reader::open(&folder).map_err(|error| unreadable(&error))?;
        let mut history = History::default();
        while let Some(entry) = reader.next_entry().map_err(|error| unreadable(&error))? {
            history.add(entry);
        }
        history.check(id, &header)?;
        let tail = reader.tail().map_err(|error| unreadable(&error))?;
        let warning = tail.map(|tail| truncated(id, tail)).transpose()?;
        let (records, length) = reader.position();
        let writer = Writer::after(file, length, records, Timestamp::now().max(history.last));
        let writer = writer.map_err(FileError::new("write", &path)).map_err(|error| unreadable(&error))?;
        Ok(ResumedRun { header, notes: history.notes, times: history.times, warning, writer })
    }
}

fn lock_journal(id: &RunId, path: &Path) -> Result<File, Diagnostic> {
    let refused = |text: String| Diagnostic::user(text).kind(Kind::Refused);
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|error| refused(FileError::new("open", path)(error).to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let by = path.parent().and_then(|folder| Reader::open(folder).ok());
            let by = by.map(|(header, _)| format!(": {}, process {}", header.by, header.process));
            Err(refused(format!("run {id} is in progress{}", by.unwrap_or_default())).hint(
                "wait until it ends, or interrupt it with Ctrl-C in its terminal or with `kill -INT`"
                    .to_owned(),
            ))
        }
        Err(TryLockError::Error(error)) => Err(refused(FileError::new("lock", path)(error).to_string())),
    }
}

/// What a journal says, as far as it matters for resuming.
#[derive(Debug, Default)]
struct History {
    notes: Vec<Note>,
    times: u32,
    /// How many events could not be written.
    missing: u64,
    /// Why a record is not understood.
    unknown: Option<String>,
    /// How the run ended last, if it ended after it was last resumed.
    ending: Option<Option<Ending>>,
    last: Timestamp,
}

impl History {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Event(RunEvent::Noted(note)) => self.notes.push(note),
            Entry::Event(RunEvent::Resumed { .. }) => {
                self.times += 1;
                self.ending = None;
            }
            Entry::Event(RunEvent::End { ending, .. }) => self.ending = Some(ending),
            Entry::Event(_) => {}
            Entry::Missing(count) => self.missing += count,
            Entry::Unknown(why) => {
                self.unknown.get_or_insert(why);
            }
        }
    }

    /// Checks that there is something to resume, and that the journal is complete.
    fn check(&self, id: &RunId, header: &Header) -> Result<(), Diagnostic> {
        let refused = |text: String| Err(Diagnostic::user(text).kind(Kind::Refused));
        if header.check {
            return refused(format!("run {id} was in check mode: there is nothing to resume"));
        }
        if self.ending == Some(Some(Ending::Well)) {
            return refused(format!("run {id} is finished: there is nothing to resume"));
        }
        let gap = match (self.missing, &self.unknown) {
            (0, None) => return Ok(()),
            (0, Some(why)) => format!("a later version of convoy has written to it: {why}"),
            (count, _) => format!("{count} events could not be written to it"),
        };
        Err(Diagnostic::user(format!("run {id} cannot be resumed: its journal is incomplete"))
            .kind(Kind::Refused)
            .note(gap)
            .hint(START_AGAIN.to_owned()))
    }
}

/// What to do if a journal does not say what was done.
const START_AGAIN: &str = "see what was done with `convoy runs show`, then start again with `convoy apply`: completed work \
    is found done, but commands run again";

/// Returns a warning that the tail is removed.
///
/// # Errors
/// If the tail is more than an incomplete record.
fn truncated(id: &RunId, tail: Tail) -> Result<String, Diagnostic> {
    let Tail { records, bytes, torn, .. } = tail;
    if torn {
        return Ok(format!("removed an incomplete record of {bytes} bytes from the end of the journal"));
    }
    Err(Diagnostic::user(format!("run {id} cannot be resumed: record {records} of its journal is damaged"))
        .kind(Kind::Refused)
        .note(format!("it is unknown what was done in the last {bytes} bytes, from this record on"))
        .hint(START_AGAIN.to_owned()))
}

/// Returns the files of playbooks and roles that have changed since a run read them, each with what has happened to it.
pub fn changed_sources(notes: &[Note]) -> Vec<(PathBuf, &'static str)> {
    let mut read: BTreeMap<&Arc<str>, &Arc<str>> = BTreeMap::new();
    for note in notes {
        if let Note::Source { path, digest } = note {
            read.insert(path, digest);
        }
    }
    let change = |(path, digest): (&Arc<str>, &Arc<str>)| {
        let change = match std::fs::read(&**path) {
            Ok(bytes) if Digest::of(&bytes).to_string() == **digest => return None,
            Ok(_) => "has changed",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is missing",
            Err(_) => "cannot be read",
        };
        Some((PathBuf::from(&**path), change))
    };
    read.into_iter().filter_map(change).collect()
}
