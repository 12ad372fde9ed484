//! Running processes: each in its own process group, with its outputs collected, and killed when the order times out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use convoy_protocol::Map;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::output_log::OutputLog;
use super::{System, SystemView};
use crate::failure::Failure;
use crate::os_error::reason;
use crate::outputs;

/// How often to poll a process if the kernel cannot signal its end.
const TICK: Duration = Duration::from_millis(20);

/// A process to run.
#[derive(Debug, Clone, Default)]
pub struct Process {
    argv: Vec<OsString>,
    directory: Option<PathBuf>,
    stdin: Vec<u8>,
    environment: BTreeMap<String, String>,
}

impl Process {
    /// Makes a process from a program and its arguments.
    pub fn new<T: Into<OsString>>(argv: impl IntoIterator<Item = T>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: Option<PathBuf>) -> Self {
        self.directory = directory;
        self
    }

    /// Sets the standard input, which is empty by default.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = bytes;
        self
    }

    /// Sets an environment variable; it overrides the order's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }
}

/// The output of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; if a signal killed the process, the negated number of the signal.
    pub rc: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Returns standard output as text, without trailing line ends.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches(['\n', '\r']).to_owned()
    }

    /// Returns standard error as text, without trailing line ends.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end_matches(['\n', '\r']).to_owned()
    }

    /// Returns the error message of a process: its standard error or, if that is blank, its standard output.
    pub fn error_output(&self) -> String {
        let error = self.stderr_text();
        if error.trim().is_empty() { self.stdout_text() } else { error }
    }

    /// Returns the outputs that are not empty as return values.
    pub fn nonempty_values(&self) -> Map {
        let mut values = outputs::values(&self.stdout_text(), &self.stderr_text());
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if bytes.is_empty() {
                values.shift_remove(name);
                values.shift_remove(format!("{name}_lines").as_str());
            }
        }
        values
    }

    /// Returns the failure of a process that exited with an error.
    pub fn failure(&self, msg: impl Into<String>) -> Failure {
        Failure { msg: msg.into(), values: outputs::values(&self.stdout_text(), &self.stderr_text()) }
            .with("rc", self.rc)
    }
}

/// Why a process did not run to its end.
#[derive(Debug)]
pub enum ProcessError {
    /// It could not be started.
    Start(io::Error),
    /// The order timed out; the process and its process group were killed.
    TimedOut,
    /// Reading or writing a pipe failed.
    Pipe(io::Error),
}

impl System {
    /// Runs a process to its end.
    ///
    /// # Errors
    /// If it cannot be started or exceeds the order's deadline.
    pub fn run(&mut self, process: &Process) -> Result<Output, Failure> {
        // The process may add users.
        self.forget_users();
        self.describe_failure(process, self.spawn_and_wait(process, self.output_log.as_ref()))
    }

    /// Runs a process to its end, and fails with its error message if it exits with an error.
    ///
    /// # Errors
    /// If it cannot be started, exceeds the order's deadline, or exits with an error.
    pub fn run_checked(&mut self, process: &Process) -> Result<Output, Failure> {
        let output = self.run(process)?;
        if output.rc == 0 { Ok(output) } else { Err(output.failure(output.error_output())) }
    }

    /// Runs a process to its end, with a typed error.
    ///
    /// # Errors
    /// See [`ProcessError`].
    pub fn try_run(&mut self, process: &Process) -> Result<Output, ProcessError> {
        self.forget_users();
        self.spawn_and_wait(process, self.output_log.as_ref())
    }
}

impl SystemView {
    /// Runs a process that only queries the node; this is all that `check` may run.
    ///
    /// # Errors
    /// If it cannot be started or exceeds the order's deadline.
    pub(crate) fn query(&self, process: &Process) -> Result<Output, Failure> {
        self.describe_failure(process, self.spawn_and_wait(process, None))
    }

    fn describe_failure(
        &self,
        process: &Process,
        result: Result<Output, ProcessError>,
    ) -> Result<Output, Failure> {
        let name = process.argv.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        result.map_err(|error| match error {
            ProcessError::TimedOut => self.timed_out(),
            ProcessError::Start(error) => Failure::new(format!("cannot run {name}: {}", reason(&error))),
            ProcessError::Pipe(error) => {
                Failure::new(format!("cannot communicate with {name}: {}", reason(&error)))
            }
        })
    }

    /// Runs a process to its end. Its output is also written to `output_log`.
    ///
    /// # Errors
    /// See [`ProcessError`].
    fn spawn_and_wait(
        &self,
        process: &Process,
        output_log: Option<&OutputLog>,
    ) -> Result<Output, ProcessError> {
        let Some((program, rest)) = process.argv.split_first() else {
            return Err(ProcessError::Start(io::Error::from(io::ErrorKind::NotFound)));
        };
        let mut command = Command::new(program);
        command
            .args(rest)
            .envs(self.added_environment().iter().map(|(k, v)| (k, v)))
            .envs(&process.environment)
            .stdin(if process.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(directory) = &process.directory {
            command.current_dir(directory);
        }
        let mut child = command.spawn().map_err(ProcessError::Start)?;
        let result = collect(&mut child, &process.stdin, self.deadline(), output_log);
        if result.is_err() {
            kill_group(&mut child);
        }
        result
    }
}

fn kill_group(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // The group may just have ended.
        kill_process_group(pid, Signal::KILL).ok();
    }
    child.wait().ok();
}

/// An output of a process that is being read.
struct Drain {
    file: Option<File>,
    bytes: Vec<u8>,
}

impl Drain {
    fn new(fd: Option<impl Into<OwnedFd>>) -> io::Result<Self> {
        let fd = fd.map(Into::into);
        fd.as_ref().map_or(Ok(()), set_nonblocking)?;
        Ok(Self { file: fd.map(File::from), bytes: Vec::new() })
    }

    /// Reads available output; returns whether there was any.
    fn read(&mut self, output_log: Option<&OutputLog>) -> io::Result<bool> {
        let Some(file) = &mut self.file else { return Ok(false) };
        let mut buffer = [0; 64 * 1024];
        match file.read(&mut buffer) {
            Ok(0) => self.file = None,
            Ok(n) => {
                self.bytes.extend_from_slice(&buffer[..n]);
                output_log.into_iter().for_each(|output_log| output_log.add(&buffer[..n]));
                return Ok(true);
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(e),
        }
        Ok(false)
    }
}

fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    Ok(fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?)
}

fn feed_input(input: &mut Option<File>, rest: &mut &[u8]) {
    let Some(file) = input else { return };
    match file.write(rest) {
        Ok(n) => *rest = &rest[n..],
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
        // The process does not read its input, which is not an error.
        Err(_) => *rest = &[],
    }
    if rest.is_empty() {
        *input = None;
    }
}

fn collect(
    child: &mut Child,
    mut input: &[u8],
    deadline: Option<Instant>,
    output_log: Option<&OutputLog>,
) -> Result<Output, ProcessError> {
    let stdin = child.stdin.take().map(OwnedFd::from);
    stdin.as_ref().map_or(Ok(()), set_nonblocking).map_err(ProcessError::Pipe)?;
    let mut stdin = stdin.map(File::from);
    let mut stdout = Drain::new(child.stdout.take()).map_err(ProcessError::Pipe)?;
    let mut stderr = Drain::new(child.stderr.take()).map_err(ProcessError::Pipe)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ends = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    loop {
        feed_input(&mut stdin, &mut input);
        let got = stdout.read(output_log).map_err(ProcessError::Pipe)?
            | stderr.read(output_log).map_err(ProcessError::Pipe)?;
        if got {
            continue;
        }
        // Another process that outlives this one may keep the pipes open: only output that is available now counts.
        if let Some(status) = child.try_wait().map_err(ProcessError::Pipe)? {
            while stdout.read(output_log).map_err(ProcessError::Pipe)?
                | stderr.read(output_log).map_err(ProcessError::Pipe)?
            {}
            let rc = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
            return Ok(Output { rc, stdout: stdout.bytes, stderr: stderr.bytes });
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ProcessError::TimedOut);
        }
        let wait = if ends.is_some() { left } else { Some(left.map_or(TICK, |left| left.min(TICK))) };
        wait_for_any(&stdin, &[&stdout, &stderr], ends.as_ref(), wait).map_err(ProcessError::Pipe)?;
    }
}

fn wait_for_any(
    stdin: &Option<File>,
    outputs: &[&Drain],
    ends: Option<&OwnedFd>,
    wait: Option<Duration>,
) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
    fds.extend(stdin.iter().map(|file| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::OUT)));
    fds.extend(
        outputs
            .iter()
            .filter_map(|d| d.file.as_ref())
            .map(|f| PollFd::from_borrowed_fd(f.as_fd(), PollFlags::IN)),
    );
    fds.extend(ends.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
    let timeout = wait.and_then(|wait| Timespec::try_from(wait).ok());
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
