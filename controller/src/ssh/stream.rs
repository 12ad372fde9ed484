//! The stream under SSH, whatever carries it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of what the server says first is kept for messages.
const GREETING: usize = 80;

/// What can carry SSH: a TCP connection, a channel of a jump host, a program.
pub(super) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Carrier for T {}

/// A stream that remembers how the server began.
///
/// Until it has, nothing that is written fails: who hung up may have said why before, which is there to be read, and then
/// the end.
pub(super) struct Greeted {
    stream: Box<dyn Carrier>,
    greeting: Greeting,
    greeted: bool,
}

impl Greeted {
    /// Takes a stream from which nothing was read.
    pub(super) fn new(stream: impl Carrier + 'static) -> Self {
        Self { stream: Box::new(stream), greeting: Greeting::default(), greeted: false }
    }

    /// Returns a handle to what the server says first.
    pub(super) fn greeting(&self) -> Greeting {
        self.greeting.clone()
    }

    fn written(&self, outcome: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        outcome.map(|outcome| outcome.or_else(|error| if self.greeted { Err(error) } else { Ok(length) }))
    }
}

/// The first line that came from the server.
#[derive(Clone, Default)]
pub(super) struct Greeting(Arc<Mutex<Vec<u8>>>);

impl Greeting {
    /// Returns the line so far, cut to a presentable length.
    pub(super) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).trim_end().to_owned()
    }

    /// Keeps the beginning; returns whether there is enough.
    fn keep(&self, bytes: &[u8]) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = GREETING - kept.len();
        kept.extend(bytes.iter().take(room));
        kept.len() == GREETING
    }
}

impl AsyncRead for Greeted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if outcome.is_ready() && !self.greeted {
            self.greeted = self.greeting.keep(&buf.filled()[before..]);
        }
        outcome
    }
}

impl AsyncWrite for Greeted {
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

    /// Returns a stream to a server that said something and hung up.
    async fn hung_up(said: &str) -> Greeted {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(said.as_bytes()).await.unwrap();
        Greeted::new(ours)
    }

    #[tokio::test]
    async fn who_hung_up_is_heard_first() {
        for said in ["", "hello\n"] {
            let mut stream = hung_up(said).await;
            let mut heard = String::new();
            stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
            stream.read_to_string(&mut heard).await.unwrap();
            assert_eq!((heard.as_str(), stream.greeting().text().as_str()), (said, said.trim_end()));
        }
    }

    #[tokio::test]
    async fn nothing_is_written_to_a_server_that_is_gone() {
        let mut stream = hung_up(&"x".repeat(GREETING)).await;
        stream.read_exact(&mut [0; GREETING]).await.unwrap();
        let error = stream.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
