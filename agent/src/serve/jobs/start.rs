//! Starts jobs: passes the order to a new process that outlives the agent.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoy_protocol::message::{Hello, JobAsk, JobOrder, Order};
use convoy_protocol::{Map, Outcome, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::input::{JobInput, collect_content};
use super::run::{BEGUN, WORD};
use crate::failure::Failure;
use crate::job::{self, JobDirectory, JobState};
use crate::modules;
use crate::os_error::reason;
use crate::serve::cache::Cache;
use crate::system::SystemView;

/// How long to wait for a process to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Exists if systemd is the init system: <https://www.freedesktop.org/software/systemd/man/latest/sd_booted.html>.
const BOOTED: &str = "/run/systemd/system";

/// Where systemd records users whose processes outlive their sessions.
const LINGER: &str = "/var/lib/systemd/linger";

/// A way to detach a process from the agent.
#[derive(Debug, Clone, PartialEq)]
enum Detachment {
    /// In a scope of the system's systemd, or of the user's.
    Scope { user: bool },
    /// In a session of its own.
    Session,
}

impl Detachment {
    /// Returns the ways to try on this node, the preferred way first.
    fn of(view: &SystemView) -> Vec<Self> {
        let name = view.user_by_id(view.uid()).map(|user| user.name).unwrap_or_default();
        // Without lingering, the user's systemd and all its processes end with the user's last session.
        let lingers = !name.is_empty() && Path::new(LINGER).join(name).exists();
        let is_booted = Path::new(BOOTED).is_dir();
        let scope = match view.uid() {
            _ if !is_booted => None,
            0 => Some(Self::Scope { user: false }),
            _ => Some(Self::Scope { user: true }).filter(|_| lingers),
        };
        scope.into_iter().chain([Self::Session]).collect()
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Scope { user: false } => "systemd-run --scope",
            Self::Scope { user: true } => "systemd-run --user --scope",
            Self::Session => "setsid",
        }
    }

    /// Describes it, with the name of the scope.
    fn description(&self, id: &str) -> String {
        match self {
            Self::Scope { .. } => format!("{} ({}.scope)", self.word(), unit(id)),
            Self::Session => self.word().to_owned(),
        }
    }

    fn command(&self, id: &str) -> io::Result<Command> {
        let Self::Scope { user } = self else { return Ok(Command::new("/proc/self/exe")) };
        let mut command = Command::new("systemd-run");
        command.args(user.then_some("--user")).args(["--scope", "--collect", "--quiet"]);
        command.arg(format!("--unit={}", unit(id))).arg("--").arg(own_program()?);
        Ok(command)
    }
}

fn unit(id: &str) -> String {
    format!("convoy-{id}")
}

/// Returns a path under which other processes can execute our own program.
fn own_program() -> io::Result<PathBuf> {
    let path = std::fs::read_link("/proc/self/exe")?;
    if path.exists() { Ok(path) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Describes how a job would be detached on this node.
pub(crate) fn plan(view: &SystemView) -> String {
    let ways: Vec<&str> = Detachment::of(view).iter().map(Detachment::word).collect();
    ways.join(", otherwise ")
}

/// The jobs of an agent.
pub(crate) struct Jobs {
    cache: Arc<Cache>,
    /// The run that they belong to.
    run: String,
    /// Who started the run, from where.
    by: String,
    /// Whether the run locks the node.
    is_locked: bool,
    /// The processes that were started. They may have ended since.
    processes: Vec<Child>,
}

impl Jobs {
    pub(crate) fn new(cache: Arc<Cache>) -> Self {
        Self { cache, run: String::new(), by: String::new(), is_locked: false, processes: Vec::new() }
    }

    /// Sets the run that they belong to.
    pub(crate) fn begin_run(&mut self, hello: &Hello) {
        self.run.clone_from(&hello.run);
        self.by.clone_from(&hello.by);
        self.is_locked = hello.claim.is_some();
    }

    /// Executes a request about a job.
    pub(crate) fn execute(
        &mut self,
        job: &JobOrder,
        order: &Order,
        view: &SystemView,
    ) -> Result<Outcome, Failure> {
        // Reap the processes that have ended.
        self.processes.retain_mut(|process| matches!(process.try_wait(), Ok(None)));
        match job.ask {
            JobAsk::Begin { limit_seconds, silent } => {
                self.begin(&job.id, order, limit_seconds, silent, view)
            }
            JobAsk::Follow { from } => job::follow(&job.id, from),
            JobAsk::Forget => job::forget(&job.id).map(|()| job::ran_outcome(Map::new())),
        }
    }

    fn begin(
        &mut self,
        id: &str,
        order: &Order,
        limit: u32,
        silent: bool,
        view: &SystemView,
    ) -> Result<Outcome, Failure> {
        let no_directory = |error: io::Error| {
            Failure::new(format!("cannot create a job directory on this node: {}", reason(&error)))
        };
        let directory = JobDirectory::of(&self.run, id).map_err(no_directory)?;
        let failed = |error: io::Error| Failure::new(directory.describe_error(&error));
        let detached = match wait_for_start(&directory).map_err(failed)? {
            JobState::Finished(result) => result.detached,
            JobState::Running(start) => start.detached,
            JobState::Absent | JobState::Starting => {
                let detached = self.input(id, order, limit, silent, view).and_then(|input| {
                    directory.make().map_err(no_directory)?;
                    self.detach(id, &directory, &input, view)
                });
                if detached.is_err() && matches!(directory.state(), Ok(JobState::Absent)) {
                    directory.remove().ok();
                    directory.tidy();
                }
                detached?
            }
        };
        let mut values = job::common_values(id, &directory, false);
        values.insert("detached".into(), detached.into());
        Ok(Outcome { status: Status::Changed, ..job::ran_outcome(values) })
    }

    /// Returns the input of the job's process, with the content that it cannot fetch itself.
    fn input(
        &self,
        id: &str,
        order: &Order,
        limit: u32,
        silent: bool,
        view: &SystemView,
    ) -> Result<File, Failure> {
        let unknown = || Failure::new(format!("this agent has no module '{}'", order.module));
        let module = modules::find(&order.module).ok_or_else(unknown)?;
        let contents = collect_content(order, module, &self.cache)?;
        let order = Order { job: None, deadline_seconds: Some(limit), ..order.clone() };
        let recorded = view.recorder().run();
        let lock = self.is_locked.then(|| (self.run.clone(), self.by.clone()));
        JobInput { id: id.to_owned(), order, limit, silent, lock, recorded, contents }.write(&self.cache)
    }

    /// Starts the process in the first way that works. Returns a description of that way.
    fn detach(
        &mut self,
        id: &str,
        directory: &JobDirectory,
        input: &File,
        view: &SystemView,
    ) -> Result<String, Failure> {
        let mut errors = Vec::new();
        for way in Detachment::of(view) {
            let description = way.description(id);
            match start(&way, id, directory, input) {
                Ok(process) => {
                    self.processes.push(process);
                    // Another process may have started the job first.
                    let start = directory.read_start().ok().flatten();
                    return Ok(start.map_or(description, |start| start.detached));
                }
                Err(error) => errors.push(format!("{description}: {error}")),
            }
        }
        Err(Failure::new(format!("cannot start a process for the job: {}", errors.join("; "))))
    }
}

/// Waits while a job is about to start.
fn wait_for_start(directory: &JobDirectory) -> io::Result<JobState> {
    let until = Instant::now() + PATIENCE;
    loop {
        match directory.state()? {
            JobState::Starting if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            state => return Ok(state),
        }
    }
}

/// Starts the process and waits until it has started the job.
fn start(way: &Detachment, id: &str, directory: &JobDirectory, input: &File) -> Result<Child, String> {
    let description = |error: io::Error| reason(&error);
    // Each attempt reads the input from its beginning.
    let input = File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(input)))
        .map_err(description)?;
    let mut command = way.command(id).map_err(description)?;
    command.arg(WORD).arg(directory.path()).arg(way.description(id));
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().map_err(description)?;
    let answer = process.stdout.take().map(|pipe| read_line(pipe.into())).unwrap_or_default();
    if answer.trim_ascii() == BEGUN.as_bytes() {
        return Ok(process);
    }
    process.kill().ok();
    process.wait().ok();
    let mut error = String::new();
    process.stderr.take().and_then(|mut pipe| pipe.read_to_string(&mut error).ok());
    let error = error.trim();
    Err(if error.is_empty() { "it did not start".to_owned() } else { error.to_owned() })
}

/// Reads until the end of the line or of the pipe, or until the time is over.
fn read_line(pipe: std::os::fd::OwnedFd) -> Vec<u8> {
    let mut pipe = File::from(pipe);
    let until = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    while !line.contains(&b'\n') {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
        let mut ready = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        match poll(&mut ready, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(1..) => {}
            _ => break,
        }
        match pipe.read(&mut buffer) {
            Ok(read @ 1..) => line.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    line
}
