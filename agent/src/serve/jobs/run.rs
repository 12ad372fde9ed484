//! The process of a job, which runs one order without a controller.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use convoy_protocol::message::Order;
use convoy_protocol::{Outcome, Status};
use rustix::fs::{FlockOperation, flock};
use rustix::process::getpid;

use super::input::JobInput;
use crate::changes::Recorder;
use crate::failure::Failure;
use crate::job::{JobDirectory, JobResult, JobStart, VARIABLE, uptime};
use crate::modules;
use crate::processes::kill_children;
use crate::serve::cache::Cache;
use crate::serve::deadline::GRACE;
use crate::serve::frame_writer::FrameWriter;
use crate::state::lock::Lock;
use crate::system::System;

/// The argument that makes our own program run a job.
pub(super) const WORD: &str = "--job";

/// What the process prints on standard output once it has started.
pub(super) const BEGUN: &str = "begun";

/// Runs the job that the arguments name. Returns `None` if they name none.
pub fn enter(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    words.next().filter(|word| word == WORD)?;
    let (directory, detached) = (words.next()?, words.next()?);
    let directory = JobDirectory::open(PathBuf::from(directory));
    Some(match run(&directory, detached.to_string_lossy().into_owned()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // The agent reads this if the job has not started; afterwards nobody does.
            writeln!(io::stderr(), "{why}").ok();
            ExitCode::FAILURE
        }
    })
}

fn run(directory: &JobDirectory, detached: String) -> Result<(), String> {
    let description = |error: io::Error| directory.describe_error(&error);
    // The process is the leader of its session already if systemd started it.
    rustix::process::setsid().ok();
    // Held until this process ends. The processes that it starts do not inherit it.
    let alive = directory.open_lock_file().map_err(description)?;
    flock(&alive, FlockOperation::LockShared).map_err(|error| description(error.into()))?;
    let nobody = Arc::new(FrameWriter::new(io::sink()));
    let cache = Arc::new(Cache::open(nobody).map_err(description)?);
    cache.close();
    let input = JobInput::read(io::stdin().lock(), &cache)?;
    // The agent holds the lock as well, until this process has started.
    let _lock = input.lock.as_ref().map(|(run, by)| Lock::of_job(run, by)).transpose()?;
    let begun = JobStart { pid: Some(getpid()), detached: detached.clone(), at: uptime() };
    if !directory.write_start(&begun).map_err(description)? {
        // Another process runs the job, or has run it.
        return report_start().map_err(description);
    }
    report_start().map_err(description)?;
    let left = |outcome, late| JobResult { outcome, late, silent: input.silent, detached: detached.clone() };
    enforce_limit(
        directory.clone(),
        input.limit,
        left(Outcome::from(Failure::new(String::new())), Some(input.limit)),
        &cache,
    );
    let (outcome, late) = input.perform(directory, &cache);
    write_result(directory, left(outcome, late));
    cache.clean();
    drop(alive);
    Ok(())
}

/// Reports the start to the agent, and detaches from its pipes.
fn report_start() -> io::Result<()> {
    writeln!(io::stdout(), "{BEGUN}")?;
    io::stdout().flush()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

impl JobInput {
    /// Runs the order. Returns its outcome, and the limit if the job exceeded that.
    fn perform(&self, directory: &JobDirectory, cache: &Arc<Cache>) -> (Outcome, Option<u32>) {
        let recorder = Recorder::default();
        recorder.begin(self.recorded.as_deref());
        let mut system = System::new(Box::new(cache.clone()), recorder);
        if !self.silent {
            let output = File::options().append(true).create(true).mode(0o600).open(directory.file("output"));
            // Without it nobody can follow the output; the outcome has all of it.
            system.set_output_log(output.ok());
        }
        let mut order = Order { job: None, ..self.order.clone() };
        order.environment.push((VARIABLE.to_owned(), self.id.clone()));
        system.begin(&order);
        let given_up = system.timed_out().msg;
        let mut outcome = modules::run(&order, true, &mut system).unwrap_or_else(Outcome::from);
        outcome.offer = None;
        let msg = outcome.values.get("msg").and_then(|msg| msg.as_str());
        let is_late = outcome.status == Status::Failed && msg == Some(&*given_up);
        (outcome, is_late.then_some(self.limit))
    }
}

/// Ends the job if its order is still running when the time is over.
fn enforce_limit(directory: JobDirectory, limit: u32, result: JobResult, cache: &Arc<Cache>) {
    let cache = cache.clone();
    let job = move || {
        thread::sleep(Duration::from_secs(limit.into()) + GRACE);
        kill_children(|_| false);
        write_result(&directory, result);
        cache.clean();
        exit(1);
    };
    // Without this thread, an order that hangs in the kernel hangs until someone kills the job.
    thread::Builder::new().name("limit".into()).spawn(job).ok();
}

/// Writes the outcome. If the disk is full, the output is removed first, then the optional parts of the outcome.
fn write_result(directory: &JobDirectory, mut result: JobResult) {
    let Err(error) = directory.write_result(&result) else { return };
    std::fs::remove_file(directory.file("output")).ok();
    if directory.write_result(&result).is_ok() {
        return;
    }
    let status = format!("{:?}", result.outcome.status);
    let why = format!("the result cannot be stored: {error}; its status was {status}");
    result.outcome = Outcome { millis: result.outcome.millis, ..Outcome::from(Failure::new(why)) };
    // If there is no space even for that, the job will be reported as killed.
    directory.write_result(&result).ok();
}
