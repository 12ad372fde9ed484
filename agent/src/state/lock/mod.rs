//! The lock of a user of a node: while anything of one run works there as that user, no other run does. See
//! `docs/locks.md`.
//!
//! There are three files in the state directory:
//!
//! - `lock` is locked with `flock` by every agent of the run and by each of its jobs. The kernel releases it however a
//!   process ends.
//! - `holder` names the run that holds the lock, and its generation. Each run that takes the lock after another one raises
//!   the generation by one.
//! - `gate` is locked for a moment while a process reads or changes the other two.
//!
//! Nothing here depends on a clock; times are recorded for people only.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use convoy_protocol::lock::{Claim, HeldLock, Holder, LockTaken, Process, Refusal, RefusalReason};
use convoy_protocol::message::Hello;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::record::{Record, RecordError};
use crate::os_error::reason;

/// How long to retry a lock that another run holds. Its agents may be about to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How often to retry.
const TICK: Duration = Duration::from_millis(50);

/// How many of the processes that hold it are named.
const NAMED: usize = 8;

const GATE: &str = "gate";
const LOCK: &str = "lock";

/// One run's handle to the lock of this user.
#[derive(Debug)]
pub(crate) struct Lock {
    places: Vec<PathBuf>,
    uid: u32,
    run: String,
    by: String,
    /// What the run claims to hold; `None` if it works without the lock.
    claim: Option<Claim>,
    taken: Option<File>,
}

/// Why an attempt to take the lock failed.
#[derive(Debug)]
struct AttemptError {
    directory: PathBuf,
    why: RefusalReason,
    /// Whether a later attempt may succeed, once another process has released it.
    retryable: bool,
}

impl Lock {
    /// Makes one for a lock in one of these directories, the preferred one first.
    pub(crate) fn at(places: Vec<PathBuf>) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self { places, uid, run: String::new(), by: String::new(), claim: None, taken: None }
    }

    /// Sets the run that it is for.
    pub(crate) fn begin_run(&mut self, hello: &Hello) {
        self.run.clone_from(&hello.run);
        self.by.clone_from(&hello.by);
        self.claim.clone_from(&hello.claim);
    }

    /// Returns whether the lock must be taken before an order is executed, which may write or not. A run that held it before
    /// must prove with its first order that no other run intervened.
    pub(crate) fn is_due(&self, writes: bool) -> bool {
        let had = |claim: &Claim| claim.held.iter().any(|held| held.uid == self.uid);
        self.taken.is_none() && self.claim.as_ref().is_some_and(|claim| writes || had(claim))
    }

    /// Takes the lock, and holds it until this is dropped. If another run holds it, retries for `patience` unless `stopped`
    /// returns true.
    ///
    /// # Errors
    /// Fails if the run may not work here, with the reason. `user` is the name of this user.
    pub(crate) fn take(
        &mut self,
        patience: Duration,
        user: &str,
        stopped: impl Fn() -> bool,
    ) -> Result<LockTaken, Box<Refusal>> {
        let end = Instant::now() + patience;
        loop {
            match self.attempt() {
                Ok((file, entry)) => {
                    self.taken = Some(file);
                    return Ok(entry);
                }
                Err(error) if error.retryable && Instant::now() < end && !stopped() => thread::sleep(TICK),
                Err(AttemptError { directory, mut why, .. }) => {
                    let lock = directory.join(LOCK);
                    if let RefusalReason::Busy { processes, .. } = &mut why {
                        *processes = holders(&lock);
                    }
                    let (user, lock) = (user.to_owned(), lock.display().to_string());
                    return Err(Box::new(Refusal { user, lock, why }));
                }
            }
        }
    }

    /// Takes the lock for a job of a run that holds it, so that no other run works here while the job is in progress.
    ///
    /// # Errors
    /// Fails if another run holds it.
    pub(crate) fn of_job(run: &str, by: &str) -> Result<Self, String> {
        let mut lock = Self::at(super::places());
        (lock.run, lock.by, lock.claim) = (run.to_owned(), by.to_owned(), Some(Claim::default()));
        let taken = lock.take(Duration::ZERO, "", || false);
        taken.map(|_| lock).map_err(|refusal| format!("another run has taken {}", refusal.lock))
    }

    /// Returns another descriptor of the lock if it is held. The lock is held as long as any of them is open. It is closed on
    /// `exec`, so that no process inherits it by accident.
    #[cfg(test)]
    fn descriptor(&self) -> io::Result<Option<std::os::fd::OwnedFd>> {
        self.taken.as_ref().map(|file| Ok(file.try_clone()?.into())).transpose()
    }

    fn attempt(&self) -> Result<(File, LockTaken), AttemptError> {
        let claim = self.claim.clone().unwrap_or_default();
        let unable = |directory: &Path, why: String| AttemptError {
            directory: directory.to_owned(),
            why: RefusalReason::Unavailable(why),
            retryable: false,
        };
        let preferred = self.places.first().map_or(Path::new("/"), PathBuf::as_path);
        if !super::is_name(&self.run) {
            return Err(unable(preferred, "the controller does not name the run".into()));
        }
        let own = super::first_usable(&self.places).map_err(|error| unable(preferred, error.to_string()))?;
        // All agents lock them in the same order, so that no two wait for each other.
        let mut locked_gates = Vec::new();
        for directory in &self.places {
            locked_gates.extend(LockedGate::acquire(directory, *directory == own)?);
        }
        let given = claim.held.iter().find(|held| held.uid == self.uid).map(|held| held.generation);
        // Prefer the place where the run took the lock before: a better one may have been unusable at that time.
        let begun = locked_gates.iter().find(|gate| given.is_some_and(|given| gate.is_of(&self.run, given)));
        let Some(own) = begun.or_else(|| locked_gates.iter().find(|gate| gate.directory == own)) else {
            return Err(unable(&own, "it no longer exists".into()));
        };
        for other in locked_gates.iter().filter(|gate| gate.directory != own.directory) {
            other.is_free_for(&self.run)?;
        }
        own.take(self, given, claim.returning)
    }
}

/// A state directory whose gate is locked: no other process takes the lock there.
struct LockedGate<'p> {
    directory: &'p Path,
    _gate: File,
}

impl<'p> LockedGate<'p> {
    /// Locks the gate of a directory. Returns `None` if there is no gate and `create` is false: no run was ever there.
    fn acquire(directory: &'p Path, create: bool) -> Result<Option<Self>, AttemptError> {
        if !create && !super::is_private(directory) {
            return Ok(None);
        }
        let error = |why, retryable| AttemptError { directory: directory.to_owned(), why, retryable };
        let path = directory.join(GATE);
        let gate = match options(create).open(&path) {
            Err(error) if !create && error.kind() == io::ErrorKind::NotFound => return Ok(None),
            gate => gate.map_err(|cause| error(unable(&path, &cause), false))?,
        };
        match flock(&gate, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { directory, _gate: gate })),
            Err(Errno::WOULDBLOCK) => {
                let text = format!("{}: another process holds it and does not release it", path.display());
                Err(error(RefusalReason::Unavailable(text), true))
            }
            Err(cause) => Err(error(unable(&path, &cause.into()), false)),
        }
    }

    fn error(&self, why: RefusalReason) -> AttemptError {
        let retryable = matches!(why, RefusalReason::Busy { .. });
        AttemptError { directory: self.directory.to_owned(), why, retryable }
    }

    /// Returns whether a run is the current or last holder here, with this generation.
    fn is_of(&self, run: &str, generation: u64) -> bool {
        Record::read(self.directory)
            .is_ok_and(|record| record.holder.run == run && record.holder.generation == generation)
    }

    /// Fails if another run works here, in a directory that agents of this user used at some time.
    fn is_free_for(&self, run: &str) -> Result<(), AttemptError> {
        let path = self.directory.join(LOCK);
        let lock = match options(false).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            lock => lock.map_err(|error| self.error(unable(&path, &error)))?,
        };
        let record = Record::read(self.directory).ok();
        if record.as_ref().is_some_and(|record| record.holder.run == run) {
            return Ok(());
        }
        self.lock(&lock, FlockOperation::NonBlockingLockExclusive, record.as_ref())
    }

    fn lock(&self, file: &File, how: FlockOperation, record: Option<&Record>) -> Result<(), AttemptError> {
        flock(file, how).map_err(|error| {
            self.error(match error {
                Errno::WOULDBLOCK => RefusalReason::Busy {
                    holder: record.map(|record| record.holder.clone()),
                    processes: Vec::new(),
                },
                error => unable(&self.directory.join(LOCK), &error.into()),
            })
        })
    }

    /// Takes the lock here.
    fn take(
        &self,
        lock: &Lock,
        given: Option<u64>,
        returning: bool,
    ) -> Result<(File, LockTaken), AttemptError> {
        let path = self.directory.join(LOCK);
        let existed = path.symlink_metadata().is_ok();
        let file = options(true).open(&path).map_err(|error| self.error(unable(&path, &error)))?;
        let counted = read_generation(&file);
        let found = match Record::read(self.directory) {
            Ok(record) if counted > record.holder.generation => {
                Err(format!("it is older than the lock, whose generation is {counted}"))
            }
            Ok(record) => Ok(Some(record)),
            Err(RecordError::Missing) if !existed => Ok(None),
            Err(RecordError::Missing) => Err("it does not exist".to_owned()),
            Err(RecordError::Damaged(why)) => Err(why),
            Err(RecordError::Closed(why)) => return Err(self.error(RefusalReason::Unavailable(why))),
        };
        let (record, record_lost) = match found {
            Ok(record) => (record, None),
            Err(why) => (None, Some(why)),
        };
        let admission = admit(record.as_ref(), &lock.run, given, returning, record_lost.as_deref());
        let generation = match admission.map_err(|why| self.error(why))? {
            Admission::Again(generation) => {
                self.lock(&file, FlockOperation::NonBlockingLockShared, record.as_ref())?;
                generation
            }
            Admission::New => {
                self.lock(&file, FlockOperation::NonBlockingLockExclusive, record.as_ref())?;
                let generation = self.record_holder(lock, record, &file, counted)?;
                self.lock(&file, FlockOperation::NonBlockingLockShared, None)?;
                generation
            }
        };
        Ok((file, LockTaken { held: HeldLock { uid: lock.uid, generation }, record_lost }))
    }

    /// Records the run as the new holder. Returns its generation.
    fn record_holder(
        &self,
        lock: &Lock,
        last: Option<Record>,
        file: &File,
        counted: u64,
    ) -> Result<u64, AttemptError> {
        let before = last.as_ref().map_or(0, |record| record.holder.generation).max(counted);
        let generation = before + 1;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(since.as_secs()).unwrap_or_default();
        let holder = Holder { run: lock.run.clone(), by: lock.by.clone(), since, generation };
        let record = Record::after(last, holder, std::process::id());
        let written = record.write(self.directory).and_then(|()| write_generation(file, generation));
        written.map_err(|error| self.error(unable(self.directory, &error)))?;
        Ok(generation)
    }
}

/// How a run may take the lock.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    /// It was the last holder.
    Again(u64),
    /// With a new generation.
    New,
}

/// Decides whether a run may take a lock with this `record`. The run shows the generation that it was `given`, or it is
/// `returning` without knowing one.
fn admit(
    record: Option<&Record>,
    run: &str,
    given: Option<u64>,
    returning: bool,
    lost: Option<&str>,
) -> Result<Admission, RefusalReason> {
    let Some(record) = record else {
        return match given {
            None => Ok(Admission::New),
            Some(given) => {
                Err(RefusalReason::RecordLost { given, why: lost.unwrap_or("it does not exist").to_owned() })
            }
        };
    };
    let Record { holder, before, .. } = record;
    let own = holder.run == run;
    match given {
        Some(given) if own && holder.generation == given => Ok(Admission::Again(given)),
        Some(given) => match std::iter::once(holder).chain(before).find(|one| one.run != run) {
            Some(holder) => Err(RefusalReason::Intervened { holder: holder.clone(), given: Some(given) }),
            None => Err(RefusalReason::RecordLost { given, why: "its generation counter was reset".into() }),
        },
        None if own => Ok(Admission::Again(holder.generation)),
        None if returning && before.iter().any(|one| one.run == run) => {
            Err(RefusalReason::Intervened { holder: holder.clone(), given: None })
        }
        None => Ok(Admission::New),
    }
}

fn options(create: bool) -> fs::OpenOptions {
    let mut options = File::options();
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.read(true).write(create).create(create).truncate(false).mode(0o600).custom_flags(nofollow);
    options
}

fn unable(path: &Path, error: &io::Error) -> RefusalReason {
    RefusalReason::Unavailable(format!("{}: {}", path.display(), reason(error)))
}

/// Returns the generation in the lock file itself, for when the record is lost; 0 if there is none.
fn read_generation(file: &File) -> u64 {
    let mut digits = [0; 20];
    let length = file.read_at(&mut digits, 0).unwrap_or_default();
    std::str::from_utf8(&digits[..length]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

fn write_generation(file: &File, generation: u64) -> io::Result<()> {
    file.write_all_at(format!("{generation:019}\n").as_bytes(), 0)?;
    file.sync_all()
}

/// Returns the other processes that have a file open, as far as this user can see.
fn holders(path: &Path) -> Vec<Process> {
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let Ok(wanted) = fs::metadata(path).map(identity) else { return Vec::new() };
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let mut open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let has = |entry: fs::DirEntry| fs::metadata(entry.path()).map(identity).ok() == Some(wanted);
        if pid != std::process::id() && open.any(has) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(Process { pid, name: name.trim_end().to_owned() });
        }
    }
    found.sort_by_key(|process| process.pid);
    found.truncate(NAMED);
    found
}

#[cfg(test)]
mod tests;
