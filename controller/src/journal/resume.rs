//! A run that is gone on with: its journal is read, cut off where it is torn, and written on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::Digest;
use jiff::Timestamp;

use super::{FILE, Fault, Found, Header, Reader, Rest, RunId, Runs, Writer};
use crate::diagnostic::{Diagnostic, Kind};
use crate::events::{Ending, Note, RunEvent};

/// A run to go on with. Nobody else can, as long as this lives.
#[derive(Debug)]
pub struct Resumed {
    /// What was known when it began.
    pub header: Header,
    /// What was noted, in its order.
    pub notes: Vec<Note>,
    /// How often it was gone on with before.
    pub times: u32,
    /// What was cut off, for the user.
    pub warning: Option<String>,
    /// Writes on.
    pub writer: Writer,
}

impl Runs {
    /// Takes up a run that failed, was interrupted or broken off.
    ///
    /// # Errors
    /// If it goes on, is finished, or what was done in it is not known.
    pub fn resume(&self, id: &RunId) -> Result<Resumed, Diagnostic> {
        let folder = self.folder_of(id);
        let path = folder.join(FILE);
        let file = locked(id, &path)?;
        let unreadable = |why: &dyn std::fmt::Display| {
            Diagnostic::user(format!("the run {id} cannot be gone on with: {why}")).kind(Kind::Refused)
        };
        let (header, mut reader) = Reader::open(&folder).map_err(|error| unreadable(&error))?;
        let mut seen = Seen::default();
        while let Some(found) = reader.take().map_err(|error| unreadable(&error))? {
            seen.add(found);
        }
        seen.check(id, &header)?;
        let rest = reader.rest().map_err(|error| unreadable(&error))?;
        let warning = rest.map(|rest| cut_off(id, rest)).transpose()?;
        let (records, length) = reader.position();
        let written = Writer::behind(file, length, records, Timestamp::now().max(seen.last));
        let writer = written.map_err(Fault::new("write", &path)).map_err(|fault| unreadable(&fault))?;
        Ok(Resumed { header, notes: seen.notes, times: seen.times, warning, writer })
    }
}

fn locked(id: &RunId, path: &Path) -> Result<File, Diagnostic> {
    let refused = |text: String| Diagnostic::user(text).kind(Kind::Refused);
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|error| refused(Fault::new("open", path)(error).to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let by = path.parent().and_then(|folder| Reader::open(folder).ok());
            let by = by.map(|(header, _)| format!(": {}, process {}", header.by, header.process));
            Err(refused(format!("the run {id} goes on{}", by.unwrap_or_default())).hint(
                "`convoy runs` lists what goes on; interrupt it with Ctrl-C, there or by `kill -INT`"
                    .to_owned(),
            ))
        }
        Err(TryLockError::Error(error)) => Err(refused(Fault::new("lock", path)(error).to_string())),
    }
}

/// What a journal has said.
#[derive(Debug, Default)]
struct Seen {
    notes: Vec<Note>,
    times: u32,
    lost: u64,
    strange: Option<String>,
    ending: Option<Option<Ending>>,
    last: Timestamp,
}

impl Seen {
    fn add(&mut self, found: Found) {
        match found {
            Found::Event(RunEvent::Noted(note)) => self.notes.push(note),
            Found::Event(RunEvent::Resumed { .. }) => {
                self.times += 1;
                self.ending = None;
            }
            Found::Event(RunEvent::End { ending, .. }) => self.ending = Some(ending),
            Found::Event(_) => {}
            Found::Lost(count) => self.lost += count,
            Found::Strange(why) => {
                self.strange.get_or_insert(why);
            }
        }
    }

    /// Finds out whether there is anything to go on with.
    fn check(&self, id: &RunId, header: &Header) -> Result<(), Diagnostic> {
        let refused = |text: String| Err(Diagnostic::user(text).kind(Kind::Refused));
        if header.check {
            return refused(format!("the run {id} was in check mode: there is nothing to go on with"));
        }
        if self.ending == Some(Some(Ending::Well)) {
            return refused(format!("the run {id} is finished: there is nothing to go on with"));
        }
        let unknown = match (self.lost, &self.strange) {
            (0, None) => return Ok(()),
            (0, Some(why)) => format!("it was written by a later version of convoy: {why}"),
            (lost, _) => format!("{lost} events could not be written into it"),
        };
        Err(Diagnostic::user(format!(
            "the run {id} cannot be gone on with: its journal does not know all that was done"
        ))
        .kind(Kind::Refused)
        .note(unknown)
        .hint(AGAIN.to_owned()))
    }
}

/// What to do where a journal does not say what was done.
const AGAIN: &str = "look with `convoy runs show` what was done, and begin again with `convoy apply`: what is done already \
    is found done, but commands are run again";

/// Says what is cut off; nothing is, where more is missing than what was being written.
fn cut_off(id: &RunId, rest: Rest) -> Result<String, Diagnostic> {
    let Rest { records, bytes, torn, .. } = rest;
    if torn {
        return Ok(format!(
            "the last record of the journal, which was being written when the run broke off, is cut off: {bytes} bytes"
        ));
    }
    Err(Diagnostic::user(format!(
        "the run {id} cannot be gone on with: record {records} of its journal is damaged"
    ))
    .kind(Kind::Refused)
    .note(format!(
        "it is not as it was written; what was done in the {bytes} bytes from there on is not known"
    ))
    .hint(AGAIN.to_owned()))
}

/// Returns the files of playbooks and roles that are not as they were when a run read them, with what became of each.
pub fn changed(notes: &[Note]) -> Vec<(PathBuf, &'static str)> {
    let mut read: BTreeMap<&Arc<str>, &Arc<str>> = BTreeMap::new();
    for note in notes {
        if let Note::Source { path, digest } = note {
            read.insert(path, digest);
        }
    }
    let became = |(path, digest): (&Arc<str>, &Arc<str>)| {
        let word = match std::fs::read(&**path) {
            Ok(bytes) if Digest::of(&bytes).to_string() == **digest => return None,
            Ok(_) => "has changed",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is gone",
            Err(_) => "cannot be read",
        };
        Some((PathBuf::from(&**path), word))
    };
    read.into_iter().filter_map(became).collect()
}
