//! The state that the tasks of one link share: pending answers, liveness and traffic counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoy_protocol::frame;
use convoy_protocol::message::{Answer, ToAgent, Welcome};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, interval};

use super::bootstrap::FIRST_WINDOW;
use super::error::LinkError;
use super::locks::HeldLocks;
use super::pull::Pulls;
use super::shape::{WindowShape, mismatch};
use crate::sync::lock;

/// The longest time between two pings. A short silence limit makes them more frequent.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Receives the answer to one window, or why there will be none.
pub(super) type AnswerReceiver = oneshot::Receiver<Result<Answer, LinkError>>;

/// Shared by the reading, writing and waiting tasks of a link.
#[derive(Debug)]
pub(super) struct LinkState {
    pending: Mutex<Pending>,
    last_heard: Mutex<Instant>,
    pub(super) bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    next_window: AtomicU64,
    welcome: watch::Sender<Option<Result<Arc<Welcome>, LinkError>>>,
    /// Content that the controller has asked the node for.
    pub(super) pulls: Arc<Pulls>,
    /// Notified when the agent confirms that it continues on its own.
    pub(super) detached: Notify,
    /// Whether the agent has introduced itself. Until it has, it cannot have done anything.
    greeted: AtomicBool,
    pub(super) locks: Arc<HeldLocks>,
}

/// Windows without an answer.
#[derive(Debug, Default)]
struct Pending {
    /// Why the link has failed, if it has: no window gets an answer any more.
    failure: Option<LinkError>,
    windows: HashMap<u64, (WindowShape, oneshot::Sender<Result<Answer, LinkError>>)>,
}

impl LinkState {
    /// Returns the state of a link that has just been opened.
    pub(super) fn new(locks: Arc<HeldLocks>) -> Self {
        Self {
            pending: Mutex::default(),
            last_heard: Mutex::new(Instant::now()),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            next_window: AtomicU64::new(FIRST_WINDOW),
            welcome: watch::Sender::new(None),
            pulls: Arc::default(),
            detached: Notify::new(),
            greeted: AtomicBool::new(false),
            locks,
        }
    }

    /// Returns the number of the next window.
    pub(super) fn next_window(&self) -> u64 {
        self.next_window.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns how many windows have been numbered.
    pub(super) fn windows(&self) -> u64 {
        self.next_window.load(Ordering::Relaxed) - FIRST_WINDOW
    }

    /// Registers a window; returns the receiver of its answer, which fails at once if the link has failed.
    pub(super) fn expect(&self, id: u64, shape: WindowShape) -> AnswerReceiver {
        let (sender, receiver) = oneshot::channel();
        let mut pending = lock(&self.pending);
        match pending.failure.clone() {
            // The receiver is still in hand here, so that this cannot fail.
            Some(error) => drop(sender.send(Err(error))),
            None => drop(pending.windows.insert(id, (shape, sender))),
        }
        receiver
    }

    /// Records that so many bytes came from the node.
    pub(super) fn heard(&self, bytes: usize) {
        self.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
        *lock(&self.last_heard) = Instant::now();
    }

    /// Returns how many bytes were sent and received.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.bytes_sent.load(Ordering::Relaxed), self.bytes_received.load(Ordering::Relaxed))
    }

    /// Records the agent's introduction.
    pub(super) fn welcomed(&self, welcome: Welcome) {
        self.greeted.store(true, Ordering::Relaxed);
        self.welcome.send_replace(Some(Ok(Arc::new(welcome))));
    }

    /// Returns whether the agent has introduced itself.
    pub(super) fn is_greeted(&self) -> bool {
        self.greeted.load(Ordering::Relaxed)
    }

    /// Waits for the agent's introduction.
    pub(super) async fn welcome(&self) -> Result<Arc<Welcome>, LinkError> {
        let mut welcome = self.welcome.subscribe();
        let received = welcome.wait_for(Option::is_some).await.map(|welcome| welcome.clone());
        received.ok().flatten().unwrap_or_else(|| Err(LinkError::Closed("it was closed".into())))
    }

    /// Passes an answer on to whoever waits for it.
    pub(super) fn answered(&self, answer: Answer) -> Result<(), LinkError> {
        let pending = lock(&self.pending).windows.remove(&answer.window);
        let Some((shape, sender)) = pending else {
            return Err(LinkError::Protocol(format!(
                "an answer to window {}, which is not pending",
                answer.window
            )));
        };
        let error = mismatch(&answer, &shape).map(LinkError::Protocol);
        let result = error.clone().map_or(Ok(answer), Err);
        // Whoever asked may have given up.
        sender.send(result).ok();
        error.map_or(Ok(()), Err)
    }

    /// Returns whether the link has failed.
    pub(super) fn has_failed(&self) -> bool {
        lock(&self.pending).failure.is_some()
    }

    /// Marks the link as failed and wakes everyone who waits.
    pub(super) fn fail(&self, error: &LinkError) {
        let mut pending = lock(&self.pending);
        pending.failure = Some(error.clone());
        for (_, (_, sender)) in pending.windows.drain() {
            sender.send(Err(error.clone())).ok();
        }
        drop(pending);
        self.pulls.close();
        self.welcome.send_replace(Some(Err(error.clone())));
    }

    /// Pings the agent as long as it runs; returns when the node has been silent for too long.
    pub(super) async fn keep_alive(
        &self,
        messages: mpsc::UnboundedSender<Vec<u8>>,
        silence: Duration,
    ) -> LinkError {
        let mut ticks = interval(PING_INTERVAL.min(silence / 6));
        let mut number = 0;
        loop {
            ticks.tick().await;
            if lock(&self.last_heard).elapsed() > silence {
                return LinkError::Silent(silence.as_secs());
            }
            if self.welcome.borrow().is_some() {
                number += 1;
                let ping = frame::encode(&ToAgent::Ping(number)).unwrap_or_default();
                // If the channel is closed, the link is ending.
                messages.send(ping).ok();
            }
        }
    }
}
