//! How a task and its results are told.

use std::sync::Arc;

use convoy_protocol::Value;

use crate::events::{RunEvent, TaskKind, TaskResult, Verdict};
use crate::execute::outcome::HostResult;
use crate::paths::absolute;
use crate::playbook::ast::Action;
use crate::schedule::batch::{Batch, Placed};
use crate::schedule::engine::Engine;
use crate::schedule::free::Heading;
use crate::state::section::TaskRef;
use crate::template::unknown::known;

impl Engine {
    /// Returns a name as it is shown where a task stands: templates rendered as far as they can be.
    pub fn called(&self, name: &Value, host: &Arc<str>, placed: &Placed<'_>) -> String {
        let scope = self.scope(host, Some(placed));
        let rendered = self.templar.render(name, &scope, &self.context(Vec::new(), false)).and_then(known);
        crate::python::label(Some(&rendered.unwrap_or_else(|_| name.clone())))
    }
}

impl Batch<'_> {
    /// Writes the task's heading; where results come in any order it comes with them.
    pub fn announce(&self, task: &TaskRef, group: &[usize]) {
        if let (Some(first), false) = (group.first(), self.strategy.is_free()) {
            self.engine.tell(self.heading(task, &self.hosts[*first].name).event);
        }
    }

    /// Writes the task's heading where results come in any order, unless it stands there.
    pub fn head(&self, task: &TaskRef, index: usize) {
        if self.strategy.is_free() {
            self.engine.head(Some(&self.heading(task, &self.hosts[index].name)));
        }
    }

    /// Returns the task's heading, as it is for a host.
    pub(crate) fn heading(&self, task: &TaskRef, host: &Arc<str>) -> Heading {
        let name = self.title(task, host);
        let kind = if task.handler { TaskKind::Handler } else { TaskKind::Task };
        let path = format!("{}:{}", absolute(&*task.task.at.file).display(), task.task.at.line).into();
        let event = RunEvent::TaskStart { kind, name, path, check: self.engine.options.check };
        Heading { task: task.task.clone(), event }
    }

    /// Returns a task's name as it is shown: its role before it, templates rendered as far as they can be.
    pub fn title(&self, task: &TaskRef, host: &Arc<str>) -> Arc<str> {
        let name = match &task.task.name {
            Some(name) => self.engine.called(name, host, &Placed { task: &task.task, params: &task.params }),
            None => match &task.task.action {
                Action::IncludeRole(role) => {
                    format!("{} : {}", task.task.action_name, crate::python::str(&role.name))
                }
                _ => task.task.action_name.to_string(),
            },
        };
        match &task.task.role {
            Some(role) => format!("{} : {name}", role.name).into(),
            None => name.into(),
        }
    }

    /// Shows the result of one host.
    pub fn show(&self, task: &TaskRef, host: &Arc<str>, result: &HostResult) {
        let heading = self.strategy.is_free().then(|| self.heading(task, host));
        self.engine.head(heading.as_ref());
        self.engine.tell(RunEvent::Result(TaskResult {
            host: result.host.clone(),
            verdict: result.verdict,
            action: result.action.clone().unwrap_or_else(|| task.task.action_name.clone()),
            values: Arc::new(result.shown.clone()),
            diff: if result.looped { Vec::new() } else { result.diff.clone() },
            label: None,
            looped: result.looped,
            ignored: result.ignored && (result.verdict == Verdict::Failed || result.verdict.is_lost()),
            show: result.show,
            before: result.before,
            task: self.title(task, host),
        }));
    }
}
