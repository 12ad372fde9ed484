//! Executes one prepared task on one host: sends its orders, tries again, follows jobs, downloads, and returns what became of it.
//!
//! An answer has three forms on its way: what the node said ([`replay::Reply`]), what became of the task
//! ([`outcome::TaskOutcome`], put together from one [`call::CallOutcome`] for each item of its loop), and the event that is shown
//! and recorded ([`TaskResult`](crate::events::TaskResult)). Executing changes nothing of the run: what is to be changed is in the
//! outcome, and what cannot wait for it is asked for by a [`Request`](crate::state::request::Request).

mod async_job;
pub mod call;
mod collect;
mod download;
pub mod effects;
mod invocation;
mod irreversible;
pub mod node;
pub mod outcome;
mod pause;
mod redaction;
mod replay;
pub mod run;
pub mod task_run;

use crate::secrets::Vault;
use crate::services::Services;
use crate::state::request::Requests;
use crate::state::resume_log::ResumePolicy;
use crate::state::snapshot::Snapshot;

/// What executing a task needs of the run.
#[derive(Debug)]
pub struct Executor<'a> {
    /// What all tasks share.
    pub services: &'a Services,
    /// Asks the scheduler.
    pub requests: Requests,
    /// The variables when the task was reached.
    pub snapshot: Snapshot,
    /// The number of the play in progress, counted from 1 through all playbooks.
    pub play_number: u32,
    /// What the journal records, and what to do about what it knows.
    pub resume: ResumePolicy,
}

impl Executor<'_> {
    fn vault(&self) -> &Vault {
        self.services.templar.vault()
    }

    fn is_interrupted(&self) -> bool {
        self.services.interrupts.is_interrupted()
    }
}
