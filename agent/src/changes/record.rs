//! The record of changes of one run: reading it and appending to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::line::{HEADING, RecordLine};
use super::state::{PathKind, PathState};

/// The history of one path from its first change on. A path that was removed together with a directory above it and then
/// created again has several entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    /// The state before the run.
    pub(crate) was: PathState,
    /// The states after each of the run's changes.
    pub(crate) left_states: Vec<PathState>,
    /// Whether the path or a directory above it was removed as a directory: what is there now is something else.
    pub(crate) closed: bool,
    /// Whether it was created in and removed with a directory that exists neither before nor after the run.
    pub(crate) cancelled_out: bool,
    /// The run that undid the changes.
    pub(crate) undone_by: Option<String>,
}

impl Entry {
    /// Returns the state after the last change, and the one before, since the last change may not have been made.
    pub(crate) fn left(&self) -> [&PathState; 2] {
        let mut last = self.left_states.iter().rev().chain([&self.was, &self.was]);
        let mut take = || last.next().unwrap_or(&self.was);
        [take(), take()]
    }
}

/// Something irreversible that a module did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IrreversibleWork {
    pub(crate) module: String,
    /// Why it is irreversible.
    pub(crate) why: String,
    /// The ticket of the order.
    pub(crate) ticket: Option<u64>,
}

/// The contents of a record.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The entries, in the order of their first changes.
    pub(crate) entries: Vec<Entry>,
    /// What modules did that is irreversible.
    pub(crate) irreversible: Vec<IrreversibleWork>,
    /// The size of the complete lines in bytes.
    complete_bytes: u64,
}

impl Record {
    /// Reads a record; `None` if there is none. An incomplete last line is ignored: the agent was killed while writing it, and
    /// did not start the announced change.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let damaged = |number: usize| io::Error::other(format!("line {} is damaged", number + 1));
        let mut record = Self::default();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(body) = line.strip_suffix(b"\n") else { break };
            record.complete_bytes += line.len() as u64;
            if number == 0 {
                if line != HEADING.as_bytes() {
                    return Err(io::Error::other("it was written by another version of convoy"));
                }
                continue;
            }
            let line = RecordLine::read(body).ok_or_else(|| damaged(number))?;
            record.add(line).ok_or_else(|| damaged(number))?;
        }
        Ok(Some(record))
    }

    fn entry(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.id == id)
    }

    fn close(&mut self, path: &Path) {
        let below = self.entries.iter_mut().filter(|entry| entry.path.starts_with(path));
        below.for_each(|entry| entry.closed = true);
    }

    fn add(&mut self, line: RecordLine) -> Option<()> {
        match line {
            RecordLine::Change { id, path, was, left } => {
                let closed = is_directory(&was) && left.is_absent();
                if closed || left.kind == PathKind::Tree {
                    self.close(&path);
                }
                self.entries.push(Entry {
                    id,
                    path,
                    was,
                    left_states: vec![left],
                    closed,
                    cancelled_out: false,
                    undone_by: None,
                });
            }
            RecordLine::ChangeAgain { id, was, left } => {
                let entry = self.entry(&id)?;
                let last = entry.left()[0];
                let goes = is_directory(last) && left.is_absent();
                let came = entry.was.is_absent();
                let (next, path) = (last.followed_by(&left), entry.path.clone());
                entry.left_states.push(next);
                if let Some(was) = was {
                    let first = &entry.was;
                    entry.was = PathState {
                        ownership: first.ownership.or(was.ownership),
                        mtime: first.mtime.or(was.mtime),
                        ..was
                    };
                }
                if goes && came {
                    let with = self.entries.iter_mut().rev().take_while(|entry| entry.id != id);
                    with.filter(|entry| entry.path.starts_with(&path))
                        .for_each(|entry| entry.cancelled_out = true);
                }
                if goes {
                    self.close(&path);
                }
            }
            RecordLine::Cancelled { id } => {
                self.entry(&id)?.left_states.pop()?;
            }
            RecordLine::Irreversible { module, why, ticket } => {
                self.irreversible.push(IrreversibleWork { module, why, ticket });
            }
            RecordLine::Undone { id, by } => self.entry(&id)?.undone_by = Some(by),
        }
        Some(())
    }
}

fn is_directory(state: &PathState) -> bool {
    matches!(state.kind, PathKind::Directory | PathKind::Tree)
}

/// Appends to a record.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
}

impl Writer {
    /// Opens a record, or creates it; also returns its contents.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Record)> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        // An asynchronous job of the run may be writing, too.
        file.lock()?;
        let record = Record::read(path)?.unwrap_or_default();
        // Remove an incomplete last line.
        if file.metadata()?.len() > record.complete_bytes {
            file.set_len(record.complete_bytes)?;
        }
        if record.complete_bytes == 0 {
            file.write_all(HEADING.as_bytes())?;
        }
        file.unlock()?;
        Ok((Self { file }, record))
    }

    /// Appends lines in one write; if `durably` is set, also syncs them to disk.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn append(&mut self, lines: &[RecordLine], durably: bool) -> io::Result<()> {
        let text: String = lines.iter().map(RecordLine::text).collect();
        self.file.lock()?;
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(text.as_bytes());
        // A partial line would spoil the next one.
        let cut = if written.is_err() { self.file.set_len(before) } else { Ok(()) };
        self.file.unlock()?;
        written.and(cut)?;
        if durably { self.file.sync_data() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::state::{ContentState, Ownership};
    use convoy_protocol::Digest;

    fn ownership(mode: u32) -> PathState {
        PathState { ownership: Some(Ownership { mode, uid: 0, gid: 0 }), ..PathState::new(PathKind::File) }
    }

    fn file(text: &str) -> PathState {
        PathState { content: ContentState::Digest(Digest::of(text.as_bytes())), ..ownership(0o644) }
    }

    #[test]
    fn several_changes_of_one_path_are_one_entry() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("changes");
        let (mut writer, _) = Writer::open(&path).unwrap();
        let id = || "1.1".to_owned();
        let lines = [
            RecordLine::Change { id: id(), path: "/a".into(), was: ownership(0o644), left: ownership(0o600) },
            RecordLine::ChangeAgain { id: id(), was: Some(file("old")), left: file("new") },
            RecordLine::ChangeAgain { id: id(), was: None, left: ownership(0o640) },
            RecordLine::ChangeAgain { id: id(), was: None, left: PathState::absent() },
            RecordLine::Cancelled { id: id() },
        ];
        writer.append(&lines, true).unwrap();
        // The next agent removes the incomplete line.
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"00000000 chan").unwrap();
        let (mut writer, record) = Writer::open(&path).unwrap();
        let [entry] = &record.entries[..] else { panic!("{record:?}") };
        assert_eq!(entry.was, file("old"));
        let last = PathState { ownership: ownership(0o640).ownership, ..file("new") };
        assert_eq!(entry.left(), [&last, &file("new")]);
        writer
            .append(
                &[RecordLine::Irreversible { module: "shell".into(), why: "why not".into(), ticket: None }],
                false,
            )
            .unwrap();
        let record = Record::read(&path).unwrap().unwrap();
        let irreversible =
            IrreversibleWork { module: "shell".to_owned(), why: "why not".to_owned(), ticket: None };
        assert_eq!(record.irreversible, [irreversible]);
    }

    #[test]
    fn a_damaged_record_is_refused() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("changes");
        assert!(Record::read(&path).unwrap().is_none());
        fs::write(&path, "convoy-changes 1\n00000000 void 1.1\n").unwrap();
        assert_eq!(Record::read(&path).unwrap_err().to_string(), "line 2 is damaged");
        fs::write(&path, "convoy-changes 2\n").unwrap();
        assert_eq!(
            Record::read(&path).unwrap_err().to_string(),
            "it was written by another version of convoy"
        );
    }
}
