//! The log of orders that have a ticket. It keeps an order's outcome until the controller confirms that it has it, so that
//! an order that is sent again is not run again.

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

/// How often to check whether another agent has finished an order.
const POLL: Duration = Duration::from_millis(50);

/// Entries that no controller asked for in this time are removed.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// The log of one run's orders.
#[derive(Debug)]
pub(crate) struct OrderLog {
    run: String,
}

/// What the log knows of an order that is about to run.
#[derive(Debug)]
pub(crate) enum PriorState {
    /// It never started.
    NotStarted(OrderEntry),
    /// It started, and the agent that ran it ended before it had an outcome.
    Interrupted(OrderEntry),
    /// It finished.
    Done(OrderEntry, Outcome),
}

/// An entry of an order's file. Each order has a file of its own.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Begun,
    Done(Outcome),
}

/// The log entry of an order in progress. Its file is locked while an agent works on the order.
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

    /// Records that an order starts. While another agent is working on it, waits as long as `may_wait` returns true.
    ///
    /// # Errors
    /// Fails if the start cannot be recorded. Then the order must not start, because it might be run twice.
    pub(crate) fn begin(&self, ticket: Ticket, may_wait: impl Fn() -> bool) -> Result<PriorState, Failure> {
        let cannot = |error: io::Error| {
            Failure::new(format!(
                "cannot record the start of this step on the node, so it was not started: {}",
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
                    return Err(Failure::new("gave up: an earlier agent is still working on it"));
                }
            }
        }
        match last(&mut file).map_err(cannot)? {
            Some(Entry::Done(outcome)) => Ok(PriorState::Done(OrderEntry { file }, outcome)),
            Some(Entry::Begun) => Ok(PriorState::Interrupted(OrderEntry { file })),
            None => {
                let entry = OrderEntry { file };
                // A partly written entry would look like an interrupted order.
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
                // Another agent of the run removed the directory because it was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => return Ok((path, file?)),
            }
        }
    }

    /// Returns the run's log directories that exist.
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

    /// Forgets the orders whose outcomes the controller has.
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
    /// Records the outcome. For an order that keeps its values secret, only the status is stored.
    ///
    /// If it cannot be stored, the order counts as interrupted should it be sent again. That is safe, and no reason to
    /// report an order that ran as failed.
    pub(crate) fn done(&self, outcome: &Outcome, quiet: bool) {
        let mut kept = outcome.clone();
        if quiet {
            kept.values = map! { "censored" => "the result is secret and was not stored on the node" };
            kept.diff.clear();
        }
        // The agent that offers the content is about to end.
        kept.offer = None;
        self.add(&Entry::Done(kept)).ok();
    }

    fn add(&self, entry: &Entry) -> io::Result<()> {
        let bytes = frame::encode(entry).map_err(io::Error::other)?;
        (&self.file).write_all(&bytes)
    }
}

/// Returns the last complete entry.
fn last(file: &mut File) -> io::Result<Option<Entry>> {
    file.rewind()?;
    let mut last = None;
    // The agent may have been killed while it wrote an entry.
    while let Ok(Some(entry)) = frame::read::<Entry>(file) {
        last = Some(entry);
    }
    Ok(last)
}

/// Removes the logs of runs that no controller resumed.
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

/// Removes the directory of a run if it is empty.
fn remove_if_empty(run: &Path) {
    fs::remove_dir(run.join("steps")).ok();
    fs::remove_dir(run).ok();
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
