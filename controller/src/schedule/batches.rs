//! Batches from their start to their end: where their hosts are, and who is left.

use std::sync::Arc;

use super::Scheduler;
use super::batch::Batch;
use super::handlers;
use super::strategy::Strategy;
use super::window::LookaheadWindow;
use crate::diagnostic::Diagnostics;
use crate::events::Note;
use crate::playbook::ast::Play;
use crate::state::batch::{BatchEnd, HostProgress};
use crate::state::cursor::{Cursor, Leave};
use crate::state::section::{Item, Section};

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
            handlers: handlers::list(&play.handlers),
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
        let left = play.all.iter().filter(is_left).cloned().collect();
        let play = self.world.play_facts();
        play.active = left;
        play.batch = active;
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
