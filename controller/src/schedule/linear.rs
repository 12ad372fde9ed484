//! Ansible's *linear* order: no host starts a task before every host of the batch has finished the one before.

use std::sync::Arc;

use futures::StreamExt;

use super::Scheduler;
use super::batch::{Batch, Summary, stopped_at_section};
use super::window::is_call;
use crate::diagnostic::Diagnostics;
use crate::events::RunEvent;
use crate::execute::task_run::TaskPlan;
use crate::playbook::ast::Action;
use crate::state::batch::{BatchEnd, HostProgress};
use crate::state::section::{Item, TaskRef};

impl Scheduler {
    /// Takes each task on all hosts before the next.
    pub(super) async fn run_linear(&mut self, batch: &mut Batch) -> Result<(), Diagnostics> {
        while let Some((item, group)) = self.next_item(batch) {
            if self.is_interrupted() {
                self.note_left(batch);
                break;
            }
            match item {
                Item::Flush { after } => {
                    group.iter().for_each(|index| self.flush_handlers(batch, *index, after));
                }
                Item::Task(task) => self.run_task(batch, &task, &group).await?,
                Item::Section(_) => return Err(stopped_at_section()),
            }
            self.update_play_facts(batch);
            if matches!(batch.end, Some(BatchEnd::Broken)) {
                // Once for the limit and once for the end: so Ansible prints it.
                self.emit(RunEvent::NoHostsRemaining);
                self.emit(RunEvent::NoHostsRemaining);
                break;
            }
        }
        Ok(())
    }

    /// Returns what comes first in the play, and the hosts that are there.
    fn next_item(&self, batch: &mut Batch) -> Option<(Item, Vec<usize>)> {
        let selected = self.selected();
        batch.hosts.iter_mut().for_each(|host| host.pass_duplicates(&selected));
        let open = |host: &&HostProgress| !host.unreachable && host.cursor.current().is_some();
        let place = batch.hosts.iter().filter(open).map(|host| host.cursor.place()).min()?;
        let group: Vec<usize> = (0..batch.hosts.len())
            .filter(|i| open(&&batch.hosts[*i]) && batch.hosts[*i].cursor.place() == place)
            .collect();
        let item = batch.hosts[*group.first()?].cursor.current()?.clone();
        Some((item, group))
    }

    async fn run_task(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
    ) -> Result<(), Diagnostics> {
        self.read_vars_files(batch, group)?;
        if !matches!(task.task.action, Action::Meta(_)) && !self.may_step(batch, task, None)? {
            let selected = self.selected();
            group.iter().for_each(|index| batch.hosts[*index].cursor.advance(&selected));
            return Ok(());
        }
        self.announce(batch, task, group);
        match &task.task.action {
            Action::Meta(action) => self.run_meta(batch, task, *action, group).await,
            Action::IncludeTasks { .. } | Action::IncludeRole(_) => self.include(batch, task, group),
            Action::Module(_) | Action::Controller(_) | Action::Named(_) => {
                self.run_call(batch, task, group).await
            }
        }
    }

    /// Runs a module or an action on the hosts of the group.
    async fn run_call(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
    ) -> Result<(), Diagnostics> {
        let asked = self.runs_once(batch, task, group)?;
        let once = asked || matches!(task.task.action, Action::Controller(action) if action.once_for_all);
        let working = if once { &group[..1] } else { group };
        let plans = self.plans(batch, task, working);
        let plans: Vec<(usize, Arc<str>, TaskPlan)> =
            plans.into_iter().map(|(index, plan)| (index, batch.host(index), plan)).collect();
        // Where the user is asked nobody is at work; what shows that would be drawn over the question.
        if is_call(&task.task) {
            self.emit(RunEvent::Working { hosts: plans.iter().map(|(_, host, _)| host.clone()).collect() });
        }
        let title = self.title(task, &batch.host(working[0]));
        let limit = self.throttle(batch, task, working[0])?;
        let at_once = limit.unwrap_or(usize::MAX).min(working.len().max(1));
        let services = self.services.clone();
        let executor = self.executor(&services);
        let execute = |(index, host, plan): (usize, Arc<str>, TaskPlan)| {
            let (executor, title) = (&executor, title.clone());
            async move { (index, executor.run(&host, task, title, plan).await) }
        };
        let mut running = futures::stream::iter(plans).map(execute).buffer_unordered(at_once);
        let mut summary = Summary::default();
        while let Some((index, outcome)) = self.drive(running.next()).await {
            self.apply_outcome(batch, task, index, if asked { group } else { &[] }, &outcome)?;
            summary.add(index, outcome);
        }
        drop(running);
        self.forget_jobs().await;
        self.read_additions()?;
        self.go_on_after(batch, task, group, once, summary)
    }

    /// Goes on when all hosts of the group have their outcomes.
    fn go_on_after(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
        once: bool,
        summary: Summary,
    ) -> Result<(), Diagnostics> {
        let selected = self.selected();
        for &index in group.iter().skip(1).filter(|_| once) {
            let host = &mut batch.hosts[index];
            if summary.has_failed() {
                host.cursor.fail(&selected);
            } else {
                host.cursor.advance(&selected);
            }
        }
        let failed = batch.update_prefetched(summary);
        self.spread_failures(batch, task, group, &failed)
    }
}
