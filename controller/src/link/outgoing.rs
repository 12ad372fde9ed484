//! What goes to the node: the opening, then messages, with content only where there is nothing else to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use convoy_protocol::{Digest, frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::{Contents, LinkError, Opening};

/// How many parts of content wait to be sent: enough to keep the stream busy, few enough that memory stays bounded
/// and that no other message waits long.
pub(super) const PARTS: usize = 2;

/// The writing half of a link.
pub(super) struct Outgoing {
    /// Messages, already encoded.
    pub(super) messages: mpsc::UnboundedReceiver<Vec<u8>>,
    /// Parts of content, already encoded.
    pub(super) parts: mpsc::Receiver<Vec<u8>>,
    /// What has to be sent before messages may be: known when the node has said whether it has the agent.
    pub(super) go: oneshot::Receiver<Vec<u8>>,
}

impl Outgoing {
    /// Writes until that fails; returns why.
    pub(super) async fn run(
        mut self,
        mut sink: impl AsyncWrite + Unpin,
        opening: Opening,
        sent: &AtomicU64,
    ) -> LinkError {
        let ended = |error: std::io::Error| LinkError::Ended(error.to_string());
        if let Err(error) = write(&mut sink, &opening.ahead, sent).await {
            return ended(error);
        }
        // Without a word from the node the reading half has failed, and says why.
        let Ok(first) = self.go.await else { return std::future::pending().await };
        for bytes in [first, opening.behind] {
            if let Err(error) = write(&mut sink, &bytes, sent).await {
                return ended(error);
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
                return ended(error);
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

/// Sends the content that the node asks for, one after the other; returns only if that is no longer possible.
pub(super) async fn pump(
    contents: Arc<Contents>,
    mut needs: mpsc::Receiver<Digest>,
    parts: mpsc::Sender<Vec<u8>>,
) -> LinkError {
    while let Some(digest) = needs.recv().await {
        let registry = contents.clone();
        let mut reading = match spawn_blocking(move || registry.open(digest)).await {
            Ok(reading) => reading,
            Err(error) => return LinkError::Ended(error.to_string()),
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
                Err(error) => return LinkError::Ended(error.to_string()),
            }
        }
    }
    std::future::pending().await
}
