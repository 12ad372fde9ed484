//! What is told of a job.

use std::io;

use convoy_protocol::{Key, Map, Outcome, Status, Taint, Value, map};

use super::directory::{JobDirectory, JobResult, JobState, uptime};
use crate::failure::Failure;
use crate::outputs;

/// What `async_status` says of a job.
#[derive(Debug)]
pub(crate) enum JobStatus {
    /// It has not ended.
    Running(Map),
    /// It has.
    Finished(Outcome),
}

/// The failure of who asks for a job that is not there, in Ansible's words.
fn unknown(id: &str) -> Failure {
    Failure::new("could not find job").with("ansible_job_id", id).with("started", 1).with("finished", 1)
}

fn unreadable(id: &str, error: &io::Error) -> Failure {
    Failure::new(format!("Could not parse job output: {}", crate::os_error::reason(error)))
        .with("ansible_job_id", id)
        .with("started", 1)
        .with("finished", 1)
}

/// What is common to all answers about a job, under Ansible's names.
pub(crate) fn common_values(id: &str, directory: &JobDirectory, finished: bool) -> Map {
    map! {
        "started" => 1,
        "finished" => i64::from(finished),
        "ansible_job_id" => id,
        "results_file" => directory.results_file(),
    }
}

/// Answers who follows a job: in `_job` how things stand and what was printed from a byte on, and beside it the outcome of
/// its order once that is there.
pub(crate) fn follow(id: &str, from: u64) -> Result<Outcome, Failure> {
    let failed = |error: io::Error| unreadable(id, &error);
    let directory = JobDirectory::find(id).ok_or_else(|| unknown(id))?;
    // Asked before what was printed is read: of a job that has ended that is whole.
    let state = directory.state().map_err(failed)?;
    let (output, next) = directory.output(from).map_err(failed)?;
    let mut news = common_values(id, &directory, matches!(state, JobState::Finished(_)));
    news.extend(map! {
        "output" => output,
        "next" => i64::try_from(next).unwrap_or(i64::MAX),
        "pulse" => directory.output_fingerprint(),
    });
    let mut outcome = match state {
        JobState::Absent => return Err(unknown(id)),
        JobState::Starting => ran_outcome(Map::new()),
        JobState::Running(read_start) => {
            news.insert("seconds".into(), ((uptime() - read_start.at).max(0.0) as i64).into());
            news.insert("detached".into(), read_start.detached.into());
            ran_outcome(Map::new())
        }
        JobState::Finished(read_result) => {
            news.insert("detached".into(), read_result.detached.as_str().into());
            let late = read_result
                .late
                .map(|limit| format!("async task did not complete within the requested time - {limit}s"));
            with_message(read_result.outcome, late)
        }
    };
    outcome.values.insert("_job".into(), news.into());
    Ok(outcome)
}

/// Says how things stand with a job, as `async_status` does.
///
/// # Errors
/// If there is no such job, or what is kept of it cannot be read.
pub(crate) fn status(id: &str) -> Result<JobStatus, Failure> {
    let failed = |error: io::Error| unreadable(id, &error);
    let directory = JobDirectory::find(id).ok_or_else(|| unknown(id))?;
    let state = directory.state().map_err(failed)?;
    let is_over = matches!(state, JobState::Finished(_));
    let mut values = outputs::values("", "");
    values.extend(common_values(id, &directory, is_over));
    match state {
        JobState::Absent => Err(unknown(id)),
        JobState::Starting | JobState::Running(_) => Ok(JobStatus::Running(values)),
        JobState::Finished(read_result) => {
            let late = read_result.late.map(|_| "Timeout exceeded".to_owned());
            let read_result = JobResult { outcome: with_message(read_result.outcome, late), ..*read_result };
            let told = if read_result.silent {
                with_secrets_marked(read_result.outcome.values)
            } else {
                read_result.outcome.values
            };
            values.extend(told);
            Ok(JobStatus::Finished(Outcome { values, ..read_result.outcome }))
        }
    }
}

/// Returns where the outcome is of a job of which what is kept can be removed.
///
/// # Errors
/// If there is no such job, or it is at work.
pub(crate) fn removable(id: &str) -> Result<String, Failure> {
    let directory = JobDirectory::find(id).ok_or_else(|| unknown(id))?;
    // What cannot be read can be removed all the same.
    if let Ok(JobState::Starting | JobState::Running(_)) = directory.state() {
        let msg = "the job is at work: what is kept of it can be removed when it has ended";
        return Err(Failure { msg: msg.to_owned(), values: common_values(id, &directory, false) });
    }
    Ok(directory.results_file())
}

/// Removes what is kept of a job; nothing if that is gone already.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn forget(id: &str) -> Result<(), Failure> {
    let removed = JobDirectory::find(id)
        .map(|directory| directory.remove().map_err(|error| Failure::new(directory.describe_error(&error))));
    removed.unwrap_or(Ok(()))
}

pub(crate) fn ran_outcome(values: Map) -> Outcome {
    Outcome { status: Status::Ran, values, diff: Vec::new(), offer: None, millis: 0 }
}

fn with_message(mut outcome: Outcome, msg: Option<String>) -> Outcome {
    outcome.values.extend(msg.map(|msg| (Key::from("msg"), Value::from(msg))));
    outcome
}

/// Marks as secret what a job answered that was given secrets.
fn with_secrets_marked(values: Map) -> Map {
    let secret = |(key, value): (Key, Value)| {
        let tells = value.as_str().is_none() && value.as_list().is_none() && value.as_map().is_none();
        (key, if tells { value } else { value.tainted(Taint::SECRET) })
    };
    values.into_iter().map(secret).collect()
}
