//! Writes what goes to the node: the opening, then messages, and content whenever no message waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use convoy_protocol::{Digest, frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::bootstrap::Opening;
use super::content::Contents;
use super::error::LinkError;

/// How many parts of content are queued: enough to keep the connection busy, few enough to bound the memory used and
/// the time that a message waits.
pub(super) const QUEUED_PARTS: usize = 2;

/// The writing half of a link.
pub(super) struct Outgoing {
    /// Messages, already encoded.
    pub(super) messages: mpsc::UnboundedReceiver<Vec<u8>>,
    /// Parts of content, already encoded.
    pub(super) parts: mpsc::Receiver<Vec<u8>>,
    /// Yields what to send before the first message, once the node has reported whether it has the agent.
    pub(super) started: oneshot::Receiver<Vec<u8>>,
}

impl Outgoing {
    /// Writes until that fails; returns why.
    pub(super) async fn run(
        mut self,
        mut sink: impl AsyncWrite + Unpin,
        opening: Opening,
        sent: &AtomicU64,
    ) -> LinkError {
        let closed = |error: std::io::Error| LinkError::Closed(error.to_string());
        if let Err(error) = write(&mut sink, &opening.ahead, sent).await {
            return closed(error);
        }
        // If the sender is gone, the reading half has failed and returns the reason.
        let Ok(first) = self.started.await else { return std::future::pending().await };
        for bytes in [first, opening.behind] {
            if let Err(error) = write(&mut sink, &bytes, sent).await {
                return closed(error);
            }
        }
        loop {
            let bytes = tokio::select! {
                biased;
                Some(bytes) = self.messages.recv() => bytes,
                Some(bytes) = self.parts.recv() => bytes,
                else => return std::future::pending().await,
            };
            if let Err(error) = write(&mut sink, &bytes, sent).await {
                return closed(error);
            }
        }
    }
}

async fn write(sink: &mut (impl AsyncWrite + Unpin), bytes: &[u8], sent: &AtomicU64) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    sink.write_all(bytes).await?;
    sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    sink.flush().await
}

/// Queues the content that the node asks for, one after the other; returns only if that becomes impossible.
pub(super) async fn upload(
    contents: Arc<Contents>,
    mut needs: mpsc::Receiver<Digest>,
    parts: mpsc::Sender<Vec<u8>>,
) -> LinkError {
    while let Some(digest) = needs.recv().await {
        let registry = contents.clone();
        let mut reading = match spawn_blocking(move || registry.open(digest)).await {
            Ok(reading) => reading,
            Err(error) => return LinkError::Closed(error.to_string()),
        };
        loop {
            let part = spawn_blocking(move || {
                let part = reading.next().map(|message| frame::encode(&message));
                (reading, part)
            });
            match part.await {
                Ok((_, None)) => break,
                Ok((rest, Some(Ok(bytes)))) => {
                    reading = rest;
                    if parts.send(bytes).await.is_err() {
                        return std::future::pending().await;
                    }
                }
                Ok((_, Some(Err(error)))) => return LinkError::TooLarge(error.to_string()),
                Err(error) => return LinkError::Closed(error.to_string()),
            }
        }
    }
    std::future::pending().await
}
