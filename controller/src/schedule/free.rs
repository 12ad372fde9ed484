//! `strategy: free` and `host_pinned`: each host goes through the play by itself, without waiting for the others.
//!
//! An answer from ahead belongs to the sequence of one host, so it could be used whatever the others do. It is dropped all the same
//! as soon as anything is done anywhere in the batch: hosts may be delegates of each other or share a file system, and people read
//! the output as if it were in order.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::Scheduler;
use super::batch::{Batch, Summary, stopped_at_section};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::RunEvent;
use crate::execute::outcome::TaskOutcome;
use crate::execute::task_run::TaskPlan;
use crate::playbook::ast::Action;
use crate::state::section::{Item, TaskRef};

/// What a host is doing.
#[derive(Debug, Clone)]
enum Activity {
    /// It waits for its turn to begin the play.
    Waits,
    /// It may go on.
    Ready,
    /// It has a task under way.
    Busy(TaskRef),
}

/// A task that ended on a host.
type Ended = (usize, TaskRef, TaskOutcome);

impl Scheduler {
    /// Lets each host go through the play; at most `slots` of them at a time.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn run_free(&mut self, batch: &mut Batch, slots: usize) -> Result<(), Diagnostics> {
        if batch.play.max_fail_percentage.is_some() {
            self.warn(
                "Using max_fail_percentage with the free strategy is not supported, as tasks are executed independently on \
                 each host",
            );
        }
        let mut doing = vec![Activity::Waits; batch.hosts.len()];
        let services = self.services.clone();
        let mut running = FuturesUnordered::new();
        loop {
            for index in 0..batch.hosts.len() {
                if let Some((task, plan)) = self.go(batch, &mut doing, index, slots).await? {
                    let host = batch.host(index);
                    let title = self.title(&task, &host);
                    self.emit(RunEvent::Working { hosts: vec![host.clone()] });
                    let executor = self.executor(&services);
                    running.push(async move {
                        let outcome = executor.run(&host, &task, title, plan).await;
                        (index, task, outcome)
                    });
                }
            }
            let Some((index, task, outcome)): Option<Ended> = self.drive(running.next()).await else { break };
            doing[index] = Activity::Ready;
            self.take_outcome(batch, &task, index, outcome)?;
            self.forget_jobs().await;
        }
        if self.is_interrupted() {
            self.note_left(batch);
        }
        if batch.hosts.iter().all(|host| host.unreachable) {
            self.emit(RunEvent::NoHostsRemaining);
        }
        Ok(())
    }

    /// Does what a host can do at once, up to a call; returns that.
    async fn go(
        &mut self,
        batch: &mut Batch,
        doing: &mut [Activity],
        index: usize,
        slots: usize,
    ) -> Result<Option<(TaskRef, TaskPlan)>, Diagnostics> {
        let selected = self.selected();
        while !self.is_interrupted() && !matches!(doing[index], Activity::Busy(_)) {
            batch.hosts[index].pass_duplicates(&selected);
            let item =
                batch.hosts[index].cursor.current().filter(|_| !batch.hosts[index].unreachable).cloned();
            let Some(item) = item else { return Ok(None) };
            if matches!(doing[index], Activity::Waits) && occupied(batch, doing) >= slots {
                return Ok(None);
            }
            doing[index] = Activity::Ready;
            let task = match item {
                Item::Flush { after } => {
                    self.flush_handlers(batch, index, after);
                    continue;
                }
                Item::Task(task) => task,
                Item::Section(_) => return Err(stopped_at_section()),
            };
            self.read_vars_files(batch, &[index])?;
            match &task.task.action {
                Action::Meta(action) => self.run_meta(batch, &task, *action, &[index]).await?,
                _ if !self.may_step(batch, &task, Some(index))? => {
                    batch.hosts[index].cursor.advance(&selected);
                }
                Action::IncludeTasks { .. } | Action::IncludeRole(_) => {
                    self.include(batch, &task, &[index])?;
                }
                Action::Module(_) | Action::Controller(_) | Action::Named(_) => {
                    if self.is_throttled(batch, doing, &task, index)? {
                        return Ok(None);
                    }
                    self.warn_of_keywords(batch, &task, index)?;
                    let plan = self.plans(batch, &task, &[index]).pop();
                    doing[index] = Activity::Busy(task.clone());
                    return Ok(plan.map(|(_, plan)| (task, plan)));
                }
            }
            self.update_play_facts(batch);
        }
        Ok(None)
    }

    fn is_throttled(
        &self,
        batch: &Batch,
        doing: &[Activity],
        task: &TaskRef,
        index: usize,
    ) -> Result<bool, Diagnostics> {
        if task.task.keywords.throttle.is_none() {
            return Ok(false);
        }
        let same = |doing: &&Activity| matches!(doing, Activity::Busy(other) if Arc::ptr_eq(&other.task, &task.task));
        let limit = self.throttle(batch, task, index)?;
        Ok(limit.is_some_and(|limit| doing.iter().filter(same).count() >= limit))
    }

    /// Says which keywords mean nothing where hosts do not wait for each other.
    fn warn_of_keywords(&mut self, batch: &Batch, task: &TaskRef, index: usize) -> Result<(), Diagnostics> {
        let keywords = &task.task.keywords;
        let host = &batch.host(index);
        if let Action::Controller(action) = task.task.action
            && action.once_for_all
        {
            let message = format!(
                "The '{}' module bypasses the host loop, which is currently not supported in the free strategy and would \
                 instead execute for every host in the inventory list.",
                task.task.action_name
            );
            return Err(Diagnostic::user(message).at(task.task.at.clone()).into());
        }
        if keywords.run_once.is_some() && self.flag(task, host, keywords.run_once.as_ref())? {
            self.warn(
                "Using run_once with the free strategy is not currently supported. This task will still be executed for \
                 every host in the inventory list.",
            );
        }
        if keywords.any_errors_fatal.is_some() && self.flag(task, host, keywords.any_errors_fatal.as_ref())? {
            self.warn(
                "Using any_errors_fatal with the free strategy is not supported, as tasks are executed independently on \
                 each host",
            );
        }
        Ok(())
    }

    /// Takes the outcome of a host.
    fn take_outcome(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        index: usize,
        outcome: TaskOutcome,
    ) -> Result<(), Diagnostics> {
        self.apply_outcome(batch, task, index, &[], &outcome)?;
        let mut summary = Summary::default();
        summary.add(index, outcome);
        batch.update_prefetched(summary);
        self.update_play_facts(batch);
        Ok(())
    }
}

/// Counts the hosts that began the play and have not ended it.
fn occupied(batch: &Batch, doing: &[Activity]) -> usize {
    let open = |index: usize| {
        let host = &batch.hosts[index];
        !host.unreachable && host.cursor.current().is_some()
    };
    let begun = doing.iter().enumerate().filter(|(_, doing)| !matches!(doing, Activity::Waits));
    begun.filter(|(index, _)| open(*index)).count()
}
