//! `async_status`: what has become of a job.

use convoy_protocol::{Map, Status, map};

use crate::failure::Failure;
use crate::job::{self, JobStatus};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::outputs;
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Says what has become of a job",
    description: "Of a task with `async` and `poll: 0`, which goes on by itself: as long as it does, `finished` is 0; then \
        the result of its task is returned, a failure included. Any later task of the same user asks so, also one of \
        another run. With `mode: cleanup` what is kept of the job is removed; do that when its result is known. What is \
        kept of a job that has ended is removed by itself after 30 days.",
    example: "- name: Wait for the migration\n  async_status:\n    jid: \"{{ migration.ansible_job_id }}\"\n  register: result\n  \
        until: result is finished\n  retries: 60\n  delay: 30\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior { polls_job: true, ..Behavior::new(Access::Read) };

crate::choices! {
    /// What is asked.
    pub enum Mode {
        /// How things stand.
        Status = "status",
        /// That what is kept is removed.
        Cleanup = "cleanup",
    }
}

crate::arguments! {
    /// Arguments of `async_status`.
    pub struct Args {
        /// The job's name: `ansible_job_id` in the result of its task.
        jid: String [required],
        /// `status` says how things stand, `cleanup` removes what is kept of the job.
        mode: Mode [default("status")],
    }
}

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// The job's result is to be told, which says that something was changed.
    Tell,
    /// What is kept is to be removed.
    Remove,
}

/// Looks how things stand.
///
/// # Errors
/// If there is no such job, or it failed.
pub fn check(args: &Args, _view: &SystemView) -> Result<Checked<Plan>, Failure> {
    if matches!(args.mode, Mode::Cleanup) {
        let erased = job::removable(&args.jid)?;
        let mut values = outputs::values("", "");
        values.extend(map! {
            "started" => 0, "finished" => 0, "ansible_job_id" => args.jid.as_str(), "erased" => erased,
        });
        let why = "the files of the job would have been removed if not in check mode";
        return Ok(Checked::Unknown { plan: Plan::Remove, why, values });
    }
    let outcome = match job::status(&args.jid)? {
        JobStatus::Running(values) => return Ok(Checked::Same(values)),
        JobStatus::Finished(outcome) => outcome,
    };
    match outcome.status {
        Status::Failed => Err(failure(outcome.values)),
        Status::Changed => {
            Ok(Checked::Differs { plan: Plan::Tell, diff: outcome.diff, values: outcome.values })
        }
        _ => Ok(Checked::Same(outcome.values)),
    }
}

fn failure(mut values: Map) -> Failure {
    let msg = values.shift_remove("msg").unwrap_or_default();
    let text = match msg.as_str() {
        Some(_) if msg.taint.is_secret() => {
            "the job failed; the message is hidden because the job was given secrets"
        }
        text => text.unwrap_or_default(),
    };
    Failure { msg: text.to_owned(), values }
}

/// Tells a result that says that something was changed, or removes what is kept.
///
/// # Errors
/// If that cannot be removed.
pub fn apply(args: &Args, plan: Plan, _node: &mut System) -> Result<Done, Failure> {
    match plan {
        Plan::Tell => Ok(Done { changed: true, values: Map::new() }),
        Plan::Remove => job::forget(&args.jid).map(|()| Done { changed: false, values: Map::new() }),
    }
}
