//! The folder of all runs: begins, lists, finds and removes them.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::reader::{self, Found, Reader, Unreadable};
use super::{FILE, Fault, Header, RunId, Writer};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::events::RunEvent;
use crate::settings::{Journal, Settings};

/// Where runs are kept unless a setting says otherwise: below the folder in which the user stands.
const HERE: &str = ".convoy";

/// How many of several runs are named.
const NAMED: usize = 8;

/// The folder of all runs.
#[derive(Debug, Clone)]
pub struct Runs {
    folder: PathBuf,
    /// The folder of ours around it, which nobody else's version control is to see.
    own: Option<PathBuf>,
}

/// A run, as a list shows it.
#[derive(Debug)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// What was known when it began; nothing if it cannot be read.
    pub header: Option<Header>,
    /// What became of it.
    pub state: State,
    /// How many bytes it takes.
    pub bytes: u64,
}

/// What became of a run.
#[derive(Debug)]
pub enum State {
    /// It goes on.
    Running,
    /// It ended, and said how: a [`RunEvent::End`].
    Ended(RunEvent),
    /// It neither goes on nor said how it ended: it was killed, or the machine went down.
    BrokenOff,
    /// Its journal cannot be read.
    Unreadable(Unreadable),
}

impl Run {
    /// Returns when it began.
    pub fn began(&self) -> Timestamp {
        self.header.as_ref().map_or_else(|| self.id.time(), |header| header.at)
    }
}

impl Runs {
    /// Returns the folder that the settings name; none if they say that there is none.
    pub fn of(settings: &Settings) -> Option<Self> {
        match &settings.journal {
            Journal::Off => None,
            Journal::Folder(folder) => Some(Self { folder: folder.clone(), own: None }),
            Journal::Here => Some(Self::below(crate::paths::absolute(HERE))),
        }
    }

    /// As [`of`](Self::of), for a command that needs one.
    ///
    /// # Errors
    /// If the settings say that there is none.
    pub fn expected(settings: &Settings) -> Result<Self, Diagnostic> {
        Self::of(settings).ok_or_else(|| {
            Diagnostic::user("no journals are kept: the setting `journal` says so")
                .hint("see CONVOY_JOURNAL, and [convoy] in ansible.cfg".to_owned())
        })
    }

    /// Returns the one in a folder of ours.
    pub(super) fn below(own: PathBuf) -> Self {
        Self { folder: own.join("runs"), own: Some(own) }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder of a run.
    pub fn folder_of(&self, id: &RunId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    /// Returns the names of all runs, in the order in which they began.
    ///
    /// # Errors
    /// If the folder cannot be read. That there is none is no error.
    pub fn names(&self) -> Result<Vec<RunId>, Fault> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Fault::new("read", &self.folder))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Fault::new("read", &self.folder))?;
            names.extend(entry.file_name().to_str().and_then(RunId::parse));
        }
        names.sort();
        Ok(names)
    }

    /// Returns a name for a run that begins now.
    pub fn next(&self, now: Timestamp) -> RunId {
        // What stands in the way is told when the run begins.
        RunId::new(self.names().unwrap_or_default().last(), now)
    }

    /// Begins the journal of a run. It appears under its name with its first record on the disk and its lock taken, which
    /// the writer holds as long as the process lives.
    ///
    /// # Errors
    /// If it cannot be written; then nothing of it is left.
    pub fn begin(&self, header: &Header) -> Result<Writer, Fault> {
        let private = |recursive: bool| {
            let mut builder = DirBuilder::new();
            builder.mode(0o700).recursive(recursive);
            builder
        };
        private(true).create(&self.folder).map_err(Fault::new("make", &self.folder))?;
        self.ignore()?;
        let new = self.folder.join(format!(".new-{}", header.id));
        private(false).create(&new).map_err(Fault::new("make", &new))?;
        let begun = begin_in(&new, header).and_then(|writer| {
            let folder = self.folder_of(&header.id);
            fs::rename(&new, &folder).map_err(Fault::new("make", &folder))?;
            File::open(&self.folder)
                .and_then(|folder| folder.sync_all())
                .map_err(Fault::new("write", &self.folder))?;
            Ok(writer)
        });
        if begun.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_dir_all(&new);
        }
        begun
    }

    /// Keeps a folder of ours out of version control.
    fn ignore(&self) -> Result<(), Fault> {
        let Some(own) = &self.own else { return Ok(()) };
        let path = own.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            file => file.and_then(|mut file| file.write_all(b"*\n")).map_err(Fault::new("write", &path)),
        }
    }

    /// Returns what a list shows of a run.
    pub fn run(&self, id: &RunId) -> Run {
        let folder = self.folder_of(id);
        let (header, state) = match Reader::open(&folder) {
            Err(error) => (None, State::Unreadable(error)),
            Ok((header, _)) => {
                let path = folder.join(FILE);
                let state = state(&path)
                    .unwrap_or_else(|error| State::Unreadable(Fault::new("read", &path)(error).into()));
                (Some(header), state)
            }
        };
        Run { id: id.clone(), header, state, bytes: size(&folder) }
    }

    /// Returns whether a run goes on.
    pub(super) fn goes_on(&self, id: &RunId) -> bool {
        matches!(state(&self.folder_of(id).join(FILE)), Ok(State::Running))
    }

    /// Finds the run that a word names: `last`, its name, or a beginning of its name that no other has.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn find(&self, word: &str) -> Result<RunId, Diagnostic> {
        let names = self.names().map_err(|fault| Diagnostic::user(fault.to_string()))?;
        let Some(last) = names.last() else {
            return Err(Diagnostic::user(format!("there are no runs in {}", self.folder.display())).hint(
                "`convoy apply` keeps a journal of each run, in the folder in which it is started".to_owned(),
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
                problem.notes = several.iter().take(NAMED).map(ToString::to_string).collect();
                if several.len() > NAMED {
                    problem.notes.push("…".to_owned());
                }
                Err(problem.hint("name more of it, or say `last`".to_owned()))
            }
        }
    }

    /// As [`find`](Self::find), but that `last` is the last run that was to do something of its own: looking at what would be
    /// done, in check mode, comes in between, and so does taking back a run, so that this can be asked for again.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_done(&self, word: &str) -> Result<RunId, Diagnostic> {
        let found = self.find(word)?;
        if word != "last" {
            return Ok(found);
        }
        let names = self.names().map_err(|fault| Diagnostic::user(fault.to_string()))?;
        let comes_between = |id: &RunId| {
            Reader::open(&self.folder_of(id)).is_ok_and(|(header, _)| header.check || header.undoes.is_some())
        };
        Ok(names.into_iter().rev().find(|id| !comes_between(id)).unwrap_or(found))
    }

    /// Removes a run. Returns whether it is gone: one that goes on stays.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, id: &RunId) -> Result<bool, Fault> {
        let folder = self.folder_of(id);
        // Held until it is gone, so that nobody takes it back, or begins to use it meanwhile.
        let mut held = Vec::new();
        for path in [folder.clone(), folder.join(FILE)] {
            let Ok(file) = File::open(path) else { continue };
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(false);
            }
            held.push(file);
        }
        // Whoever lists runs meanwhile sees all of it or nothing.
        let gone = self.folder.join(format!(".gone-{id}"));
        fs::rename(&folder, &gone).map_err(Fault::new("remove", &folder))?;
        fs::remove_dir_all(&gone).map_err(Fault::new("remove", &gone))?;
        Ok(true)
    }
}

fn begin_in(folder: &Path, header: &Header) -> Result<Writer, Fault> {
    let path = folder.join(FILE);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(Fault::new("make", &path))?;
    // Nobody knows of it yet but who looks at every file: they let go at once.
    file.lock().map_err(Fault::new("lock", &path))?;
    let mut writer = Writer::behind(file, 0, 0, header.at).map_err(Fault::new("write", &path))?;
    writer.append(header.body()).and_then(|()| writer.sync()).map_err(Fault::new("write", &path))?;
    Ok(writer)
}

/// Returns what became of the run whose journal can be read.
fn state(path: &Path) -> io::Result<State> {
    let file = File::open(path)?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Ok(State::Running),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    Ok(match reader::last(&file)? {
        Some(Found::Event(end @ RunEvent::End { .. })) => State::Ended(end),
        _ => State::BrokenOff,
    })
}

/// Returns how many bytes the files in a folder take, as far as they can be read.
fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum()
}
