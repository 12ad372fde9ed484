//! The lock of a user of a node: as long as anything of a run works there, no other run does. `docs/locks.md`.
//!
//! In the state directory `lock` is locked (`flock`) by every agent of the run, each for itself, and by what it hands its
//! descriptor to; the system takes that away however a process ends. `holder` says which run has it, and counts:
//! each run that takes it after another one raises the generation. Both are looked at and changed only by who has closed
//! `gate`, for a moment. Nothing here depends on a clock: times are noted for people.

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

/// How long a lock that another run has is tried for: its agents may be about to leave.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is tried.
const TICK: Duration = Duration::from_millis(50);

/// How many processes that hold it are named.
const NAMED: usize = 8;

const GATE: &str = "gate";
const LOCK: &str = "lock";

/// The lock of this user, for one run.
#[derive(Debug)]
pub(crate) struct Lock {
    places: Vec<PathBuf>,
    uid: u32,
    run: String,
    by: String,
    /// What the run shows; nothing if it works without the lock.
    claim: Option<Claim>,
    taken: Option<File>,
}

/// Why an attempt was in vain.
#[derive(Debug)]
struct AttemptError {
    directory: PathBuf,
    why: RefusalReason,
    /// Whether another one may succeed, as soon as others have gone.
    retryable: bool,
}

impl Lock {
    /// Makes one that may be in one of these directories, the best one first.
    pub(crate) fn at(places: Vec<PathBuf>) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self { places, uid, run: String::new(), by: String::new(), claim: None, taken: None }
    }

    /// Takes note of which run it is for.
    pub(crate) fn begin_run(&mut self, hello: &Hello) {
        self.run.clone_from(&hello.run);
        self.by.clone_from(&hello.by);
        self.claim.clone_from(&hello.claim);
    }

    /// Returns whether it must be taken before an order in earnest, which may write or not. A run that had it before has
    /// to show with its first order that nobody came between.
    pub(crate) fn is_due(&self, writes: bool) -> bool {
        let had = |claim: &Claim| claim.held.iter().any(|held| held.uid == self.uid);
        self.taken.is_none() && self.claim.as_ref().is_some_and(|claim| writes || had(claim))
    }

    /// Takes the lock, which is then held until this is dropped. One that another run has is tried for as long as
    /// `patience`, unless `stopped`.
    ///
    /// # Errors
    /// Why the run may not work here. `user` is how that user is called.
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

    /// Takes the lock for a job of a run that has it: as long as the job lives no other run works here.
    ///
    /// # Errors
    /// If another run has it.
    pub(crate) fn of_job(run: &str, by: &str) -> Result<Self, String> {
        let mut lock = Self::at(super::places());
        (lock.run, lock.by, lock.claim) = (run.to_owned(), by.to_owned(), Some(Claim::default()));
        let taken = lock.take(Duration::ZERO, "", || false);
        taken.map(|_| lock).map_err(|refusal| format!("another run has taken {}", refusal.lock))
    }

    /// Returns another descriptor of the lock, if it is held: the lock is held as long as one of them is open anywhere. It
    /// is closed on `exec` as all others, so that no process has it by mistake.
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
        let first = self.places.first().map_or(Path::new("/"), PathBuf::as_path);
        if !super::is_name(&self.run) {
            return Err(unable(first, "the controller does not say which run it is for".into()));
        }
        let own = super::first(&self.places).map_err(|error| unable(first, error.to_string()))?;
        // The order is the same for all, so that nobody waits for the other.
        let mut locked_gates = Vec::new();
        for directory in &self.places {
            locked_gates.extend(LockedGate::gate(directory, *directory == own)?);
        }
        let given = claim.held.iter().find(|held| held.uid == self.uid).map(|held| held.generation);
        // A directory that could not be had for a while is no place to count on.
        let begun = locked_gates
            .iter()
            .find(|locked_gates| given.is_some_and(|given| locked_gates.is_of(&self.run, given)));
        let Some(own) =
            begun.or_else(|| locked_gates.iter().find(|locked_gates| locked_gates.directory == own))
        else {
            return Err(unable(&own, "it is gone".into()));
        };
        for other in locked_gates.iter().filter(|locked_gates| locked_gates.directory != own.directory) {
            other.is_free_for(&self.run)?;
        }
        own.enter(self, given, claim.returning)
    }
}

/// A state directory whose gate is closed: nobody else takes the lock there.
struct LockedGate<'p> {
    directory: &'p Path,
    _gate: File,
}

impl<'p> LockedGate<'p> {
    /// Closes the gate of a directory. Nothing if that is not to be `made` and there is none: nobody was ever there.
    fn gate(directory: &'p Path, made: bool) -> Result<Option<Self>, AttemptError> {
        if !made && !super::is_private(directory) {
            return Ok(None);
        }
        let error = |why, retryable| AttemptError { directory: directory.to_owned(), why, retryable };
        let path = directory.join(GATE);
        let gate = match options(made).open(&path) {
            Err(error) if !made && error.kind() == io::ErrorKind::NotFound => return Ok(None),
            gate => gate.map_err(|cause| error(unable(&path, &cause), false))?,
        };
        match flock(&gate, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { directory, _gate: gate })),
            Err(Errno::WOULDBLOCK) => {
                let text = format!("{}: another process has it and does not go on", path.display());
                Err(error(RefusalReason::Unavailable(text), true))
            }
            Err(cause) => Err(error(unable(&path, &cause.into()), false)),
        }
    }

    fn error(&self, why: RefusalReason) -> AttemptError {
        let retryable = matches!(why, RefusalReason::Busy { .. });
        AttemptError { directory: self.directory.to_owned(), why, retryable }
    }

    /// Returns whether a run has, or had last, this generation of the lock here.
    fn is_of(&self, run: &str, generation: u64) -> bool {
        Record::read(self.directory)
            .is_ok_and(|record| record.holder.run == run && record.holder.generation == generation)
    }

    /// Fails if another run works here, in a directory that agents of this user have used at some time.
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
    fn enter(
        &self,
        who: &Lock,
        given: Option<u64>,
        returning: bool,
    ) -> Result<(File, LockTaken), AttemptError> {
        let path = self.directory.join(LOCK);
        let there = path.symlink_metadata().is_ok();
        let file = options(true).open(&path).map_err(|error| self.error(unable(&path, &error)))?;
        let counted = counted(&file);
        let found = match Record::read(self.directory) {
            Ok(record) if counted > record.holder.generation => {
                Err(format!("it is older than the lock, of which {counted} is the generation"))
            }
            Ok(record) => Ok(Some(record)),
            Err(RecordError::Missing) if !there => Ok(None),
            Err(RecordError::Missing) => Err("it is not there".to_owned()),
            Err(RecordError::Damaged(why)) => Err(why),
            Err(RecordError::Closed(why)) => return Err(self.error(RefusalReason::Unavailable(why))),
        };
        let (record, record_lost) = match found {
            Ok(record) => (record, None),
            Err(why) => (None, Some(why)),
        };
        let passed = pass(record.as_ref(), &who.run, given, returning, record_lost.as_deref());
        let generation = match passed.map_err(|why| self.error(why))? {
            Pass::Again(generation) => {
                self.lock(&file, FlockOperation::NonBlockingLockShared, record.as_ref())?;
                generation
            }
            Pass::New => {
                self.lock(&file, FlockOperation::NonBlockingLockExclusive, record.as_ref())?;
                let generation = self.note(who, record, &file, counted)?;
                self.lock(&file, FlockOperation::NonBlockingLockShared, None)?;
                generation
            }
        };
        Ok((file, LockTaken { held: HeldLock { uid: who.uid, generation }, record_lost }))
    }

    /// Notes that the run has the lock; returns the generation.
    fn note(&self, who: &Lock, last: Option<Record>, file: &File, counted: u64) -> Result<u64, AttemptError> {
        let before = last.as_ref().map_or(0, |record| record.holder.generation).max(counted);
        let generation = before + 1;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(since.as_secs()).unwrap_or_default();
        let holder = Holder { run: who.run.clone(), by: who.by.clone(), since, generation };
        let record = Record::after(last, holder, std::process::id());
        let written = record.write(self.directory).and_then(|()| count(file, generation));
        written.map_err(|error| self.error(unable(self.directory, &error)))?;
        Ok(generation)
    }
}

/// How a run takes the lock.
#[derive(Debug, PartialEq, Eq)]
enum Pass {
    /// It was the last one here.
    Again(u64),
    /// As a new generation.
    New,
}

/// Decides whether a run may take a lock that `record` tells of. It was `given` a generation, or it is `returning` and does
/// not know.
fn pass(
    record: Option<&Record>,
    run: &str,
    given: Option<u64>,
    returning: bool,
    lost: Option<&str>,
) -> Result<Pass, RefusalReason> {
    let Some(record) = record else {
        return match given {
            None => Ok(Pass::New),
            Some(given) => {
                Err(RefusalReason::RecordLost { given, why: lost.unwrap_or("it is not there").to_owned() })
            }
        };
    };
    let Record { holder, before, .. } = record;
    let own = holder.run == run;
    match given {
        Some(given) if own && holder.generation == given => Ok(Pass::Again(given)),
        Some(given) => match std::iter::once(holder).chain(before).find(|one| one.run != run) {
            Some(holder) => Err(RefusalReason::Intervened { holder: holder.clone(), given: Some(given) }),
            None => Err(RefusalReason::RecordLost { given, why: "it counts anew".into() }),
        },
        None if own => Ok(Pass::Again(holder.generation)),
        None if returning && before.iter().any(|one| one.run == run) => {
            Err(RefusalReason::Intervened { holder: holder.clone(), given: None })
        }
        None => Ok(Pass::New),
    }
}

fn options(made: bool) -> fs::OpenOptions {
    let mut options = File::options();
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.read(true).write(made).create(made).truncate(false).mode(0o600).custom_flags(nofollow);
    options
}

fn unable(path: &Path, error: &io::Error) -> RefusalReason {
    RefusalReason::Unavailable(format!("{}: {}", path.display(), reason(error)))
}

/// Returns the generation that is noted in the lock itself, should the record be lost; 0 if there is none.
fn counted(file: &File) -> u64 {
    let mut digits = [0; 20];
    let length = file.read_at(&mut digits, 0).unwrap_or_default();
    std::str::from_utf8(&digits[..length]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

fn count(file: &File, generation: u64) -> io::Result<()> {
    file.write_all_at(format!("{generation:019}\n").as_bytes(), 0)?;
    file.sync_all()
}

/// Returns the processes that have a file open, but this one, as far as they can be seen.
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
