//! What a task that executes asks of the scheduler.
//!
//! Tasks of several hosts execute at the same time and change nothing of the run themselves. They send requests, which the
//! scheduler serves one after the other, in the order in which they were sent and before it applies the outcome of the task that
//! sent them. Where the task must know the answer, or that something was recorded, it waits for a reply.

use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use convoy_agent::failure::Failure;
use convoy_protocol::message::Order;
use convoy_protocol::{Map, Origin, Status};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::irreversible::Work;
use super::resume_log::{PriorOutcome, TaskKey};
use super::section::TaskRef;
use super::undo_blocks::OpenUndoBlock;
use crate::events::{Note, RunEvent, Screen};
use crate::inventory::Addition;
use crate::playbook::ast::Task;
use crate::services::endpoint::Endpoint;

/// Where the scheduler sends a reply.
pub type Reply<T> = oneshot::Sender<T>;

/// The heading of a task, shown before the first of its results, and again when others came in between.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The task.
    pub task: Arc<Task>,
    /// What is shown.
    pub event: RunEvent,
}

/// A task on a host, as the journal knows it.
#[derive(Debug, Clone)]
pub struct JournalTask {
    /// What the journal knows it by.
    pub key: TaskKey,
    /// The task.
    pub task: TaskRef,
    /// The blocks with `undo:` that it is in, the outermost first.
    pub undo_blocks: Vec<Rc<OpenUndoBlock>>,
}

/// An answer of a node in check mode, which an earlier task might have made a different one.
#[derive(Debug)]
pub struct CheckedAnswer {
    /// The node.
    pub endpoint: Arc<Endpoint>,
    /// What was asked.
    pub order: Order,
    /// What was answered.
    pub status: Status,
    /// The values that came with it.
    pub values: Map,
    /// The title of the task.
    pub title: Arc<str>,
    /// Whether the task only looks, in every mode: it changes nothing that later tasks could see.
    pub looks: bool,
}

/// What the scheduler is asked.
#[derive(Debug)]
pub enum Request {
    /// Show and record an event, under its task's heading if there is one.
    Emit(Option<Heading>, RunEvent),
    /// Take the live display away.
    Hide(Reply<()>),
    /// Record something in the journal.
    Record(Note),
    /// Record something in the journal; the reply says that it is there.
    RecordFirst(Note, Reply<()>),
    /// What does the journal know of these orders of a task?
    Recall(JournalTask, Vec<Arc<str>>, Reply<Vec<Option<PriorOutcome>>>),
    /// Record that an order is about to be sent, in the place of an earlier one if there was one, and return its ticket.
    StartOrder(JournalTask, Arc<str>, Option<u64>, Reply<u64>),
    /// Name a job of the task at this place, on a host; by its ticket if it has one.
    NameJob(Arc<str>, Arc<Origin>, Option<u64>, Reply<Arc<str>>),
    /// The outcome of a job is known; the order removes from its node what is kept of it.
    FinishJob(Arc<Endpoint>, Order),
    /// Add to the inventory; was anything added?
    AddToInventory(Addition, Reply<Result<bool, Failure>>),
    /// Check mode: a task on a host may change something; with what it would ask, as far as that is known.
    MayChange(Arc<str>, Arc<Task>, Option<(Box<Order>, Arc<Endpoint>)>, Arc<str>),
    /// Check mode: why might this answer be a different one when the run is not in check mode?
    ExplainAnswer(Box<CheckedAnswer>, Reply<Option<Arc<str>>>),
    /// Check mode: why might there be no failure when the run is not in check mode? On a node, or on the workstation.
    ExplainFailure(Option<Arc<Endpoint>>, Reply<Option<Arc<str>>>),
    /// Check mode: a host would do work that cannot be undone.
    Irreversible(Work, Arc<str>),
}

/// Sends requests to the scheduler.
#[derive(Debug, Clone)]
pub struct Requests {
    sender: UnboundedSender<Request>,
}

impl Requests {
    /// Returns a sender, and where its requests arrive.
    pub fn channel() -> (Self, UnboundedReceiver<Request>) {
        let (sender, inbox) = unbounded_channel();
        (Self { sender }, inbox)
    }

    /// Sends a request that needs no reply.
    pub fn send(&self, request: Request) {
        // Without a scheduler the run is over, and so is the task that asks.
        let _ = self.sender.send(request);
    }

    /// Sends a request, and returns its reply.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> T {
        let (reply, answer) = oneshot::channel();
        self.send(request(reply));
        match answer.await {
            Ok(answer) => answer,
            // The run is over, and so is the task that asks.
            Err(_) => pending().await,
        }
    }

    /// Has an event shown and recorded.
    pub fn emit(&self, event: RunEvent) {
        self.send(Request::Emit(None, event));
    }

    /// Has a warning shown and recorded.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(RunEvent::Warning(text.into()));
    }
}

impl Screen for Requests {
    fn show(&self, event: RunEvent) {
        self.emit(event);
    }

    fn hide(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(self.ask(Request::Hide))
    }
}
