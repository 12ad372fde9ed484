//! Downloads content from the node. The controller requests it part by part and so limits how much is in flight.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoy_protocol::message::{CHUNK, Chunk, ToAgent};
use convoy_protocol::{Digest, Offer, frame};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::sync::lock;

/// How many parts are in flight: enough to keep the connection busy, few enough to bound the memory used.
const WINDOW: usize = 8;

/// How long a node may take for one part. Whether the node is alive at all is the keep-alive's business.
const PART_TIMEOUT: Duration = Duration::from_secs(60);

/// Why content could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The node no longer has the content.
    #[error("{0}")]
    Refused(String),
    /// The node sent something other than the next part.
    #[error("the node sent something else: {0}")]
    Unexpected(String),
    /// The content could not be stored here.
    #[error("{0}")]
    Sink(#[from] io::Error),
    /// The connection ended, or the node sent nothing.
    #[error("the connection ended or the node sent nothing for {} s", PART_TIMEOUT.as_secs())]
    Lost,
}

type Part = Result<Chunk, String>;

/// The parts that were requested from a node and have not arrived.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    requests: Mutex<Requests>,
    /// Held during a download: there is one at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Requests {
    /// How many parts have not arrived, those of abandoned downloads included.
    outstanding: usize,
    /// The download in progress: its content, and where its parts go.
    receiver: Option<(Digest, mpsc::Sender<Part>)>,
    /// Whether the link has failed, so that no part will arrive.
    closed: bool,
}

impl Pulls {
    /// Takes a part that the node sent; returns whether it was requested.
    pub(super) fn take(&self, digest: Digest, part: Part) -> bool {
        let mut requests = lock(&self.requests);
        let Some(outstanding) = requests.outstanding.checked_sub(1) else { return false };
        requests.outstanding = outstanding;
        if let Some((_, receiver)) = requests.receiver.as_ref().filter(|(wanted, _)| *wanted == digest) {
            // There is room for all parts in flight. It fails only if the download was abandoned.
            receiver.try_send(part).ok();
        }
        true
    }

    /// Ends the download in progress, and those to come.
    pub(super) fn close(&self) {
        let mut requests = lock(&self.requests);
        requests.closed = true;
        requests.receiver = None;
    }

    /// Begins a download; returns where its parts arrive.
    fn begin(&self, digest: Digest) -> mpsc::Receiver<Part> {
        let (sender, parts) = mpsc::channel(WINDOW);
        let mut requests = lock(&self.requests);
        if !requests.closed {
            requests.receiver = Some((digest, sender));
        }
        parts
    }
}

/// Downloads content that a node has offered.
#[derive(Debug, Clone)]
pub struct Puller {
    pulls: Arc<Pulls>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
}

impl Puller {
    /// Returns one that requests parts through `messages`.
    pub(super) fn new(pulls: Arc<Pulls>, messages: mpsc::UnboundedSender<Vec<u8>>) -> Self {
        Self { pulls, messages }
    }

    /// Passes the offered content to `sink`, part by part, in order. The caller must check that the whole has the
    /// digest that was offered.
    ///
    /// # Errors
    /// If the content does not arrive whole, or `sink` fails.
    pub async fn pull(
        &self,
        offer: Offer,
        mut sink: impl AsyncFnMut(Vec<u8>) -> io::Result<()>,
    ) -> Result<(), PullError> {
        let _turn = self.pulls.turn.lock().await;
        let mut parts = self.pulls.begin(offer.digest);
        let (mut requested, mut received) = (0, 0);
        let mut in_flight = 0;
        loop {
            while in_flight < WINDOW && (requested < offer.size || requested == 0) {
                self.request(offer.digest, requested);
                (requested, in_flight) = (requested + CHUNK as u64, in_flight + 1);
            }
            let part = timeout(PART_TIMEOUT, parts.recv()).await.ok().flatten().ok_or(PullError::Lost)?;
            in_flight -= 1;
            let bytes = part.map_err(PullError::Refused)?.unpack();
            let bytes = bytes.map_err(|error| PullError::Unexpected(error.to_string()))?;
            let expected = (offer.size - received).min(CHUNK as u64);
            if bytes.len() as u64 != expected {
                return Err(PullError::Unexpected(format!(
                    "a part of {} bytes, not {expected}",
                    bytes.len()
                )));
            }
            received += expected;
            sink(bytes).await?;
            if received == offer.size {
                return Ok(());
            }
        }
    }

    fn request(&self, digest: Digest, offset: u64) {
        lock(&self.pulls.requests).outstanding += 1;
        let message = frame::encode(&ToAgent::Pull { digest, offset }).unwrap_or_default();
        // If the channel is closed, the link has failed, and the parts end.
        self.messages.send(message).ok();
    }
}
