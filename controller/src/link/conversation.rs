//! A conversation with one node's agent: sends windows of work, waits for their answers, keeps the link alive.
//!
//! One task per link runs four parts at once, until the first of them ends:
//!
//! | part | does |
//! |---|---|
//! | [`Incoming`] | follows the bootstrap, then reads messages |
//! | [`Outgoing`] | writes the opening, then messages, and content in between |
//! | [`upload`] | reads the content that the node asks for |
//! | [`LinkState::keep_alive`] | pings, and ends the link when the node is silent for too long |
//!
//! When one ends, everyone who waits for an answer gets its error. `docs/protocol.md` describes the messages.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoy_protocol::frame;
use convoy_protocol::message::{Answer, Step, ToAgent, Welcome, Window};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bootstrap::Opening;
use super::content::Contents;
use super::error::LinkError;
use super::incoming::Incoming;
use super::outgoing::{Outgoing, QUEUED_PARTS, upload};
use super::pull::Puller;
use super::shape::shape;
use super::state::{AnswerReceiver, LinkState};
use crate::sync::lock;

/// How long to wait, after a failed write, for the node to report why, and after a goodbye for the link to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How many contents a node may ask for at once. An agent asks for one at a time.
const MAX_NEEDS: usize = 16;

/// A conversation with one node's agent. Ends when dropped.
#[derive(Debug)]
pub struct Link {
    state: Arc<LinkState>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
    first: Mutex<Option<AnswerReceiver>>,
    task: JoinHandle<()>,
}

impl Link {
    /// Begins the conversation over a stream to the command line of `opening`. Returns at once: the first answer shows
    /// whether the agent could be started.
    ///
    /// Content that the agent asks for is sent from `contents`.
    pub fn open(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        mut opening: Opening,
        contents: Arc<Contents>,
    ) -> Self {
        let state = Arc::new(LinkState::new(opening.locks.clone()));
        let first = opening.first.take().map(|shape| state.expect(state.next_window(), shape));
        let (messages, outgoing) = mpsc::unbounded_channel();
        let task =
            tokio::spawn(converse(stream, opening, contents, state.clone(), messages.clone(), outgoing));
        Self { state, messages, first: Mutex::new(first), task }
    }

    /// Waits for the agent's introduction.
    ///
    /// # Errors
    /// If the agent cannot be started or the link fails before.
    pub async fn welcome(&self) -> Result<Arc<Welcome>, LinkError> {
        self.state.welcome().await
    }

    /// Waits for the answer to the window that the opening carried; `None` if it carried none, or its answer was taken
    /// before.
    ///
    /// # Errors
    /// As [`Link::request`].
    pub async fn first_answer(&self) -> Result<Option<Answer>, LinkError> {
        let receiver = lock(&self.first).take();
        match receiver {
            Some(receiver) => received(receiver).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sends one window and waits for its answer: the agent carries out the first step and looks ahead at the others.
    /// Costs one round trip. The answer fits the window.
    ///
    /// # Errors
    /// If the link fails before the answer arrives. It is then unknown what was done.
    pub async fn request(&self, steps: Vec<Step>) -> Result<Answer, LinkError> {
        let id = self.state.next_window();
        if steps.is_empty() {
            return Ok(Answer { window: id, steps: Vec::new() });
        }
        let shape = shape(&steps);
        let window = ToAgent::Window(Window { id, execute: true, steps });
        let bytes = frame::encode(&window).map_err(|error| LinkError::TooLarge(error.to_string()))?;
        let receiver = self.state.expect(id, shape);
        // If the channel is closed, the link has failed, and the receiver gets the reason.
        self.messages.send(bytes).ok();
        received(receiver).await
    }

    /// Returns what downloads content that outcomes have offered.
    pub fn puller(&self) -> Puller {
        Puller::new(self.state.pulls.clone(), self.messages.clone())
    }

    /// Returns what can reach the agent while an answer is pending.
    pub fn control(&self) -> LinkControl {
        LinkControl { state: self.state.clone(), messages: self.messages.clone() }
    }

    /// Tells the agent that the run is finished: it deletes what it has stored of the run's orders.
    pub fn forget(&self) {
        send(&self.messages, &ToAgent::Forget);
    }

    /// Tells the agent that the outcomes of these orders are recorded: it deletes its copies.
    pub fn acknowledge(&self, tickets: Vec<u64>) {
        send(&self.messages, &ToAgent::Acknowledge(tickets));
    }

    /// Says goodbye: the agent finishes what it is doing and cleans up.
    pub async fn close(mut self) {
        send(&self.messages, &ToAgent::Bye);
        timeout(LAST_WORDS, &mut self.task).await.ok();
    }

    /// Returns whether the agent has ever introduced itself.
    pub fn was_greeted(&self) -> bool {
        self.state.is_greeted()
    }

    /// Returns how many windows were sent.
    pub fn round_trips(&self) -> u64 {
        self.state.windows()
    }

    /// Returns how many bytes were sent and received.
    pub fn bytes(&self) -> (u64, u64) {
        self.state.bytes()
    }
}

/// Reaches an agent while an answer is pending.
#[derive(Debug, Clone)]
pub struct LinkControl {
    state: Arc<LinkState>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
}

impl LinkControl {
    /// Asks the agent to stop looking ahead in the current window, so that its answer comes soon.
    pub fn cancel(&self) {
        send(&self.messages, &ToAgent::Cancel);
    }

    /// Disconnects during the work: the agent finishes the current order on its own and stores its outcome.
    pub async fn detach(&self) {
        if !self.state.has_failed() && send(&self.messages, &ToAgent::Detach) {
            timeout(LAST_WORDS, self.state.detached.notified()).await.ok();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Queues a message; returns whether the link still takes any.
fn send(messages: &mpsc::UnboundedSender<Vec<u8>>, message: &ToAgent) -> bool {
    messages.send(frame::encode(message).unwrap_or_default()).is_ok()
}

async fn received(receiver: AnswerReceiver) -> Result<Answer, LinkError> {
    receiver.await.unwrap_or_else(|_| Err(LinkError::Closed("it was closed".into())))
}

/// Runs all parts of the link until one ends, then wakes everyone who waits.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    opening: Opening,
    contents: Arc<Contents>,
    state: Arc<LinkState>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
    outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    let silence = Duration::from_secs(opening.silence_seconds.max(1).into());
    let (source, sink) = tokio::io::split(stream);
    let (start, started) = oneshot::channel();
    let (needs, needed) = mpsc::channel(MAX_NEEDS);
    let (parts, queued) = mpsc::channel(QUEUED_PARTS);
    let incoming = Incoming { state: &state, needs, start: Some(start), ahead: opening.ahead.clone() };
    let mut reader = pin!(incoming.run(source));
    let outgoing = Outgoing { messages: outgoing, parts: queued, started };
    let writer = pin!(outgoing.run(sink, opening, &state.bytes_sent));
    let error = tokio::select! {
        biased;
        error = &mut reader => error,
        error = upload(contents, needed, parts) => error,
        error = state.keep_alive(messages, silence) => error,
        // A node that has stopped reading may have reported why.
        error = writer => timeout(LAST_WORDS, reader).await.unwrap_or(error),
    };
    state.fail(&error);
}
