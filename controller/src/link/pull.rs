//! Content that comes from the node: asked for part by part, so that it is the controller who says how much is on its way.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use convoy_protocol::message::{CHUNK, Chunk, ToAgent};
use convoy_protocol::{Digest, Offer, frame};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::mux::{Shared, lock};

/// How many parts are on their way at once: enough to keep the stream busy, few enough that memory stays bounded.
const WINDOW: usize = 8;

/// How long a node may take for one part. That it lives is known by its heart.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why content did not come.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The node has it no longer as it was.
    #[error("{0}")]
    Refused(String),
    /// What came is no part of it.
    #[error("the node sent something else: {0}")]
    Wrong(String),
    /// It could not be kept here.
    #[error("{0}")]
    Sink(#[from] io::Error),
    /// The connection ended, or the node sent nothing.
    #[error("the connection ended or the node sent nothing for {} s", PATIENCE.as_secs())]
    Lost,
}

type Part = Result<Chunk, String>;

/// Parts that were asked for.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    /// How many have not come yet, also of pulls that were given up.
    open: usize,
    /// Who waits for them, of what.
    waiting: Option<(Digest, mpsc::Sender<Part>)>,
}

impl Pulls {
    /// Takes what the node sent; tells whether it was asked for.
    pub(super) fn take(&self, digest: Digest, part: Part) -> bool {
        let mut asked = lock(&self.0);
        let Some(open) = asked.open.checked_sub(1) else { return false };
        asked.open = open;
        if let Some((_, waiting)) = asked.waiting.as_ref().filter(|(wanted, _)| *wanted == digest) {
            // There is room for all that is on its way; a pull that was given up takes no more.
            waiting.try_send(part).ok();
        }
        true
    }

    /// Ends all waiting: nothing comes any more.
    pub(super) fn end(&self) {
        lock(&self.0).waiting = None;
    }
}

/// Takes content from a node.
#[derive(Debug, Clone)]
pub struct Puller {
    pub(super) shared: Arc<Shared>,
    pub(super) messages: mpsc::UnboundedSender<Vec<u8>>,
}

impl Puller {
    /// Has `sink` take what was offered, part by part, in order. Whether the whole has the digest that was promised is
    /// for the caller to see.
    ///
    /// # Errors
    /// If it does not come whole, or `sink` fails.
    pub async fn pull(
        &self,
        offer: Offer,
        mut sink: impl AsyncFnMut(Vec<u8>) -> io::Result<()>,
    ) -> Result<(), PullError> {
        // One at a time: the others wait without holding anything up.
        let _turn = self.shared.pulling.lock().await;
        let mut parts = self.begin(offer.digest);
        let (mut asked, mut came) = (0, 0);
        let mut open = 0;
        loop {
            while open < WINDOW && (asked < offer.size || asked == 0) {
                self.ask(offer.digest, asked);
                (asked, open) = (asked + CHUNK as u64, open + 1);
            }
            let part = timeout(PATIENCE, parts.recv()).await.ok().flatten().ok_or(PullError::Lost)?;
            open -= 1;
            let bytes = part.map_err(PullError::Refused)?.unpack();
            let bytes = bytes.map_err(|error| PullError::Wrong(error.to_string()))?;
            let expected = (offer.size - came).min(CHUNK as u64);
            if bytes.len() as u64 != expected {
                return Err(PullError::Wrong(format!("a part of {} bytes, not {expected}", bytes.len())));
            }
            came += expected;
            sink(bytes).await?;
            if came == offer.size {
                return Ok(());
            }
        }
    }

    fn begin(&self, digest: Digest) -> mpsc::Receiver<Part> {
        let (sender, parts) = mpsc::channel(WINDOW);
        let mut asked = lock(&self.shared.pulls.0);
        if !self.shared.is_dead() {
            asked.waiting = Some((digest, sender));
        }
        parts
    }

    fn ask(&self, digest: Digest, offset: u64) {
        lock(&self.shared.pulls.0).open += 1;
        let message = frame::encode(&ToAgent::Pull { digest, offset }).unwrap_or_default();
        // If nobody takes it the link has failed, and no part comes.
        self.messages.send(message).ok();
    }
}
