//! What is planned for a task on each host before it is executed: the prepared task, and what is checked along with it.

use std::sync::Arc;

use convoy_protocol::Value;

use super::Scheduler;
use super::batch::Batch;
use super::lookahead;
use crate::actions::Action as ControllerAction;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::execute::task_run::TaskPlan;
use crate::playbook::ast::{Action, Task};
use crate::prepare::{PreparedTask, View, call, prepare, unprepared_task, values};
use crate::services::context;
use crate::state::section::TaskRef;
use crate::template::{Context, Error};
use crate::vars::TaskScope;
use crate::vars::magic::search_path;

/// What a task sees on a host of a batch, and where it looks for files.
pub(super) struct Prepared {
    pub(super) scope: TaskScope,
    pub(super) context: Context,
}

impl Scheduler {
    /// Returns what a task sees on a host of the batch. `impure_allowed`: whether functions may be called that answer differently
    /// each time.
    pub(super) fn prepared(
        &self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
        impure_allowed: bool,
    ) -> Prepared {
        let scope = self.world.vars.scope(&batch.hosts[index].name, Some(task.placed()));
        let context = context(search_path(&task.task, Some(&batch.play)), impure_allowed);
        Prepared { scope, context }
    }

    /// Returns what keywords see that are decided for all hosts of a task at once: no files of the play.
    fn prepared_keywords(&self, task: &TaskRef, host: &Arc<str>) -> Prepared {
        let scope = self.world.vars.scope(host, Some(task.placed()));
        Prepared { scope, context: context(Vec::new(), true) }
    }

    /// Returns what preparing a task looks at.
    pub(super) fn view<'v>(&'v self, task: &'v Arc<Task>, prepared: &'v Prepared) -> View<'v> {
        let Prepared { scope, context } = prepared;
        View { services: &self.services, snapshot: &self.world.vars, task, scope, context }
    }

    /// Plans a task on each host, with what can be checked ahead along with it.
    pub(super) fn plans(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
    ) -> Vec<(usize, TaskPlan)> {
        // The play, or what was included, may begin with a block: no task before it has recorded that.
        group.iter().for_each(|index| self.record_blocks(batch, *index));
        let prepared: Vec<(usize, PreparedTask)> =
            group.iter().map(|&index| (index, self.prepare(batch, task, index))).collect();
        let (hit, ahead) = self.look_ahead(batch, task, group, &prepared);
        let mut plans = Vec::new();
        for ((index, prepared), ahead) in prepared.into_iter().zip(ahead) {
            let prefetched = lookahead::take(&mut batch.hosts[index].prefetched, task, &prepared);
            let heading = batch.strategy.is_free().then(|| self.heading(task, &batch.hosts[index].name));
            let undo_blocks = batch.hosts[index].cursor.undo_blocks();
            let prefetched = prefetched.filter(|_| hit);
            plans.push((index, TaskPlan { task: prepared, prefetched, ahead, heading, undo_blocks }));
        }
        plans
    }

    fn prepare(&self, batch: &Batch, task: &TaskRef, index: usize) -> PreparedTask {
        let seen = self.prepared(batch, task, index, true);
        let view = self.view(&task.task, &seen);
        match batch.uncertain(index) {
            Some(why) => PreparedTask::Single(Box::new(call::unknown_call(view, why))),
            None => prepare(view).unwrap_or_else(|error| unprepared_task(view, &error)),
        }
    }

    /// Returns whether a task is executed once, for all hosts of the group.
    pub(super) fn runs_once(
        &self,
        batch: &Batch,
        task: &TaskRef,
        group: &[usize],
    ) -> Result<bool, Diagnostics> {
        // What the user answers to a task that asks once is the answer for all hosts.
        let asks = |action: &ControllerAction| action.once_for_all && !action.changes_inventory;
        if matches!(task.task.action, Action::Controller(action) if asks(action)) {
            return Ok(true);
        }
        let Some(value) = &task.task.keywords.run_once else { return Ok(false) };
        let Some(first) = group.first() else { return Ok(false) };
        self.flag(task, &batch.hosts[*first].name, Some(value))
    }

    /// Returns on how many hosts a task is executed at once, if that is limited.
    pub(super) fn throttle(
        &self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
    ) -> Result<Option<usize>, Diagnostics> {
        let Some(value) = &task.task.keywords.throttle else { return Ok(None) };
        let seen = self.prepared_keywords(task, &batch.hosts[index].name);
        let wrong = |why: String| Diagnostic::user(format!("throttle: {why}")).at(task.task.at.clone());
        let value = self.view(&task.task, &seen).render(value).map_err(|error| wrong(error.to_string()))?;
        let limit = values::number(&value).map_err(wrong)? as usize;
        Ok((limit > 0).then_some(limit))
    }

    /// Decides a boolean keyword for one host.
    ///
    /// # Errors
    /// If it cannot be rendered or is no boolean.
    pub(super) fn flag(
        &self,
        task: &TaskRef,
        host: &Arc<str>,
        value: Option<&Value>,
    ) -> Result<bool, Diagnostics> {
        let seen = self.prepared_keywords(task, host);
        values::boolean(self.view(&task.task, &seen), value, false)
            .map_err(|error: Error| error.diagnostic().at(task.task.at.clone()).into())
    }
}
