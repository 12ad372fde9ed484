//! One batch of a play: its hosts, its handlers, and what is common to both orders of its tasks.

use std::sync::Arc;

use convoy_protocol::Value;

use super::Scheduler;
use super::handlers;
use super::lookahead::LookaheadWindow;
use super::strategy::Strategy;
use crate::actions::Action as ControllerAction;
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::Note;
use crate::execute::run::TaskPlan;
use crate::playbook::ast::{Action, Play, Task};
use crate::prepare::{PreparedTask, View, call, keywords, prepare, unprepared_task};
use crate::services::context;
use crate::state::batch::{BatchEnd, HostProgress};
use crate::state::cursor::{Cursor, Leave};
use crate::state::section::{Item, Section, TaskRef};
use crate::template::Error;
use crate::template::unknown::known;
use crate::vars::TaskScope;
use crate::vars::magic::{PlayFacts, search_path};

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
}

/// Cursors go into sections by themselves.
pub(super) fn stopped_at_section() -> Diagnostics {
    Diagnostic::user("a cursor stopped at a section").kind(Kind::Internal).into()
}

/// What a task sees on a host of a batch, and where it looks for files.
pub(super) struct Prepared {
    scope: TaskScope,
    context: crate::template::Context,
}

impl Scheduler {
    /// Returns a batch with every host at the start of the play.
    pub(crate) fn new_batch(
        &mut self,
        play: &Arc<Play>,
        hosts: Vec<Arc<str>>,
        root: &Arc<Section>,
        strategy: Strategy,
    ) -> Batch {
        let selected = self.selected();
        let at_start =
            |name| HostProgress::new(name, Cursor::new(root.clone(), &selected), play.vars_files.is_empty());
        let mut batch = Batch {
            play: play.clone(),
            hosts: hosts.into_iter().map(at_start).collect(),
            handlers: handlers::list(&play.handlers, &Arc::default()),
            ahead: LookaheadWindow::new(self.services.options.look_ahead),
            end: None,
            strategy,
        };
        self.start_at(&mut batch, root);
        self.update_play_facts(&batch);
        batch
    }

    /// Passes over the gathering of facts on hosts whose facts are known.
    pub(crate) fn keep_facts(&self, batch: &mut Batch) {
        let selected = self.selected();
        for host in &mut batch.hosts {
            let gathers =
                matches!(host.cursor.current(), Some(Item::Task(task)) if task.is_gathering(&batch.play));
            let facts = self.world.vars.store.host(&host.name).facts;
            if gathers && facts.contains_key("gather_subset") {
                host.cursor.advance(&selected);
            }
        }
    }

    /// Returns whether a host of a batch can be worked on still: it was not lost, here or before.
    pub(crate) fn is_left(&self, host: &HostProgress) -> bool {
        !host.unreachable && !self.world.progress.lost.contains(&host.name)
    }

    /// Puts these hosts at the start of `root`, and the others at its end. Those that are lost stay so.
    pub(crate) fn restart(&mut self, batch: &mut Batch, hosts: &[usize], root: &Arc<Section>) {
        let selected = self.selected();
        let lost = &self.world.progress.lost;
        let left = batch.hosts.iter_mut().enumerate().filter(|(_, host)| !lost.contains(&host.name));
        for (index, host) in left {
            let root = if hosts.contains(&index) { root.clone() } else { Arc::default() };
            host.cursor = Cursor::new(root, &selected);
            host.prefetched.clear();
            host.roles.clear();
        }
        batch.end = None;
        self.update_play_facts(batch);
    }

    /// Runs a batch to its end.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(crate) async fn run_batch(&mut self, batch: &mut Batch) -> Result<BatchEnd, Diagnostics> {
        match batch.strategy {
            Strategy::Linear => self.run_linear(batch).await?,
            Strategy::Free => self.run_free(batch, usize::MAX).await?,
            Strategy::HostPinned => self.run_free(batch, self.services.options.forks.max(1)).await?,
        }
        let lost: Vec<Arc<str>> =
            batch.hosts.iter().filter(|host| !host.is_active()).map(|host| host.name.clone()).collect();
        self.world.progress.lost.extend(lost.iter().cloned());
        Ok(batch.end.unwrap_or(BatchEnd::Batch { lost: lost.len() }))
    }

    /// Lets magic variables show who is left.
    pub(super) fn update_play_facts(&mut self, batch: &Batch) {
        let is_well = |host: &HostProgress| !host.unreachable && !host.cursor.is_failing();
        let active: Vec<Arc<str>> =
            batch.hosts.iter().filter(|host| is_well(host)).map(|host| host.name.clone()).collect();
        let play = &self.world.vars.play;
        if play.batch == active {
            return;
        }
        let here = |host: &Arc<str>| batch.hosts.iter().find(|progress| progress.name == *host).map(is_well);
        let lost = &self.world.progress.lost;
        let is_left = |host: &&Arc<str>| here(host).unwrap_or(!lost.contains(*host));
        let all = play.all.iter().filter(is_left).cloned().collect();
        let facts = PlayFacts { active: all, batch: active, ..PlayFacts::clone(play) };
        self.world.vars.play = Arc::new(facts);
    }

    /// Records what a host comes to, and out of: so that a run that is resumed knows what a failure has led to.
    pub(super) fn record_blocks(&mut self, batch: &mut Batch, index: usize) {
        let host = &mut batch.hosts[index];
        for left in host.cursor.mark(self.world.resume_log.next()) {
            let host = host.name.clone();
            self.record(match left {
                Leave::Rescued { from } => Note::Rescued { host, from },
                Leave::Failed { from, turn, rescued } => Note::Fell { host, from, turn, rescue: rescued },
            });
        }
    }

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
            let prefetched = super::lookahead::take(&mut batch.hosts[index].prefetched, task, &prepared);
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
        let scope = self.world.vars.scope(&batch.hosts[index].name, Some(task.placed()));
        let wrong = |why: String| Diagnostic::user(format!("throttle: {why}")).at(task.task.at.clone());
        let value = self.services.templar.render(value, &scope, &context(Vec::new(), true)).and_then(known);
        let value = value.map_err(|error| wrong(error.to_string()))?;
        let limit = keywords::number(&value).map_err(wrong)? as usize;
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
        let scope = self.world.vars.scope(host, Some(task.placed()));
        let prepared = Prepared { scope, context: context(Vec::new(), true) };
        keywords::boolean(self.view(&task.task, &prepared), value, false)
            .map_err(|error: Error| error.diagnostic().at(task.task.at.clone()).into())
    }

    /// Adds what is left of a batch after an interruption to what was not done.
    pub(super) fn note_left(&mut self, batch: &Batch) {
        for host in &batch.hosts {
            if let (true, Some(Item::Task(task))) = (host.is_active(), host.cursor.current()) {
                let title = self.title(task, &host.name);
                let line = format!("{}: from task \"{title}\" on ({})", host.name, task.task.at);
                self.not_done(line);
            }
        }
    }
}
