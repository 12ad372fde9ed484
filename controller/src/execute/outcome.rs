//! The result of a task on one host.

use std::sync::Arc;

use convoy_protocol::{Diff, Map};

use crate::events::{HostName, Verdict};
use crate::execute::effects::CallEffects;
use crate::schedule::lookahead::Seen;

/// The result of a task on one host.
#[derive(Debug)]
pub struct HostResult {
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
    /// Whether anything was done that other tasks could see.
    pub disturbed: bool,
    /// Per call: variables to be stored, facts, what to notify.
    pub calls: Vec<CallEffects>,
    /// What was seen ahead.
    pub seen: Vec<Seen>,
    /// Whether it is shown in full at any verbosity.
    pub show: bool,
    /// The name of the action, if the task names it by a template.
    pub action: Option<Arc<str>>,
    /// Whether it was done, in part at least, before the run was resumed.
    pub before: bool,
    /// The tickets of what failed.
    pub failed: Vec<u64>,
}

impl HostResult {
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
            disturbed: false,
            calls: Vec::new(),
            seen: Vec::new(),
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
