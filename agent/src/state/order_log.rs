//! What came of orders that have a ticket, kept until the controller says that it has it: asked for again, they are not
//! done again.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use convoy_protocol::frame;
use convoy_protocol::message::Ticket;
use convoy_protocol::{Outcome, map};
use serde::{Deserialize, Serialize};

use super::run_directory;
use crate::failure::Failure;
use crate::os_error::reason;

/// How often one looks whether another agent is done with an order.
const POLL: Duration = Duration::from_millis(50);

/// What no controller has asked for in so long is removed.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// The orders of one run.
#[derive(Debug)]
pub(crate) struct OrderLog {
    run: String,
}

/// How far an order came before.
#[derive(Debug)]
pub(crate) enum PriorState {
    /// It was not begun.
    NotStarted(OrderEntry),
    /// It was begun, and whoever did it is gone.
    Interrupted(OrderEntry),
    /// It was done.
    Done(OrderEntry, Outcome),
}

/// What is written down of an order: one file for each.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Begun,
    Done(Outcome),
}

/// An order under way. The file is locked as long as someone is at work on it.
#[derive(Debug)]
pub(crate) struct OrderEntry {
    file: File,
}

impl OrderLog {
    pub(crate) fn of(run: &str) -> Self {
        Self { run: run.to_owned() }
    }

    fn directory(&self) -> io::Result<PathBuf> {
        Ok(run_directory(&self.run)?.join("steps"))
    }

    /// Notes that an order begins. If another agent is at work on it, that is waited for, as long as `go_on` says so.
    ///
    /// # Errors
    /// If it cannot be noted: then it must not be begun either, since it might be done twice.
    pub(crate) fn begin(&self, ticket: Ticket, may_wait: impl Fn() -> bool) -> Result<PriorState, Failure> {
        let cannot = |error: io::Error| {
            Failure::new(format!(
                "cannot note on the node that this step begins, so it was not begun: {}",
                reason(&error)
            ))
        };
        let (path, mut file) = self.open(ticket).map_err(cannot)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
                Err(TryLockError::WouldBlock) if may_wait() => thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::new("given up: an earlier agent is at work on it"));
                }
            }
        }
        match last(&mut file).map_err(cannot)? {
            Some(Entry::Done(outcome)) => Ok(PriorState::Done(OrderEntry { file }, outcome)),
            Some(Entry::Begun) => Ok(PriorState::Interrupted(OrderEntry { file })),
            None => {
                let entry = OrderEntry { file };
                // Nothing of a note that could not be made is left: it would look like one that was broken off.
                entry.add(&Entry::Begun).map_err(|error| {
                    fs::remove_file(&path).ok();
                    cannot(error)
                })?;
                Ok(PriorState::NotStarted(entry))
            }
        }
    }

    fn open(&self, ticket: Ticket) -> io::Result<(PathBuf, File)> {
        let directory = self.directory()?;
        loop {
            fs::create_dir_all(&directory)?;
            let path = directory.join(ticket.number.to_string());
            match File::options().read(true).append(true).create(true).mode(0o600).open(&path) {
                // Another agent of the run has removed the directory, since it was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => return Ok((path, file?)),
            }
        }
    }

    /// Returns the directories of the run that are there.
    fn existing(&self) -> impl Iterator<Item = PathBuf> {
        let directories = super::existing().filter(|_| super::is_name(&self.run));
        directories.map(|state| state.join("runs").join(&self.run))
    }

    /// Forgets all orders of the run.
    pub(crate) fn forget_all(&self) {
        for run in self.existing() {
            fs::remove_dir_all(run.join("steps")).ok();
            remove_if_empty(&run);
        }
    }

    /// Forgets what the controller has.
    pub(crate) fn forget(&self, tickets: &[u64]) {
        for run in self.existing() {
            for ticket in tickets {
                fs::remove_file(run.join("steps").join(ticket.to_string())).ok();
            }
            remove_if_empty(&run);
        }
    }
}

impl OrderEntry {
    /// Keeps what came of it. Of a quiet order only the word is kept.
    ///
    /// If it cannot be kept the order counts as broken off should it be asked for again: that is safe, and not worth a
    /// failure of what was done.
    pub(crate) fn done(&self, outcome: &Outcome, quiet: bool) {
        let mut kept = outcome.clone();
        if quiet {
            kept.values = map! { "censored" => "the result is secret, and was not kept on the node" };
            kept.diff.clear();
        }
        // What is offered is offered by the agent that is about to be gone.
        kept.offer = None;
        self.add(&Entry::Done(kept)).ok();
    }

    fn add(&self, entry: &Entry) -> io::Result<()> {
        let bytes = frame::encode(entry).map_err(io::Error::other)?;
        (&self.file).write_all(&bytes)
    }
}

/// Returns the last entry that is whole.
fn last(file: &mut File) -> io::Result<Option<Entry>> {
    file.rewind()?;
    let mut last = None;
    // What was being written when the agent was killed is no entry.
    while let Ok(Some(entry)) = frame::read::<Entry>(file) {
        last = Some(entry);
    }
    Ok(last)
}

/// Removes what runs have left that nobody goes on with.
pub(crate) fn prune() {
    let now = SystemTime::now();
    let old = |path: &Path| {
        let changed = fs::metadata(path).and_then(|meta| meta.modified()).ok();
        changed.and_then(|time| now.duration_since(time).ok()).is_some_and(|age| age > KEEP)
    };
    for run in super::existing().flat_map(|state| entries(&state.join("runs"))) {
        for step in entries(&run.join("steps")).iter().filter(|step| old(step)) {
            fs::remove_file(step).ok();
        }
        remove_if_empty(&run);
    }
}

/// Removes the directory of a run if nothing else is in it.
fn remove_if_empty(run: &Path) {
    fs::remove_dir(run.join("steps")).ok();
    fs::remove_dir(run).ok();
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
