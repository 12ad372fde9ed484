//! What is told of a job.

use std::io;

use convoy_protocol::{Key, Map, Outcome, Status, Taint, Value, map};

use super::directory::{Directory, Left, State, uptime};
use crate::failure::Failure;
use crate::outputs;

/// What `async_status` says of a job.
#[derive(Debug)]
pub(crate) enum Told {
    /// It has not ended.
    Working(Map),
    /// It has.
    Over(Outcome),
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
pub(crate) fn heading(id: &str, directory: &Directory, finished: bool) -> Map {
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
    let directory = Directory::find(id).ok_or_else(|| unknown(id))?;
    // Asked before what was printed is read: of a job that has ended that is whole.
    let state = directory.state().map_err(failed)?;
    let (output, next) = directory.output(from).map_err(failed)?;
    let mut news = heading(id, &directory, matches!(state, State::Over(_)));
    news.extend(map! {
        "output" => output,
        "next" => i64::try_from(next).unwrap_or(i64::MAX),
        "pulse" => directory.pulse(),
    });
    let mut outcome = match state {
        State::Nothing => return Err(unknown(id)),
        State::Beginning => ran(Map::new()),
        State::Working(begun) => {
            news.insert("seconds".into(), ((uptime() - begun.at).max(0.0) as i64).into());
            news.insert("detached".into(), begun.detached.into());
            ran(Map::new())
        }
        State::Over(left) => {
            news.insert("detached".into(), left.detached.as_str().into());
            let late = left
                .late
                .map(|limit| format!("async task did not complete within the requested time - {limit}s"));
            with_message(left.outcome, late)
        }
    };
    outcome.values.insert("_job".into(), news.into());
    Ok(outcome)
}

/// Says how things stand with a job, as `async_status` does.
///
/// # Errors
/// If there is no such job, or what is kept of it cannot be read.
pub(crate) fn status(id: &str) -> Result<Told, Failure> {
    let failed = |error: io::Error| unreadable(id, &error);
    let directory = Directory::find(id).ok_or_else(|| unknown(id))?;
    let state = directory.state().map_err(failed)?;
    let is_over = matches!(state, State::Over(_));
    let mut values = outputs::values("", "");
    values.extend(heading(id, &directory, is_over));
    match state {
        State::Nothing => Err(unknown(id)),
        State::Beginning | State::Working(_) => Ok(Told::Working(values)),
        State::Over(left) => {
            let late = left.late.map(|_| "Timeout exceeded".to_owned());
            let left = Left { outcome: with_message(left.outcome, late), ..*left };
            let told = if left.silent { hidden(left.outcome.values) } else { left.outcome.values };
            values.extend(told);
            Ok(Told::Over(Outcome { values, ..left.outcome }))
        }
    }
}

/// Returns where the outcome is of a job of which what is kept can be removed.
///
/// # Errors
/// If there is no such job, or it is at work.
pub(crate) fn removable(id: &str) -> Result<String, Failure> {
    let directory = Directory::find(id).ok_or_else(|| unknown(id))?;
    // What cannot be read can be removed all the same.
    if let Ok(State::Beginning | State::Working(_)) = directory.state() {
        let msg = "the job is at work: what is kept of it can be removed when it has ended";
        return Err(Failure { msg: msg.to_owned(), values: heading(id, &directory, false) });
    }
    Ok(directory.results_file())
}

/// Removes what is kept of a job; nothing if that is gone already.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn forget(id: &str) -> Result<(), Failure> {
    let removed = Directory::find(id)
        .map(|directory| directory.remove().map_err(|error| Failure::new(directory.trouble(&error))));
    removed.unwrap_or(Ok(()))
}

pub(crate) fn ran(values: Map) -> Outcome {
    Outcome { status: Status::Ran, values, diff: Vec::new(), offer: None, millis: 0 }
}

fn with_message(mut outcome: Outcome, msg: Option<String>) -> Outcome {
    outcome.values.extend(msg.map(|msg| (Key::from("msg"), Value::from(msg))));
    outcome
}

/// Marks as secret what a job answered that was given secrets.
fn hidden(values: Map) -> Map {
    let secret = |(key, value): (Key, Value)| {
        let tells = value.as_str().is_none() && value.as_list().is_none() && value.as_map().is_none();
        (key, if tells { value } else { value.tainted(Taint::SECRET) })
    };
    values.into_iter().map(secret).collect()
}
