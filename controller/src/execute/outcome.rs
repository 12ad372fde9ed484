//! The outcome of a task on one host.

use std::sync::Arc;

use convoy_protocol::{Diff, Map};

use super::effects::Effects;
use crate::events::{HostName, Verdict};
use crate::state::prefetched::Prefetched;

/// The result of a task on one host.
#[derive(Debug)]
pub struct TaskOutcome {
    /// What is registered.
    pub values: Map,
    /// What is shown: the same, or a note that it is hidden.
    pub shown: Map,
    /// What was, or would be, different.
    pub diff: Vec<Diff>,
    /// In one word.
    pub verdict: Verdict,
    /// Whether the task has a loop.
    pub looped: bool,
    /// Whether a failure is only noted.
    pub ignored: bool,
    /// The host, and the one it was done on, if that is another.
    pub host: HostName,
    /// Whether a node was, or may have been, changed, or the task waited: what was checked ahead counts no more.
    pub invalidates: bool,
    /// Per call: variables to be stored, facts, what to notify.
    pub effects: Vec<Effects>,
    /// What was checked ahead along with it.
    pub prefetched: Vec<Prefetched>,
    /// Whether it is shown in full at any verbosity.
    pub show: bool,
    /// The name of the action, if the task names it by a template.
    pub action: Option<Arc<str>>,
    /// Whether it was done, in part at least, before the run was resumed.
    pub before: bool,
    /// The tickets of what failed.
    pub failed: Vec<u64>,
}

impl TaskOutcome {
    /// Returns a result that came to be without a call.
    pub fn of(host: &Arc<str>, values: Map, verdict: Verdict) -> Self {
        Self {
            shown: values.clone(),
            values,
            diff: Vec::new(),
            verdict,
            looped: false,
            ignored: false,
            host: HostName::of(host),
            invalidates: false,
            effects: Vec::new(),
            prefetched: Vec::new(),
            show: false,
            action: None,
            before: false,
            failed: Vec::new(),
        }
    }

    /// Returns whether the host is out unless it is rescued.
    pub fn is_fatal(&self) -> bool {
        (self.verdict == Verdict::Failed || self.verdict.is_lost()) && !self.ignored
    }
}
