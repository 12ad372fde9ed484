//! The window of look-ahead: how many tasks are checked ahead, and which of them may be.

use crate::actions::Run;
use crate::execute::run::one_by_one;
use crate::playbook::ast::{Action, Task};
use crate::prepare::names::names_are_known;

/// The most tasks in one window.
const WIDEST: usize = 256;

/// How far is looked ahead: as far as possible at first, one task after a change, then twice as far each time.
#[derive(Debug)]
pub struct LookaheadWindow {
    width: usize,
    enabled: bool,
}

impl LookaheadWindow {
    /// Starts with the widest window.
    pub fn new(enabled: bool) -> Self {
        Self { width: WIDEST, enabled }
    }

    /// Something was changed, or failed: what follows will need to be done, too, as it seems.
    pub fn narrow(&mut self) {
        self.width = 1;
    }

    /// Returns how many tasks after `task` are looked at along with it.
    pub fn width(&mut self, task: &Task) -> usize {
        if !self.enabled || !can_be_passed(task) {
            return 0;
        }
        let width = self.width;
        self.width = (width * 2).min(WIDEST);
        width - 1
    }
}

/// Returns whether what follows a task can be looked at before the task is done.
pub(super) fn can_be_passed(task: &Task) -> bool {
    is_call(task)
        && !one_by_one(task)
        && !talks(task)
        && !polls_job(task)
        && names_are_known(task)
        && !changes_inventory(task)
}

/// Returns whether a task asks for what goes on meanwhile: each time it may be answered otherwise.
fn polls_job(task: &Task) -> bool {
    matches!(task.action, Action::Module(module) if module.behavior.polls_job)
}

/// Returns whether a task is an action that talks with its node: the link may be another one afterwards.
fn talks(task: &Task) -> bool {
    matches!(task.action, Action::Controller(action) if matches!(action.run, Run::OnNode { .. }))
}

/// Returns whether a task is a call that may be among others: no include, nothing about the run itself or its user.
pub(super) fn is_call(task: &Task) -> bool {
    match task.action {
        Action::Module(_) => true,
        // Nobody knows what is done while it waits.
        Action::Controller(action) => !action.pauses_run,
        // It may be any.
        Action::Named(_) | Action::Meta(_) | Action::IncludeTasks { .. } | Action::IncludeRole(_) => false,
    }
}

/// Returns whether what follows may see other groups and variables.
fn changes_inventory(task: &Task) -> bool {
    matches!(task.action, Action::Controller(action) if action.changes_inventory)
}
