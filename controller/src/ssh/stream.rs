//! The byte stream under an SSH connection, whatever carries it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::sync::lock;

/// How many bytes of the server's first line are kept, for messages.
const MAX_GREETING: usize = 80;

/// What can carry SSH: a TCP connection, a channel through a jump host, a program.
pub(super) trait RawStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> RawStream for T {}

/// A stream that records the server's first line.
///
/// Until the line is complete, failed writes are ignored: a server that closed the connection may have sent the reason
/// before, and reading returns that, and then the end.
pub(super) struct GreetingRecorder {
    stream: Box<dyn RawStream>,
    greeting: Greeting,
    complete: bool,
}

impl GreetingRecorder {
    /// Wraps a stream from which nothing has been read.
    pub(super) fn new(stream: impl RawStream + 'static) -> Self {
        Self { stream: Box::new(stream), greeting: Greeting::default(), complete: false }
    }

    /// Returns a handle to the greeting, which fills as the stream is read.
    pub(super) fn greeting(&self) -> Greeting {
        self.greeting.clone()
    }

    /// Returns the outcome of a write of `length` bytes as the caller sees it.
    fn written(&self, outcome: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        outcome.map(|outcome| outcome.or_else(|error| if self.complete { Err(error) } else { Ok(length) }))
    }
}

/// The first line that the server sent.
#[derive(Clone, Default)]
pub(super) struct Greeting(Arc<Mutex<Vec<u8>>>);

impl Greeting {
    /// Returns the line as far as it was received and kept.
    pub(super) fn text(&self) -> String {
        let bytes = lock(&self.0);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).trim_end().to_owned()
    }

    /// Adds received bytes; returns whether enough of them are kept.
    fn add(&self, bytes: &[u8]) -> bool {
        let mut kept = lock(&self.0);
        let room = MAX_GREETING - kept.len();
        kept.extend(bytes.iter().take(room));
        kept.len() == MAX_GREETING
    }
}

impl AsyncRead for GreetingRecorder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if outcome.is_ready() && !self.complete {
            self.complete = self.greeting.add(&buf.filled()[before..]);
        }
        outcome
    }
}

impl AsyncWrite for GreetingRecorder {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(outcome, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(outcome, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Returns a stream to a server that has sent a text and closed the connection.
    async fn closed_after(text: &str) -> GreetingRecorder {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(text.as_bytes()).await.unwrap();
        GreetingRecorder::new(ours)
    }

    #[tokio::test]
    async fn what_a_server_sent_before_it_closed_the_connection_is_read() {
        for text in ["", "hello\n"] {
            let mut stream = closed_after(text).await;
            let mut received = String::new();
            stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
            stream.read_to_string(&mut received).await.unwrap();
            assert_eq!((received.as_str(), stream.greeting().text().as_str()), (text, text.trim_end()));
        }
    }

    #[tokio::test]
    async fn writing_fails_once_the_greeting_is_complete() {
        let mut stream = closed_after(&"x".repeat(MAX_GREETING)).await;
        stream.read_exact(&mut [0; MAX_GREETING]).await.unwrap();
        let error = stream.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
