//! Serves what tasks ask for while they execute.

use std::sync::Arc;

use convoy_protocol::{Map, Status};

use super::Scheduler;
use crate::events::Note;
use crate::state::request::{CheckedAnswer, JournalTask, Reply, Request};
use crate::state::resume_log::{PriorOutcome, TaskKey};
use crate::state::undo_blocks::{BlockEntry, OpenUndoBlock, of_play};

/// Sends a reply. A task that no longer waits for it is gone, with its connection or its run.
fn answer<T>(reply: Reply<T>, value: T) {
    drop(reply.send(value));
}

impl Scheduler {
    /// Serves one request.
    pub(super) fn serve(&mut self, request: Request) {
        match request {
            Request::Emit(heading, event) => {
                self.show_heading(heading);
                self.emit(event);
            }
            Request::Hide(reply) => {
                self.hide_display();
                answer(reply, ());
            }
            Request::Record(note) => self.record(note),
            Request::RecordFirst(note, reply) => {
                self.record(note);
                answer(reply, ());
            }
            Request::Recall(task, asked, reply) => answer(reply, self.recall(&task, &asked)),
            Request::StartOrder(task, asked, instead, reply) => {
                answer(reply, self.start_order(&task, asked, instead));
            }
            Request::NameJob(host, at, ticket, reply) => {
                let run = &self.services.options.run;
                answer(reply, self.world.jobs.name(run, &host, &at, ticket));
            }
            Request::FinishJob(endpoint, forget) => self.world.jobs.finish(&endpoint, forget),
            Request::AddToInventory(addition, reply) => answer(reply, self.add_to_inventory(addition)),
            Request::MayChange(host, task, might, title) => {
                self.world.dry_run.pending.record_possible(&host, &task, might.as_ref(), &title);
            }
            Request::ExplainAnswer(checked, reply) => answer(reply, self.explain_answer(&checked)),
            Request::ExplainFailure(node, reply) => {
                let pending = &self.world.dry_run.pending;
                answer(reply, node.map_or_else(|| pending.anywhere(), |node| pending.of_node(&node)));
            }
            Request::Irreversible(work, host) => self.world.dry_run.irreversible.add(work, host),
        }
    }

    /// Takes what the journal knows of orders of a task. If that is anything, the journal learns again of the blocks that the task
    /// is in: what is set in them from now on is recorded.
    fn recall(&mut self, task: &JournalTask, asked: &[Arc<str>]) -> Vec<Option<PriorOutcome>> {
        let known = self.world.resume_log.take(&task.key, asked);
        if known.iter().any(Option::is_some) {
            self.start_undo_blocks(task);
        }
        known
    }

    /// Records that an order is about to be sent, and returns its ticket.
    fn start_order(&mut self, task: &JournalTask, asked: Arc<str>, instead: Option<u64>) -> u64 {
        let ticket = self.world.resume_log.ticket();
        let TaskKey { play, host, task: digest } = task.key.clone();
        let blocks = self.start_undo_blocks(task);
        self.record(Note::Begun { ticket, host, play, task: digest, asked, instead, blocks });
        ticket
    }

    /// Returns the numbers of the blocks with `undo:` that a task is in; records those that have none yet.
    fn start_undo_blocks(&mut self, task: &JournalTask) -> Vec<u64> {
        task.undo_blocks.iter().map(|block| self.start_undo_block(block, task)).collect()
    }

    fn start_undo_block(&mut self, block: &OpenUndoBlock, task: &JournalTask) -> u64 {
        if let Some(id) = block.id() {
            return id;
        }
        let id = self.world.resume_log.ticket();
        let host = &task.key.host;
        let vars = &self.world.vars;
        let entry = BlockEntry {
            host: host.clone(),
            play: self.world.progress.play_number,
            of_play: vars.play.play.as_ref().map(|play| of_play(play)).unwrap_or_default().into(),
            title: block.title(vars, &self.services.templar, host, task.task.placed()),
        };
        let set = Map::clone(&vars.store.host(host).set);
        let begun = block.start(id, entry, set);
        self.record(Note::Block(begun));
        id
    }

    /// Check mode: returns why an answer may be a different one when the run is not in check mode, and records what the order
    /// would change.
    fn explain_answer(&mut self, checked: &CheckedAnswer) -> Option<Arc<str>> {
        let CheckedAnswer { endpoint, order, status, values, title, looks } = checked;
        let pending = &mut self.world.dry_run.pending;
        let why = pending.of_answer(endpoint, order, *status, values);
        if !looks && (why.is_some() || matches!(status, Status::WouldChange | Status::Unknown)) {
            pending.record(endpoint, order, values, title);
        }
        why
    }
}
