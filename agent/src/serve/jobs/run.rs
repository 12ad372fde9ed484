//! The process of a job: does one order, whoever listens.

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

/// What tells our own program to do a job.
pub(super) const WORD: &str = "--job";

/// What the process says on standard output once it has begun.
pub(super) const BEGUN: &str = "begun";

/// Does the job that the words name. `None` if they name none.
pub fn enter(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    words.next().filter(|word| word == WORD)?;
    let (directory, detached) = (words.next()?, words.next()?);
    let directory = JobDirectory::open(PathBuf::from(directory));
    Some(match run(&directory, detached.to_string_lossy().into_owned()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Before it has begun the agent hears of it; afterwards nobody does.
            writeln!(io::stderr(), "{why}").ok();
            ExitCode::FAILURE
        }
    })
}

fn run(directory: &JobDirectory, detached: String) -> Result<(), String> {
    let description = |error: io::Error| directory.describe_error(&error);
    // It is the first of its session already where the agent was started so.
    rustix::process::setsid().ok();
    // Held to the end of this process, and by no other: what it starts does not inherit it.
    let alive = directory.open_lock_file().map_err(description)?;
    flock(&alive, FlockOperation::LockShared).map_err(|error| description(error.into()))?;
    let nobody = Arc::new(FrameWriter::new(io::sink()));
    let cache = Arc::new(Cache::open(nobody).map_err(description)?);
    cache.close();
    let input = JobInput::read(io::stdin().lock(), &cache)?;
    // The agent holds it as well, until this has begun.
    let _lock = input.lock.as_ref().map(|(run, by)| Lock::of_job(run, by)).transpose()?;
    let begun = JobStart { pid: Some(getpid()), detached: detached.clone(), at: uptime() };
    if !directory.write_start(&begun).map_err(description)? {
        // Another process does it, or has.
        return say_so().map_err(description);
    }
    say_so().map_err(description)?;
    let left = |outcome, late| JobResult { outcome, late, silent: input.silent, detached: detached.clone() };
    watch(
        directory.clone(),
        input.limit,
        left(Outcome::from(Failure::new(String::new())), Some(input.limit)),
        &cache,
    );
    let (outcome, late) = input.perform(directory, &cache);
    leave(directory, left(outcome, late));
    cache.clean();
    drop(alive);
    Ok(())
}

/// Tells the agent, and lets go of it.
fn say_so() -> io::Result<()> {
    writeln!(io::stdout(), "{BEGUN}")?;
    io::stdout().flush()?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

impl JobInput {
    /// Does the order; says whether it was given up since its time was over.
    fn perform(&self, directory: &JobDirectory, cache: &Arc<Cache>) -> (Outcome, Option<u32>) {
        let recorder = Recorder::default();
        recorder.begin(self.recorded.as_deref());
        let mut system = System::new(Box::new(cache.clone()), recorder);
        if !self.silent {
            let output = File::options().append(true).create(true).mode(0o600).open(directory.file("output"));
            // Without it nobody sees how far it is; its outcome holds what it printed all the same.
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

/// Ends the job if its order does not when its time is over.
fn watch(directory: JobDirectory, limit: u32, left: JobResult, cache: &Arc<Cache>) {
    let cache = cache.clone();
    let job = move || {
        thread::sleep(Duration::from_secs(limit.into()) + GRACE);
        kill_children(|_| false);
        leave(&directory, left);
        cache.clean();
        exit(1);
    };
    // Without it, an order that hangs in the kernel does so until someone kills the job.
    thread::Builder::new().name("watch".into()).spawn(job).ok();
}

/// Leaves the outcome. Where the disk is full, what was printed goes first, then what is not needed of the outcome.
fn leave(directory: &JobDirectory, mut left: JobResult) {
    let Err(error) = directory.write_result(&left) else { return };
    std::fs::remove_file(directory.file("output")).ok();
    if directory.write_result(&left).is_ok() {
        return;
    }
    let status = format!("{:?}", left.outcome.status);
    let why = format!("the result cannot be kept: {error}; without that it would have been {status}");
    left.outcome = Outcome { millis: left.outcome.millis, ..Outcome::from(Failure::new(why)) };
    // If there is no room even for that, the job is found dead.
    directory.write_result(&left).ok();
}
