//! A live conversation with one node's agent.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convoy_protocol::frame;
use convoy_protocol::message::{Answer, Step, ToAgent, Welcome, Window};
use convoy_protocol::{Outcome, Status};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};

use super::bootstrap::FIRST;
use super::incoming::Incoming;
use super::outgoing::{Outgoing, PARTS, pump};
use super::pull::{Puller, Pulls};
use super::{Contents, Entries, LinkError, Opening};

/// The time between two signs of life, if the silence allowed is not short.
const PING: Duration = Duration::from_secs(5);

/// How long a failed write waits for the node's own words about it, and a goodbye for the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How many contents a node may ask for at once. An agent asks for one at a time.
const NEEDS: usize = 16;

/// A live conversation with one node's agent. Ends when dropped.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
    first: Mutex<Option<Waiter>>,
    task: JoinHandle<()>,
}

type Waiter = oneshot::Receiver<Result<Answer, LinkError>>;

/// For each step asked for, for each of its orders: whether it is in check mode.
type Shape = Vec<Vec<bool>>;

pub(super) fn shape(steps: &[Step]) -> Shape {
    steps.iter().map(|step| step.orders.iter().map(|order| order.check).collect()).collect()
}

/// What the tasks of a link share.
#[derive(Debug)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    heard: Mutex<Instant>,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    windows: AtomicU64,
    welcome: watch::Sender<Option<Result<Arc<Welcome>, LinkError>>>,
    /// Content that comes from the node.
    pub(super) pulls: Pulls,
    /// Held while content comes: one after the other.
    pub(super) pulling: tokio::sync::Mutex<()>,
    /// Told when the agent goes on alone.
    pub(super) alone: Notify,
    /// Whether the agent was there: only then it may have done something.
    greeted: AtomicBool,
    pub(super) entries: Arc<Entries>,
}

#[derive(Debug, Default)]
struct Waiting {
    dead: Option<LinkError>,
    windows: HashMap<u64, (Shape, oneshot::Sender<Result<Answer, LinkError>>)>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn expect(&self, id: u64, shape: Shape) -> Waiter {
        let (answer, waiter) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        match waiting.dead.clone() {
            // Whoever asks holds the other end.
            Some(error) => drop(answer.send(Err(error))),
            None => drop(waiting.windows.insert(id, (shape, answer))),
        }
        waiter
    }

    pub(super) fn hear(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        *lock(&self.heard) = Instant::now();
    }

    pub(super) fn welcome(&self, welcome: Welcome) {
        self.greeted.store(true, Ordering::Relaxed);
        self.welcome.send_replace(Some(Ok(Arc::new(welcome))));
    }

    pub(super) fn answer(&self, answer: Answer) -> Result<(), LinkError> {
        let asked = lock(&self.waiting).windows.remove(&answer.window);
        let Some((shape, waiter)) = asked else {
            return Err(LinkError::Nonsense(format!(
                "an answer to the window {}, which nobody asked",
                answer.window
            )));
        };
        let wrong = misfit(&answer, &shape).map(LinkError::Nonsense);
        let result = wrong.clone().map_or(Ok(answer), Err);
        // It may have been given up by who asked.
        waiter.send(result).ok();
        wrong.map_or(Ok(()), Err)
    }

    /// Returns whether the link has failed.
    pub(super) fn is_dead(&self) -> bool {
        lock(&self.waiting).dead.is_some()
    }

    fn fail(&self, error: &LinkError) {
        let mut waiting = lock(&self.waiting);
        waiting.dead = Some(error.clone());
        for (_, (_, waiter)) in waiting.windows.drain() {
            waiter.send(Err(error.clone())).ok();
        }
        drop(waiting);
        self.pulls.end();
        self.welcome.send_replace(Some(Err(error.clone())));
    }

    /// Sends signs of life while the agent runs; returns when nothing was heard for too long.
    async fn heart(&self, messages: mpsc::UnboundedSender<Vec<u8>>, silence: Duration) -> LinkError {
        let mut ticks = interval(PING.min(silence / 6));
        let mut number = 0;
        loop {
            ticks.tick().await;
            if lock(&self.heard).elapsed() > silence {
                return LinkError::Silent(silence.as_secs());
            }
            if self.welcome.borrow().is_some() {
                number += 1;
                let ping = frame::encode(&ToAgent::Ping(number)).unwrap_or_default();
                // If nobody takes it the link is ending.
                messages.send(ping).ok();
            }
        }
    }
}

/// Returns what is wrong with an answer, given what was asked.
fn misfit(answer: &Answer, shape: &Shape) -> Option<String> {
    let same = |outcome: &Outcome| outcome.status == Status::Same;
    let fits = |outcome: &Outcome, check: bool| match outcome.status {
        Status::Same | Status::Failed => true,
        Status::Ran | Status::Changed | Status::Interrupted => !check,
        Status::WouldChange | Status::Unknown => check,
    };
    let [first, others @ ..] = &answer.steps[..] else {
        return Some("an answer without the first step".into());
    };
    if answer.steps.len() > shape.len() {
        return Some(format!("{} steps answered, {} asked", answer.steps.len(), shape.len()));
    }
    for (outcomes, orders) in answer.steps.iter().zip(shape) {
        if outcomes.len() != orders.len() {
            return Some(format!("{} outcomes of {} orders", outcomes.len(), orders.len()));
        }
    }
    if !first.iter().zip(&shape[0]).all(|(outcome, check)| fits(outcome, *check)) {
        return Some("an outcome that the order's mode cannot have".into());
    }
    if !others.is_empty() && !answer.steps.iter().flatten().all(same) {
        return Some("steps that were not all the same as asked, behind one another".into());
    }
    None
}

impl Link {
    /// Begins the conversation over a stream to the shell line of `opening`. Waits for nothing: whether the agent
    /// could be started is told by the first answer.
    ///
    /// What the agent asks for is sent from `contents`.
    pub fn open(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        mut opening: Opening,
        contents: Arc<Contents>,
    ) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            heard: Mutex::new(Instant::now()),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            windows: AtomicU64::new(FIRST),
            welcome: watch::Sender::new(None),
            pulls: Pulls::default(),
            pulling: tokio::sync::Mutex::default(),
            alone: Notify::new(),
            greeted: AtomicBool::new(false),
            entries: opening.entries.clone(),
        });
        let first = opening
            .first
            .take()
            .map(|shape| shared.expect(shared.windows.fetch_add(1, Ordering::Relaxed), shape));
        let (messages, outgoing) = mpsc::unbounded_channel();
        let task =
            tokio::spawn(converse(stream, opening, contents, shared.clone(), messages.clone(), outgoing));
        Self { shared, messages, first: Mutex::new(first), task }
    }

    /// Waits for the agent's introduction.
    ///
    /// # Errors
    /// If the agent cannot be started or the link fails before.
    pub async fn welcome(&self) -> Result<Arc<Welcome>, LinkError> {
        let mut seen = self.shared.welcome.subscribe();
        let known = seen.wait_for(Option::is_some).await.map(|known| known.clone());
        known.ok().flatten().unwrap_or_else(|| Err(LinkError::Ended("it was closed".into())))
    }

    /// Waits for the answer to the work that the opening carried; `None` if it carried none or was asked before.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub async fn first(&self) -> Result<Option<Answer>, LinkError> {
        let waiter = lock(&self.first).take();
        match waiter {
            Some(waiter) => received(waiter).await.map(Some),
            None => Ok(None),
        }
    }

    /// Has one window done: the first step in earnest, a look at the others. One round trip.
    ///
    /// The answer has been checked to fit what was asked.
    ///
    /// # Errors
    /// If the link fails before the answer is there: then it is not known what was done.
    pub async fn ask(&self, steps: Vec<Step>) -> Result<Answer, LinkError> {
        let id = self.shared.windows.fetch_add(1, Ordering::Relaxed);
        if steps.is_empty() {
            return Ok(Answer { window: id, steps: Vec::new() });
        }
        let shape = shape(&steps);
        let window = ToAgent::Window(Window { id, execute: true, steps });
        let bytes = frame::encode(&window).map_err(|error| LinkError::TooLarge(error.to_string()))?;
        let waiter = self.shared.expect(id, shape);
        // If nobody takes it the link has failed, and the waiter says why.
        self.messages.send(bytes).ok();
        received(waiter).await
    }

    /// Returns what takes content that outcomes have offered.
    pub fn puller(&self) -> Puller {
        Puller { shared: self.shared.clone(), messages: self.messages.clone() }
    }

    /// Lets the agent forget all orders of the run: it is finished.
    pub fn forget(&self) {
        self.messages.send(frame::encode(&ToAgent::Forget).unwrap_or_default()).ok();
    }

    /// Returns what can speak to the agent while an answer is waited for.
    pub fn aside(&self) -> Aside {
        Aside { shared: self.shared.clone(), messages: self.messages.clone() }
    }

    /// Lets the agent forget what came of the orders with these tickets.
    pub fn acknowledge(&self, tickets: Vec<u64>) {
        self.messages.send(frame::encode(&ToAgent::Acknowledge(tickets)).unwrap_or_default()).ok();
    }

    /// Takes leave: the agent finishes what it does and cleans up.
    pub async fn close(mut self) {
        self.messages.send(frame::encode(&ToAgent::Bye).unwrap_or_default()).ok();
        timeout(LAST_WORDS, &mut self.task).await.ok();
    }

    /// Returns whether the agent was ever there.
    pub fn was_greeted(&self) -> bool {
        self.shared.greeted.load(Ordering::Relaxed)
    }

    /// Returns how many windows were sent.
    pub fn round_trips(&self) -> u64 {
        self.shared.windows.load(Ordering::Relaxed) - FIRST
    }

    /// Returns how many bytes were sent and received.
    pub fn bytes(&self) -> (u64, u64) {
        (self.shared.sent.load(Ordering::Relaxed), self.shared.received.load(Ordering::Relaxed))
    }
}

/// Speaks to an agent while an answer is waited for.
#[derive(Debug, Clone)]
pub struct Aside {
    shared: Arc<Shared>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
}

impl Aside {
    /// Asks the agent not to look ahead any further in the running window, so that its answer comes soon.
    pub fn cancel(&self) {
        self.messages.send(frame::encode(&ToAgent::Cancel).unwrap_or_default()).ok();
    }

    /// Leaves in the middle of the work: the agent finishes the running order by itself, and keeps what comes of it.
    pub async fn detach(&self) {
        if !self.shared.is_dead()
            && self.messages.send(frame::encode(&ToAgent::Detach).unwrap_or_default()).is_ok()
        {
            timeout(LAST_WORDS, self.shared.alone.notified()).await.ok();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn received(waiter: Waiter) -> Result<Answer, LinkError> {
    waiter.await.unwrap_or_else(|_| Err(LinkError::Ended("it was closed".into())))
}

/// Runs both halves and the heart until one fails, then tells all who wait.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    opening: Opening,
    contents: Arc<Contents>,
    shared: Arc<Shared>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
    outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    let silence = Duration::from_secs(opening.silence.max(1).into());
    let (source, sink) = tokio::io::split(stream);
    let (go, gone) = oneshot::channel();
    let (needs, needed) = mpsc::channel(NEEDS);
    let (parts, queued) = mpsc::channel(PARTS);
    let incoming = Incoming { shared: &shared, needs, go: Some(go), ahead: opening.ahead.clone() };
    let mut reader = pin!(incoming.run(source));
    let outgoing = Outgoing { messages: outgoing, parts: queued, go: gone };
    let writer = pin!(outgoing.run(sink, opening, &shared.sent));
    let error = tokio::select! {
        biased;
        error = &mut reader => error,
        error = pump(contents, needed, parts) => error,
        error = shared.heart(messages, silence) => error,
        // A node that does not read any more may have said why.
        error = writer => timeout(LAST_WORDS, reader).await.unwrap_or(error),
    };
    shared.fail(&error);
}
