//! How a task and its outcomes are shown.

use std::sync::Arc;

use super::Scheduler;
use super::batch::Batch;
use crate::events::{RunEvent, TaskKind, TaskResult, Verdict};
use crate::execute::outcome::TaskOutcome;
use crate::paths::absolute;
use crate::playbook::ast::Action;
use crate::state::request::Heading;
use crate::state::section::TaskRef;

impl Scheduler {
    /// Shows a task's heading; where results come in any order it comes with them.
    pub(super) fn announce(&mut self, batch: &Batch, task: &TaskRef, group: &[usize]) {
        if let (Some(first), false) = (group.first(), batch.strategy.is_free()) {
            let heading = self.heading(task, &batch.hosts[*first].name);
            self.emit(heading.event);
        }
    }

    /// Shows a task's heading where results come in any order, unless it is the one that was shown last.
    pub(super) fn head(&mut self, batch: &Batch, task: &TaskRef, index: usize) {
        let heading = batch.strategy.is_free().then(|| self.heading(task, &batch.hosts[index].name));
        self.show_heading(heading);
    }

    /// Returns the task's heading, as it is for a host.
    pub(super) fn heading(&self, task: &TaskRef, host: &Arc<str>) -> Heading {
        let name = self.title(task, host);
        let kind = if task.handler { TaskKind::Handler } else { TaskKind::Task };
        let path = format!("{}:{}", absolute(&*task.task.at.file).display(), task.task.at.line).into();
        let event = RunEvent::TaskStart { kind, name, path, check: self.services.options.check };
        Heading { task: task.task.clone(), event }
    }

    /// Returns a task's name as it is shown: its role before it, templates rendered as far as they can be.
    pub(crate) fn title(&self, task: &TaskRef, host: &Arc<str>) -> Arc<str> {
        let name = match (&task.task.name, &task.task.action) {
            (Some(name), _) => {
                self.world.vars.display_name(&self.services.templar, name, host, task.placed())
            }
            (None, Action::IncludeRole(role)) => {
                format!("{} : {}", task.task.action_name, crate::text::python::str(&role.name))
            }
            (None, _) => task.task.action_name.to_string(),
        };
        match &task.task.role {
            Some(role) => format!("{} : {name}", role.name).into(),
            None => name.into(),
        }
    }

    /// Shows the outcome on one host.
    pub(super) fn show(&mut self, batch: &Batch, task: &TaskRef, host: &Arc<str>, outcome: &TaskOutcome) {
        let heading = batch.strategy.is_free().then(|| self.heading(task, host));
        self.show_heading(heading);
        let task_title = self.title(task, host);
        self.emit(RunEvent::Result(TaskResult {
            host: outcome.host.clone(),
            verdict: outcome.verdict,
            action: outcome.action.clone().unwrap_or_else(|| task.task.action_name.clone()),
            values: Arc::new(outcome.shown.clone()),
            diff: if outcome.looped { Vec::new() } else { outcome.diff.clone() },
            label: None,
            looped: outcome.looped,
            ignored: outcome.ignored && (outcome.verdict == Verdict::Failed || outcome.verdict.is_lost()),
            show: outcome.show,
            before: outcome.before,
            task: task_title,
        }));
    }
}
