//! The directory of a job: what it holds, and how it is read and written.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use convoy_protocol::frame;
use convoy_protocol::{Outcome, Status, map};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::os_error::reason;
use crate::outputs;
use crate::processes::kill_session;
use crate::state;

/// The files of a finished job that nobody removed are removed after this time.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// The environment variable with the job's ID, which marks the processes that belong to the job.
pub(crate) const VARIABLE: &str = "CONVOY_JOB";

/// The directory of one job.
#[derive(Debug, Clone)]
pub(crate) struct JobDirectory(PathBuf);

/// How a job started.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JobStart {
    /// The job's process, which is the leader of its session.
    pub(crate) pid: Option<Pid>,
    /// How it was detached from the agent.
    pub(crate) detached: String,
    /// The start time in seconds since boot. Unlike the time of day, this never jumps.
    pub(crate) at: f64,
}

/// The result of a finished job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobResult {
    /// The outcome of its order.
    pub(crate) outcome: Outcome,
    /// The limit in seconds, if the job was given up because it exceeded that.
    pub(crate) late: Option<u32>,
    /// Whether it was given secrets, which its outcome may quote.
    pub(crate) silent: bool,
    /// How it was detached from the agent.
    pub(crate) detached: String,
}

/// The state of a job.
#[derive(Debug)]
pub(crate) enum JobState {
    /// It never started, and no process is about to start it.
    Absent,
    /// It is about to start.
    Starting,
    /// It is in progress.
    Running(JobStart),
    /// It has finished.
    Finished(Box<JobResult>),
}

impl JobDirectory {
    /// Returns the directory of a job of this run. Creates the directory of the run.
    pub(crate) fn of(run: &str, id: &str) -> io::Result<Self> {
        if !state::is_name(id) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{id}' is not a valid job ID")));
        }
        Ok(Self(state::run_directory(run)?.join("jobs").join(id)))
    }

    /// Finds the directory of a job of any run.
    pub(crate) fn find(id: &str) -> Option<Self> {
        all().find(|directory| directory.0.file_name().is_some_and(|name| name == id))
    }

    pub(crate) fn open(path: PathBuf) -> Self {
        Self(path)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of its outcome file.
    pub(crate) fn results_file(&self) -> String {
        self.file("outcome").display().to_string()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn make(&self) -> io::Result<()> {
        let above = self.0.parent().unwrap_or(Path::new("/"));
        // Whoever removes the last job of a run removes the parent directories, too.
        for _ in 0..10 {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(above)?;
            match fs::DirBuilder::new().mode(0o700).create(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => break,
                other => return other,
            }
        }
        Ok(())
    }

    /// Opens the file that the job holds locked while it lives.
    pub(crate) fn open_lock_file(&self) -> io::Result<File> {
        File::options().write(true).create(true).truncate(false).mode(0o600).open(self.file("alive"))
    }

    /// Removes the job's files, and the directories of its run that are empty then.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.0)?;
        self.tidy();
        Ok(())
    }

    /// Removes the directories of its run that are empty.
    pub(crate) fn tidy(&self) {
        for above in self.0.ancestors().skip(1).take(2) {
            if fs::remove_dir(above).is_err() {
                break;
            }
        }
    }

    /// Returns the state of the job. If the job was killed, ends its remaining processes and writes its outcome.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub(crate) fn state(&self) -> io::Result<JobState> {
        if let Some(result) = self.read_result()? {
            return Ok(JobState::Finished(Box::new(result)));
        }
        let lock_file = match self.open_lock_file() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(JobState::Absent),
            other => other?,
        };
        let is_dead = flock(&lock_file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let start = self.read_start()?;
        // It may have finished in the meantime.
        if let Some(result) = self.read_result()? {
            return Ok(JobState::Finished(Box::new(result)));
        }
        match (start, is_dead) {
            (Some(start), false) => Ok(JobState::Running(start)),
            (None, false) => Ok(JobState::Starting),
            (None, true) => Ok(JobState::Absent),
            (Some(start), true) => {
                self.finish_dead_job(&start).map(|result| JobState::Finished(Box::new(result)))
            }
        }
    }

    pub(crate) fn read_start(&self) -> io::Result<Option<JobStart>> {
        let Some(text) = if_exists(fs::read_to_string(self.file("begun")))? else { return Ok(None) };
        let mut lines = text.lines();
        let pid = lines.next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        let at = lines.next().and_then(|at| at.parse().ok()).unwrap_or_default();
        Ok(Some(JobStart { pid, at, detached: lines.next().unwrap_or_default().to_owned() }))
    }

    /// Records that this process starts the job. Returns false if another process started it before.
    pub(crate) fn write_start(&self, start: &JobStart) -> io::Result<bool> {
        let pid = start.pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        let text = format!("{pid}\n{}\n{}\n", start.at, start.detached);
        let mut file = match File::options().write(true).create_new(true).mode(0o600).open(self.file("begun"))
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            other => other?,
        };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        File::open(&self.0)?.sync_all()?;
        Ok(true)
    }

    fn read_result(&self) -> io::Result<Option<JobResult>> {
        let Some(mut file) = if_exists(File::open(self.file("outcome")))? else { return Ok(None) };
        let result = frame::read(&mut file).map_err(io::Error::other)?;
        result.map(Some).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Writes the outcome. It is complete and on disk before anyone can see it.
    pub(crate) fn write_result(&self, result: &JobResult) -> io::Result<()> {
        let fresh = self.file(".outcome");
        let bytes = frame::encode(result).map_err(io::Error::other)?;
        if_exists(fs::remove_file(&fresh))?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, self.file("outcome"))?;
        File::open(&self.0)?.sync_all()
    }

    /// Ends the remaining processes of a job that was killed, and writes its outcome.
    fn finish_dead_job(&self, start: &JobStart) -> io::Result<JobResult> {
        let id = self.0.file_name().unwrap_or_default().to_string_lossy();
        if let Some(session) = start.pid {
            kill_session(session, &format!("{VARIABLE}={id}"));
        }
        let (printed, _) = self.output(0)?;
        let msg = format!(
            "the job {id} ended without a result: it was killed, or the node went down; how far it came is unknown"
        );
        let mut values = outputs::values(&printed, "");
        values.extend(map! { "msg" => msg, "lost" => true });
        let outcome = Outcome { status: Status::Failed, values, diff: Vec::new(), offer: None, millis: 0 };
        let result = JobResult { outcome, late: None, silent: false, detached: start.detached.clone() };
        self.write_result(&result)?;
        Ok(result)
    }

    /// Returns what was printed from byte `from` on, or only the end of it if it is long; and where it ends.
    pub(crate) fn output(&self, from: u64) -> io::Result<(String, u64)> {
        const MOST: u64 = 64 * 1024;
        let Some(mut file) = if_exists(File::open(self.file("output")))? else {
            return Ok((String::new(), from));
        };
        let end = file.metadata()?.size();
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(MOST)).min(end)))?;
        let mut bytes = Vec::new();
        let read = file.take(MOST).read_to_end(&mut bytes)? as u64;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok((text, from.max(end.saturating_sub(MOST)).min(end) + read))
    }

    /// Returns a text that changes whenever something is printed.
    pub(crate) fn output_fingerprint(&self) -> String {
        let meta = fs::metadata(self.file("output"));
        meta.map_or_else(
            |_| String::new(),
            |meta| format!("{} {}.{}", meta.size(), meta.mtime(), meta.mtime_nsec()),
        )
    }

    /// Returns the message for an error in reading or writing the directory.
    pub(crate) fn describe_error(&self, error: &io::Error) -> String {
        format!("cannot access the job directory {}: {}", self.0.display(), reason(error))
    }
}

fn if_exists<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Returns the directories of all jobs of this user.
fn all() -> impl Iterator<Item = JobDirectory> {
    let inside = |directory: PathBuf| {
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    let runs = state::existing().flat_map(move |state| inside(state.join("runs")));
    runs.flat_map(move |run| inside(run.join("jobs"))).map(JobDirectory::open)
}

/// Removes the files of jobs that finished long ago.
pub(crate) fn prune() {
    for directory in all() {
        let newest =
            ["outcome", "begun", "alive"].iter().find_map(|name| fs::metadata(directory.file(name)).ok());
        let changed = newest.and_then(|meta| meta.modified().ok());
        let age = changed.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        if age > KEEP && matches!(directory.state(), Ok(JobState::Finished(_) | JobState::Absent)) {
            directory.remove().ok();
        }
    }
}

/// Returns the time since boot in seconds.
pub(crate) fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}
