//! The directory of all runs: begins, lists, finds and removes them.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::file::{FILE_NAME, FileError};
use super::header::Header;
use super::id::RunId;
use super::reader::{Entry, ReadError, Reader, last_entry};
use super::writer::Writer;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::events::RunEvent;
use crate::settings::{Journal, Settings};

/// Where journals are kept unless a setting names another place, relative to the current directory.
const DEFAULT_FOLDER: &str = ".convoy";

/// How many of several matching runs a message names.
const MAX_NAMED: usize = 8;

/// The directory of all runs.
#[derive(Debug, Clone)]
pub struct Runs {
    folder: PathBuf,
    /// The directory of convoy's around it, if there is one: it is kept out of version control.
    own: Option<PathBuf>,
}

/// A run as a list shows it.
#[derive(Debug)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// Its first record; `None` if that cannot be read.
    pub header: Option<Header>,
    /// Whether it is in progress, and how it ended.
    pub state: RunState,
    /// The size of its directory in bytes.
    pub bytes: u64,
}

/// Whether a run is in progress, and how it ended.
#[derive(Debug)]
pub enum RunState {
    /// It is in progress.
    Running,
    /// It ended; with its last event, a [`RunEvent::End`].
    Ended(RunEvent),
    /// It ended without a last event: it was killed, or the machine went down.
    BrokenOff,
    /// Its journal cannot be read.
    Unreadable(ReadError),
}

impl Run {
    /// Returns when the run began.
    pub fn began(&self) -> Timestamp {
        self.header.as_ref().map_or_else(|| self.id.time(), |header| header.at)
    }
}

impl Runs {
    /// Returns the directory that the settings name; `None` if they turn journals off.
    pub fn of(settings: &Settings) -> Option<Self> {
        match &settings.journal {
            Journal::Off => None,
            Journal::Directory(folder) => Some(Self { folder: folder.clone(), own: None }),
            Journal::Here => Some(Self::below(crate::paths::absolute(DEFAULT_FOLDER))),
        }
    }

    /// As [`of`](Self::of), for a command that needs journals.
    ///
    /// # Errors
    /// If the settings turn journals off.
    pub fn require(settings: &Settings) -> Result<Self, Diagnostic> {
        Self::of(settings).ok_or_else(|| {
            Diagnostic::user("the setting `journal` turns journals off")
                .hint("see CONVOY_JOURNAL, and [convoy] in ansible.cfg".to_owned())
        })
    }

    /// Returns the one in a directory of convoy's.
    pub(super) fn below(own: PathBuf) -> Self {
        Self { folder: own.join("runs"), own: Some(own) }
    }

    /// Returns the directory of all runs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the directory of a run.
    pub fn folder_of(&self, id: &RunId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    /// Returns the names of all runs, in the order in which they began.
    ///
    /// # Errors
    /// If the directory cannot be read. A missing directory is not an error.
    pub fn names(&self) -> Result<Vec<RunId>, FileError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(FileError::new("read", &self.folder))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(FileError::new("read", &self.folder))?;
            names.extend(entry.file_name().to_str().and_then(RunId::parse));
        }
        names.sort();
        Ok(names)
    }

    /// Returns a name for a run that begins now.
    pub fn new_name(&self, now: Timestamp) -> RunId {
        // An error is reported when the run begins.
        RunId::new(self.names().unwrap_or_default().last(), now)
    }

    /// Begins the journal of a run. When its directory appears under its name, the first record is on the disk and the
    /// lock on the file is taken. The writer holds the lock until it is dropped.
    ///
    /// # Errors
    /// If the journal cannot be written. Nothing of it is left then.
    pub fn begin(&self, header: &Header) -> Result<Writer, FileError> {
        let private = |recursive: bool| {
            let mut builder = DirBuilder::new();
            builder.mode(0o700).recursive(recursive);
            builder
        };
        private(true).create(&self.folder).map_err(FileError::new("create", &self.folder))?;
        self.ignore()?;
        let new = self.folder.join(format!(".new-{}", header.id));
        private(false).create(&new).map_err(FileError::new("create", &new))?;
        let begun = begin_in(&new, header).and_then(|writer| {
            let folder = self.folder_of(&header.id);
            fs::rename(&new, &folder).map_err(FileError::new("create", &folder))?;
            File::open(&self.folder)
                .and_then(|folder| folder.sync_all())
                .map_err(FileError::new("write", &self.folder))?;
            Ok(writer)
        });
        if begun.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_dir_all(&new);
        }
        begun
    }

    /// Keeps the directory of convoy's out of version control.
    fn ignore(&self) -> Result<(), FileError> {
        let Some(own) = &self.own else { return Ok(()) };
        let path = own.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            file => file.and_then(|mut file| file.write_all(b"*\n")).map_err(FileError::new("write", &path)),
        }
    }

    /// Returns what a list shows of a run.
    pub fn run(&self, id: &RunId) -> Run {
        let folder = self.folder_of(id);
        let (header, state) = match Reader::open(&folder) {
            Err(error) => (None, RunState::Unreadable(error)),
            Ok((header, _)) => {
                let path = folder.join(FILE_NAME);
                let state = state(&path).unwrap_or_else(|error| {
                    RunState::Unreadable(FileError::new("read", &path)(error).into())
                });
                (Some(header), state)
            }
        };
        Run { id: id.clone(), header, state, bytes: size(&folder) }
    }

    /// Returns whether a run is in progress.
    pub(super) fn is_running(&self, id: &RunId) -> bool {
        matches!(state(&self.folder_of(id).join(FILE_NAME)), Ok(RunState::Running))
    }

    /// Finds the run that a word names: `last`, its name, or a unique prefix of its name.
    ///
    /// # Errors
    /// If no run matches, or several do.
    pub fn find(&self, word: &str) -> Result<RunId, Diagnostic> {
        let names = self.names()?;
        let Some(last) = names.last() else {
            return Err(Diagnostic::user(format!("there are no runs in {}", self.folder.display())).hint(
                "`convoy apply` keeps a journal of each run in the directory where it is started".to_owned(),
            ));
        };
        if word == "last" {
            return Ok(last.clone());
        }
        let found: Vec<&RunId> = names.iter().filter(|id| id.as_str().starts_with(word)).collect();
        match &found[..] {
            [id] => Ok((*id).clone()),
            [] => Err(Diagnostic::user(format!("there is no run `{word}`")).hint(
                did_you_mean(word, names.iter().map(RunId::as_str).chain(["last"]))
                    .or_else(|| Some("`convoy runs` lists them".to_owned())),
            )),
            several => {
                let mut problem = Diagnostic::user(format!("{} runs begin with `{word}`", several.len()));
                problem.notes = several.iter().take(MAX_NAMED).map(ToString::to_string).collect();
                if several.len() > MAX_NAMED {
                    problem.notes.push("…".to_owned());
                }
                Err(problem.hint("type more of the name, or use `last`".to_owned()))
            }
        }
    }

    /// As [`find`](Self::find), except that `last` is the last run that is neither in check mode nor an undo. So a
    /// check may come in between, and `undo last` can be repeated until it is complete.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_applied(&self, word: &str) -> Result<RunId, Diagnostic> {
        let found = self.find(word)?;
        if word != "last" {
            return Ok(found);
        }
        let names = self.names()?;
        let is_skipped = |id: &RunId| {
            Reader::open(&self.folder_of(id)).is_ok_and(|(header, _)| header.check || header.undoes.is_some())
        };
        Ok(names.into_iter().rev().find(|id| !is_skipped(id)).unwrap_or(found))
    }

    /// Removes a run. Returns whether it was removed: a run that is in progress, resumed or undone is left alone.
    ///
    /// # Errors
    /// If its directory cannot be removed.
    pub fn remove(&self, id: &RunId) -> Result<bool, FileError> {
        let folder = self.folder_of(id);
        // Both locks are held until the run is gone, so that nobody resumes or undoes it meanwhile.
        let mut held = Vec::new();
        for path in [folder.clone(), folder.join(FILE_NAME)] {
            let Ok(file) = File::open(path) else { continue };
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(false);
            }
            held.push(file);
        }
        // Renamed first, so that whoever lists runs meanwhile sees all of it or nothing.
        let gone = self.folder.join(format!(".gone-{id}"));
        fs::rename(&folder, &gone).map_err(FileError::new("remove", &folder))?;
        fs::remove_dir_all(&gone).map_err(FileError::new("remove", &gone))?;
        Ok(true)
    }
}

fn begin_in(folder: &Path, header: &Header) -> Result<Writer, FileError> {
    let path = folder.join(FILE_NAME);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(FileError::new("create", &path))?;
    // The directory has no final name yet. Others can only hold the lock for a moment, to read the state of the run.
    file.lock().map_err(FileError::new("lock", &path))?;
    let mut writer = Writer::after(file, 0, 0, header.at).map_err(FileError::new("write", &path))?;
    writer.append(header.body()).and_then(|()| writer.sync()).map_err(FileError::new("write", &path))?;
    Ok(writer)
}

/// Returns the state of a run by its journal.
fn state(path: &Path) -> io::Result<RunState> {
    let file = File::open(path)?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Ok(RunState::Running),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    Ok(match last_entry(&file)? {
        Some(Entry::Event(end @ RunEvent::End { .. })) => RunState::Ended(end),
        _ => RunState::BrokenOff,
    })
}

/// Returns the size in bytes of the files in a directory, as far as they can be read.
fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum()
}
