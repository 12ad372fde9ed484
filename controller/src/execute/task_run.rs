//! One task on one host while it is executed: what its parts share.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::Outcome;

use super::Executor;
use crate::events::HostName;
use crate::playbook::ast::Task;
use crate::prepare::{Call, PreparedTask, View};
use crate::state::prefetched::Lookahead;
use crate::state::request::Heading;
use crate::state::resume_log::TaskKey;
use crate::state::section::TaskRef;
use crate::state::undo_blocks::OpenUndoBlock;
use crate::template::Context;

/// What is to be executed on one host.
#[derive(Debug)]
pub struct TaskPlan {
    /// The task, prepared.
    pub task: PreparedTask,
    /// What its node answered when it was checked ahead.
    pub prefetched: Option<Vec<Outcome>>,
    /// What is checked along with it.
    pub ahead: Vec<Lookahead>,
    /// The heading of its results, where they come in any order.
    pub heading: Option<Heading>,
    /// The blocks with `undo:` that it is in, the outermost first.
    pub undo_blocks: Vec<Rc<OpenUndoBlock>>,
}

/// One task on one host, in progress.
pub(super) struct TaskRun<'a> {
    pub(super) executor: &'a Executor<'a>,
    pub(super) host: &'a Arc<str>,
    pub(super) task_ref: &'a TaskRef,
    /// Whether what is asked, or answered, is not to be kept on the node's disk.
    pub(super) quiet: bool,
    /// By what the journal knows the task on this host; computed once, where it is needed.
    pub(super) key: OnceCell<TaskKey>,
    pub(super) title: Arc<str>,
    pub(super) context: Context,
    pub(super) heading: Option<Heading>,
    pub(super) undo_blocks: Vec<Rc<OpenUndoBlock>>,
}

impl TaskRun<'_> {
    pub(super) fn task(&self) -> &Arc<Task> {
        &self.task_ref.task
    }

    pub(super) fn view<'v>(&'v self, call: &'v Call) -> View<'v> {
        let Executor { services, snapshot, .. } = self.executor;
        View { services, snapshot, task: self.task(), scope: &call.scope, context: &self.context }
    }

    pub(super) fn host_name(&self, call: &Call) -> HostName {
        call.keywords.endpoint.name(self.host, call.keywords.delegate.as_ref())
    }
}
