//! Answers to questions about a job.

use std::io;

use convoy_protocol::{Key, Map, Outcome, Status, Taint, Value, map};

use super::directory::{JobDirectory, JobResult, JobState, uptime};
use crate::failure::Failure;
use crate::outputs;

/// The state of a job, as `async_status` returns it.
#[derive(Debug)]
pub(crate) enum JobStatus {
    /// It is in progress.
    Running(Map),
    /// It has finished.
    Finished(Outcome),
}

/// Returns the failure for a job that does not exist, in Ansible's wording.
fn unknown(id: &str) -> Failure {
    Failure::new("could not find job").with("ansible_job_id", id).with("started", 1).with("finished", 1)
}

fn unreadable(id: &str, error: &io::Error) -> Failure {
    Failure::new(format!("Could not parse job output: {}", crate::os_error::reason(error)))
        .with("ansible_job_id", id)
        .with("started", 1)
        .with("finished", 1)
}

/// Returns the values that all answers about a job have, with Ansible's names.
pub(crate) fn common_values(id: &str, directory: &JobDirectory, finished: bool) -> Map {
    map! {
        "started" => 1,
        "finished" => i64::from(finished),
        "ansible_job_id" => id,
        "results_file" => directory.results_file(),
    }
}

/// Answers a controller that follows a job. `_job` has the job's state and what it printed from byte `from` on. Beside it is
/// the outcome of the job's order, once there is one.
pub(crate) fn follow(id: &str, from: u64) -> Result<Outcome, Failure> {
    let failed = |error: io::Error| unreadable(id, &error);
    let directory = JobDirectory::find(id).ok_or_else(|| unknown(id))?;
    // The state is read before the output, so that the output of a finished job is complete.
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
        JobState::Running(start) => {
            news.insert("seconds".into(), ((uptime() - start.at).max(0.0) as i64).into());
            news.insert("detached".into(), start.detached.into());
            ran_outcome(Map::new())
        }
        JobState::Finished(result) => {
            news.insert("detached".into(), result.detached.as_str().into());
            let late = result
                .late
                .map(|limit| format!("async task did not complete within the requested time - {limit}s"));
            with_message(result.outcome, late)
        }
    };
    outcome.values.insert("_job".into(), news.into());
    Ok(outcome)
}

/// Returns the state of a job, as `async_status` does.
///
/// # Errors
/// Fails if there is no such job, or if its files cannot be read.
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
        JobState::Finished(result) => {
            let late = result.late.map(|_| "Timeout exceeded".to_owned());
            let result = JobResult { outcome: with_message(result.outcome, late), ..*result };
            let told = if result.silent {
                with_secrets_marked(result.outcome.values)
            } else {
                result.outcome.values
            };
            values.extend(told);
            Ok(JobStatus::Finished(Outcome { values, ..result.outcome }))
        }
    }
}

/// Returns the path of a job's outcome if the job's files can be removed.
///
/// # Errors
/// Fails if there is no such job, or if it is in progress.
pub(crate) fn removable(id: &str) -> Result<String, Failure> {
    let directory = JobDirectory::find(id).ok_or_else(|| unknown(id))?;
    // Unreadable files can be removed, too.
    if let Ok(JobState::Starting | JobState::Running(_)) = directory.state() {
        let msg = "the job is in progress: its files can be removed when it has finished";
        return Err(Failure { msg: msg.to_owned(), values: common_values(id, &directory, false) });
    }
    Ok(directory.results_file())
}

/// Removes the files of a job, if there are any.
///
/// # Errors
/// Fails if they cannot be removed.
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

/// Marks the values of a job that was given secrets as secret.
fn with_secrets_marked(values: Map) -> Map {
    let secret = |(key, value): (Key, Value)| {
        let tells = value.as_str().is_none() && value.as_list().is_none() && value.as_map().is_none();
        (key, if tells { value } else { value.tainted(Taint::SECRET) })
    };
    values.into_iter().map(secret).collect()
}
