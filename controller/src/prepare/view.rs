//! What preparing a task looks at: nothing in it changes.

use std::sync::Arc;

use convoy_protocol::{Map, Value};

use crate::playbook::ast::Task;
use crate::services::Services;
use crate::state::snapshot::Snapshot;
use crate::template::{Context, Error, unknown};
use crate::vars::TaskScope;

/// What [`prepare`](super::prepare) looks at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What all tasks share.
    pub services: &'a Services,
    /// The variables of all hosts, and what magic variables say, when the task was reached.
    pub snapshot: &'a Snapshot,
    /// The task.
    pub task: &'a Arc<Task>,
    /// What it sees on the host.
    pub scope: &'a TaskScope,
    /// Where files are looked for, and what is allowed.
    pub context: &'a Context,
}

impl View<'_> {
    /// Renders a value that must be known.
    ///
    /// # Errors
    /// As [`crate::template::Templar::render`]; also if anything in it is unknown.
    pub fn render(&self, value: &Value) -> Result<Value, Error> {
        self.render_open(value).and_then(unknown::known)
    }

    /// Renders a value of which a part may be unknown.
    ///
    /// # Errors
    /// As [`crate::template::Templar::render`].
    pub fn render_open(&self, value: &Value) -> Result<Value, Error> {
        self.services.templar.render(value, self.scope, self.context)
    }

    /// Decides a condition.
    ///
    /// # Errors
    /// As [`crate::template::Templar::condition`].
    pub fn condition(&self, condition: &Value) -> Result<bool, Error> {
        self.services.templar.condition(condition, self.scope, self.context)
    }

    /// Returns the host that the task is for.
    pub fn host(&self) -> Arc<str> {
        let name = self.scope.raw("inventory_hostname");
        name.and_then(|name| name.as_str().map(Arc::from)).unwrap_or_default()
    }

    /// Returns what the task sees of the host it is delegated to: that host's variables, above them the task's own.
    pub fn delegate_scope(&self, host: &Arc<str>) -> TaskScope {
        self.snapshot.scope(host, Some((self.task, &Arc::<Map>::default())))
    }
}
