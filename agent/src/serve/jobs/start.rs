//! Jobs begin: the order is handed to a process of its own that is not the agent's any more.

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

/// How long a process may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where systemd says that it runs: <https://www.freedesktop.org/software/systemd/man/latest/sd_booted.html>.
const BOOTED: &str = "/run/systemd/system";

/// Where systemd notes users whose processes outlive their sessions.
const LINGER: &str = "/var/lib/systemd/linger";

/// A way for a process not to be the agent's any more.
#[derive(Debug, Clone, PartialEq)]
enum Detachment {
    /// In a scope of its own of the machine's systemd, or of the user's.
    Scope { user: bool },
    /// In a session of its own.
    Session,
}

impl Detachment {
    /// Returns the ways to try on this node, the best first.
    fn of(view: &SystemView) -> Vec<Self> {
        let name = view.user_by_id(view.uid()).map(|user| user.name).unwrap_or_default();
        // Without that all of the user's own systemd ends with the last session.
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

    /// Says which it is, with the name of the scope.
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

/// Returns where our own program is, for others to start it.
fn own_program() -> io::Result<PathBuf> {
    let path = std::fs::read_link("/proc/self/exe")?;
    if path.exists() { Ok(path) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Says how a job would be detached on this node.
pub(crate) fn plan(view: &SystemView) -> String {
    let ways: Vec<&str> = Detachment::of(view).iter().map(Detachment::word).collect();
    ways.join(", or if that does not work ")
}

/// The jobs of an agent.
pub(crate) struct Jobs {
    cache: Arc<Cache>,
    /// The name of the run that they belong to.
    run: String,
    /// Who runs it, from where.
    by: String,
    /// Whether the node is locked for it.
    is_locked: bool,
    /// The processes that were started and may have ended since.
    processes: Vec<Child>,
}

impl Jobs {
    pub(crate) fn new(cache: Arc<Cache>) -> Self {
        Self { cache, run: String::new(), by: String::new(), is_locked: false, processes: Vec::new() }
    }

    /// Takes note of which run they belong to.
    pub(crate) fn begin_run(&mut self, hello: &Hello) {
        self.run.clone_from(&hello.run);
        self.by.clone_from(&hello.by);
        self.is_locked = hello.claim.is_some();
    }

    /// Does what is asked of a job, in earnest.
    pub(crate) fn ask(
        &mut self,
        job: &JobOrder,
        order: &Order,
        view: &SystemView,
    ) -> Result<Outcome, Failure> {
        // What has ended is no zombie any longer than that.
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
            Failure::new(format!("no directory for a job on this node: {}", reason(&error)))
        };
        let directory = JobDirectory::of(&self.run, id).map_err(no_directory)?;
        let trouble = |error: io::Error| Failure::new(directory.describe_error(&error));
        let detached = match settled(&directory).map_err(trouble)? {
            JobState::Finished(left) => left.detached,
            JobState::Running(begun) => begun.detached,
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

    /// Writes down what the process is told, with the content that it cannot fetch.
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

    /// Starts the process, in the best way that works; returns which it was.
    fn detach(
        &mut self,
        id: &str,
        directory: &JobDirectory,
        input: &File,
        view: &SystemView,
    ) -> Result<String, Failure> {
        let mut why = Vec::new();
        for way in Detachment::of(view) {
            let description = way.description(id);
            match start(&way, id, directory, input) {
                Ok(process) => {
                    self.processes.push(process);
                    // Another may have been faster.
                    let begun = directory.read_start().ok().flatten();
                    return Ok(begun.map_or(description, |begun| begun.detached));
                }
                Err(error) => why.push(format!("{description}: {error}")),
            }
        }
        Err(Failure::new(format!("cannot start a process for the job: {}", why.join("; "))))
    }
}

/// Waits as long as a job is about to begin.
fn settled(directory: &JobDirectory) -> io::Result<JobState> {
    let until = Instant::now() + PATIENCE;
    loop {
        match directory.state()? {
            JobState::Starting if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            state => return Ok(state),
        }
    }
}

/// Starts the process and waits until it has begun.
fn start(way: &Detachment, id: &str, directory: &JobDirectory, input: &File) -> Result<Child, String> {
    let description = |error: io::Error| reason(&error);
    // Each process reads from the beginning.
    let input = File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(input)))
        .map_err(description)?;
    let mut command = way.command(id).map_err(description)?;
    command.arg(WORD).arg(directory.path()).arg(way.description(id));
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().map_err(description)?;
    let said = process.stdout.take().map(|pipe| line(pipe.into())).unwrap_or_default();
    if said.trim_ascii() == BEGUN.as_bytes() {
        return Ok(process);
    }
    process.kill().ok();
    process.wait().ok();
    let mut complaint = String::new();
    process.stderr.take().and_then(|mut pipe| pipe.read_to_string(&mut complaint).ok());
    let complaint = complaint.trim();
    Err(if complaint.is_empty() { "it did not begin".to_owned() } else { complaint.to_owned() })
}

/// Reads up to the end of a line, of the pipe, or of our patience.
fn line(pipe: std::os::fd::OwnedFd) -> Vec<u8> {
    let mut pipe = File::from(pipe);
    let until = Instant::now() + PATIENCE;
    let mut said = Vec::new();
    let mut buffer = [0; 256];
    while !said.contains(&b'\n') {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
        let mut ready = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        match poll(&mut ready, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(1..) => {}
            _ => break,
        }
        match pipe.read(&mut buffer) {
            Ok(read @ 1..) => said.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    said
}
