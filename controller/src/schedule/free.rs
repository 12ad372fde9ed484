//! `strategy: free` and `host_pinned`: each host goes through the play by itself, without waiting for the others.
//!
//! What was looked at ahead belongs to one host's own sequence, so it could be used whatever the others do: they are
//! in no order to it. It is dropped all the same as soon as anything is done anywhere in the batch, since hosts may be
//! delegates of each other or share a file system, and people read the output as if it were in order.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::{RunEvent, Verdict};
use crate::execute::outcome::HostResult;
use crate::execute::run::{self, Perform};
use crate::playbook::ast::{Action, Task};
use crate::schedule::apply;
use crate::schedule::batch::Batch;
use crate::schedule::handlers;
use crate::schedule::include;
use crate::schedule::meta;
use crate::state::section::{Item, TaskRef};

/// In which order the hosts of a play do its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Each task on all hosts before the next.
    Linear,
    /// Each host as fast as it can.
    Free,
    /// So, but no more hosts at a time than `forks`, each to its end.
    HostPinned,
}

impl Strategy {
    /// Reads a strategy's name, with or without `ansible.builtin.` before it.
    pub fn named(name: &str) -> Option<Self> {
        let short = name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy."));
        Some(match short.unwrap_or(name) {
            "linear" => Self::Linear,
            "free" => Self::Free,
            "host_pinned" => Self::HostPinned,
            _ => return None,
        })
    }

    /// Returns whether results come in any order, so that each is told under its task's heading.
    pub fn is_free(self) -> bool {
        self != Self::Linear
    }
}

/// The heading of a task, told when the first of its results comes, and again when others came in between.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The task.
    pub task: Arc<Task>,
    /// What is told.
    pub event: RunEvent,
}

/// What a host is doing.
#[derive(Debug, Clone)]
enum Doing {
    /// It waits for its turn to begin the play.
    Waits,
    /// It may go on.
    Ready,
    /// It has a task under way.
    Busy(TaskRef),
}

/// A task that ended on a host.
type Ended = (usize, TaskRef, HostResult);

impl Batch<'_> {
    /// Lets each host go through the play; at most `slots` of them at a time.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(crate) async fn run_free(&mut self, slots: usize) -> Result<(), Diagnostics> {
        let engine = self.engine;
        if self.play.max_fail_percentage.is_some() {
            engine.warn(
                "Using max_fail_percentage with the free strategy is not supported, as tasks are executed independently on \
                 each host",
            );
        }
        let mut doing = vec![Doing::Waits; self.hosts.len()];
        let mut running = FuturesUnordered::new();
        loop {
            for index in 0..self.hosts.len() {
                if let Some((task, plan)) = self.go(&mut doing, index, slots).await? {
                    let host = self.hosts[index].name.clone();
                    let title = self.title(&task, &host);
                    engine.tell(RunEvent::Working { hosts: vec![host.clone()] });
                    running.push(async move {
                        let result = run::perform(engine, &host, &task, title, plan).await;
                        (index, task, result)
                    });
                }
            }
            let Some((index, task, result)): Option<Ended> = running.next().await else { break };
            doing[index] = Doing::Ready;
            self.arrived(&task, index, &result)?;
            engine.forget_jobs().await;
        }
        if engine.interrupted.get() {
            self.note_left();
        }
        if self.hosts.iter().all(|host| host.unreachable) {
            engine.tell(RunEvent::NoHostsRemaining);
        }
        Ok(())
    }

    /// Does what a host can do at once, up to a call; returns that.
    async fn go(
        &mut self,
        doing: &mut [Doing],
        index: usize,
        slots: usize,
    ) -> Result<Option<(TaskRef, Perform)>, Diagnostics> {
        let selected = self.selected();
        while !self.engine.interrupted.get() && !matches!(doing[index], Doing::Busy(_)) {
            self.hosts[index].pass_duplicates(&selected);
            let item = self.hosts[index].cursor.current().filter(|_| !self.hosts[index].unreachable).cloned();
            let Some(item) = item else { return Ok(None) };
            if matches!(doing[index], Doing::Waits) && self.occupied(doing) >= slots {
                return Ok(None);
            }
            doing[index] = Doing::Ready;
            let task = match item {
                Item::Flush { after } => {
                    handlers::flush(self, index, after);
                    continue;
                }
                Item::Task(task) => task,
                Item::Section(_) => return Err(Self::stopped_at_section()),
            };
            self.read_vars_files(&[index])?;
            match &task.task.action {
                Action::Meta(action) => meta::run(self, &task, *action, &[index]).await?,
                _ if !self.may_step(&task, Some(index))? => self.hosts[index].cursor.advance(&selected),
                Action::IncludeTasks { .. } | Action::IncludeRole(_) => include::run(self, &task, &[index])?,
                Action::Module(_) | Action::Controller(_) | Action::Named(_) => {
                    if self.is_throttled(doing, &task, index)? {
                        return Ok(None);
                    }
                    self.warn_of(&task, index)?;
                    let plan = self.plans(&task, &[index]).pop();
                    doing[index] = Doing::Busy(task.clone());
                    return Ok(plan.map(|(_, plan)| (task, plan)));
                }
            }
            self.tell_play();
        }
        Ok(None)
    }

    /// Counts the hosts that began the play and have not ended it.
    fn occupied(&self, doing: &[Doing]) -> usize {
        let open = |index: usize| {
            let host = &self.hosts[index];
            !host.unreachable && host.cursor.current().is_some()
        };
        doing
            .iter()
            .enumerate()
            .filter(|(index, doing)| !matches!(doing, Doing::Waits) && open(*index))
            .count()
    }

    fn is_throttled(&self, doing: &[Doing], task: &TaskRef, index: usize) -> Result<bool, Diagnostics> {
        if task.task.keywords.throttle.is_none() {
            return Ok(false);
        }
        let same =
            |doing: &&Doing| matches!(doing, Doing::Busy(other) if Arc::ptr_eq(&other.task, &task.task));
        let limit = self.throttle(task, index)?;
        Ok(limit.is_some_and(|limit| doing.iter().filter(same).count() >= limit))
    }

    /// Says which keywords mean nothing where hosts do not wait for each other.
    fn warn_of(&self, task: &TaskRef, index: usize) -> Result<(), Diagnostics> {
        let keywords = &task.task.keywords;
        let host = &self.hosts[index].name;
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
            self.engine.warn(
                "Using run_once with the free strategy is not currently supported. This task will still be executed for \
                 every host in the inventory list.",
            );
        }
        if keywords.any_errors_fatal.is_some() && self.flag(task, host, keywords.any_errors_fatal.as_ref())? {
            self.engine.warn(
                "Using any_errors_fatal with the free strategy is not supported, as tasks are executed independently on \
                 each host",
            );
        }
        Ok(())
    }

    /// Takes the result of a host.
    fn arrived(&mut self, task: &TaskRef, index: usize, result: &HostResult) -> Result<(), Diagnostics> {
        apply::settle(self, task, index, &[], result)?;
        if result.disturbed || result.is_fatal() {
            self.hosts.iter_mut().for_each(|host| host.seen.clear());
            if result.verdict == Verdict::Changed || result.is_fatal() {
                self.ahead.broken();
            }
        } else {
            self.hosts[index].seen.extend(result.seen.iter().cloned());
        }
        self.tell_play();
        Ok(())
    }
}
