//! One batch of a play: its hosts, its handlers, and how far tasks are checked ahead.

use std::sync::Arc;

use super::strategy::Strategy;
use super::window::LookaheadWindow;
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::Verdict;
use crate::execute::outcome::TaskOutcome;
use crate::playbook::ast::Play;
use crate::state::batch::{BatchEnd, HostProgress};
use crate::state::prefetched::Prefetched;
use crate::state::section::{Item, TaskRef};

/// A batch of a play in progress.
#[derive(Debug)]
pub struct Batch {
    /// The play.
    pub play: Arc<Play>,
    /// Its hosts.
    pub hosts: Vec<HostProgress>,
    /// The play's handlers, with those of included roles.
    pub handlers: Vec<TaskRef>,
    /// How far tasks are checked ahead.
    pub ahead: LookaheadWindow,
    /// Why the batch ends before its last task, if it does.
    pub end: Option<BatchEnd>,
    /// The order of its hosts.
    pub strategy: Strategy,
}

impl Batch {
    /// Returns the name of a host.
    pub(crate) fn host(&self, index: usize) -> Arc<str> {
        self.hosts[index].name.clone()
    }

    /// Check mode: returns why it is not known whether a host does what it is at.
    pub(super) fn uncertain(&self, index: usize) -> Option<Arc<str>> {
        match self.hosts[index].cursor.current() {
            Some(Item::Task(task)) => task.uncertain.clone(),
            _ => None,
        }
    }

    /// Drops what was checked ahead, on all hosts.
    pub(super) fn drop_prefetched(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.prefetched.clear());
    }

    /// Keeps what was checked ahead along with a task, or drops all of it if the task may have changed something. Returns the
    /// hosts on which it failed.
    pub(super) fn update_prefetched(&mut self, summary: Summary) -> Vec<usize> {
        if summary.invalidates || summary.has_failed() {
            self.drop_prefetched();
            // A command that only asks says nothing of what follows it.
            if summary.changed || summary.has_failed() {
                self.ahead.narrow();
            }
        } else {
            for (index, prefetched) in summary.prefetched {
                self.hosts[index].prefetched.extend(prefetched);
            }
        }
        summary.failed
    }
}

/// What the outcomes of a task on its hosts come to.
#[derive(Debug, Default)]
pub(super) struct Summary {
    invalidates: bool,
    changed: bool,
    failed: Vec<usize>,
    prefetched: Vec<(usize, Vec<Prefetched>)>,
}

impl Summary {
    /// Adds the outcome of a host.
    pub(super) fn add(&mut self, index: usize, outcome: TaskOutcome) {
        self.invalidates |= outcome.invalidates;
        self.changed |= outcome.verdict == Verdict::Changed;
        if outcome.is_fatal() {
            self.failed.push(index);
        }
        self.prefetched.push((index, outcome.prefetched));
    }

    /// Returns whether the task failed on a host.
    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

/// Cursors go into sections by themselves.
pub(super) fn stopped_at_section() -> Diagnostics {
    Diagnostic::user("a cursor stopped at a section").kind(Kind::Internal).into()
}
