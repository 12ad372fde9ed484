//! A connection that is logged in, and the commands that run on it.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf, Disconnect, Sig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::{Peer, Reason, Unreachable};
use super::host_key::{Checker, Heard};

/// How much of a command's standard error is kept.
const STDERR_TAIL: usize = 8 * 1024;
/// How many packets of output wait for a reader before the node has to.
const OUTPUT_PACKETS: usize = 16;
/// The code of standard error among SSH's extended data.
const STDERR: u32 = 1;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Something that a connection needs until it ends.
pub(super) type Carrier = Box<dyn Any + Send + Sync>;

/// One authenticated connection to a node.
pub struct Session {
    handle: Handle<Checker>,
    peer: Peer,
    heard: Heard,
    /// What carries it, a jump host or a program, which stays for as long.
    _carrier: Option<Carrier>,
}

/// A command that runs on the node.
pub struct Running {
    /// Its standard input and output.
    pub stream: ByteStream,
    /// What else is known of it.
    pub process: Process,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(u32),
    /// By a signal, `KILL`.
    Signal(String),
    /// Nobody knows: the connection broke, the stream was dropped, or the server did not say.
    Lost,
    /// The server did not start it.
    Refused,
}

impl Session {
    pub(super) fn new(handle: Handle<Checker>, peer: Peer, heard: Heard, carrier: Option<Carrier>) -> Self {
        Self { handle, peer, heard, _carrier: carrier }
    }

    /// Returns whether the connection is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Has the node connect us to another one (`direct-tcpip`).
    pub(super) async fn forward(&self, peer: &Peer, hop: &str) -> Result<ByteStream, Reason> {
        let opened = self.handle.channel_open_direct_tcpip(&*peer.address, peer.port.into(), "127.0.0.1", 0);
        let channel = opened.await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(why) => Reason::NoForward {
                hop: hop.to_owned(),
                peer: peer.clone(),
                detail: match why {
                    ChannelOpenFailure::AdministrativelyProhibited => "does not allow a connection to",
                    ChannelOpenFailure::ConnectFailed => "cannot connect to",
                    _ => "makes no connection to",
                },
            },
            other => {
                Reason::JumpHost { hop: hop.to_owned(), reason: self.failure(other).reason().clone().into() }
            }
        })?;
        Ok(stream(channel).stream)
    }

    /// Starts a command; what is written before the server confirms it waits in its standard input.
    ///
    /// Read the output without waiting for the input to be taken: all commands of a session share one receiver, which
    /// waits for a reader that does not read.
    ///
    /// # Errors
    /// [`Unreachable`] if the connection is gone or the server refuses one more command on it.
    pub async fn exec(&self, command: &str) -> Result<Running, Unreachable> {
        let channel = self.handle.channel_open_session().await.map_err(|error| self.failure(error))?;
        channel.exec(true, command).await.map_err(|error| self.failure(error))?;
        Ok(stream(channel))
    }

    /// Says goodbye and hangs up. Commands that still run lose their connection.
    pub async fn close(self) {
        let farewell = async {
            if self.handle.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
                // The outcome does not matter: the connection is gone either way.
                let _ = self.handle.await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    fn failure(&self, error: russh::Error) -> Unreachable {
        let peer = self.peer.clone();
        match error {
            russh::Error::ChannelOpenFailure(why) => Reason::NoChannel { peer, detail: format!("{why:?}") },
            russh::Error::SendError | russh::Error::Disconnect => {
                Reason::Closed { peer, during: "after the login", goodbye: self.heard.goodbye() }
            }
            other => Reason::Protocol { doing: "starting a command", detail: format!("{peer}: {other}") },
        }
        .into()
    }
}

/// Takes what comes on a channel apart.
fn stream(channel: Channel<Msg>) -> Running {
    let (from, to) = channel.split();
    let (output, incoming) = mpsc::channel(OUTPUT_PACKETS);
    let (alive, dropped) = oneshot::channel();
    let (open, closed) = oneshot::channel();
    let (end, exit) = watch::channel(None);
    let process = Process { tail: Arc::default(), exit };
    let outgoing = Box::pin(to.make_writer());
    let pump = Pump { output: Some(output), tail: process.tail.clone(), end, _open: open };
    tokio::spawn(pump.run(from, to, dropped));
    let stream = ByteStream { incoming, packet: None, outgoing, closed: Some(closed), _alive: alive };
    Running { stream, process }
}

/// What is known of a command apart from its output.
#[derive(Clone)]
pub struct Process {
    tail: Arc<Mutex<VecDeque<u8>>>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Returns the last 8 KiB of standard error.
    pub fn stderr_tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let (front, back) = tail.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }

    /// Returns how the command ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for the end of the command. Someone has to read its output meanwhile; once the stream is dropped nobody
    /// will know how it ended.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(Exit::Lost),
            Err(_) => Exit::Lost,
        }
    }
}

/// Takes what the server sends apart, until the channel is closed.
struct Pump {
    output: Option<mpsc::Sender<io::Result<ChannelMsg>>>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    end: watch::Sender<Option<Exit>>,
    /// Lives as long as the channel; its end wakes a writer.
    _open: oneshot::Sender<()>,
}

impl Pump {
    async fn run(
        mut self,
        mut from: ChannelReadHalf,
        to: ChannelWriteHalf<Msg>,
        mut dropped: oneshot::Receiver<()>,
    ) {
        loop {
            let message = tokio::select! {
                message = from.wait() => message,
                _ = &mut dropped => {
                    // If this fails the connection is gone. In any case russh has nothing more to say of the channel.
                    let _ = to.close().await;
                    break;
                }
            };
            match message {
                Some(ChannelMsg::Close) => break,
                Some(message) => self.take(message).await,
                None => {
                    self.fail(io::ErrorKind::ConnectionReset, "the connection to the node is gone").await;
                    break;
                }
            }
        }
        self.finish(Exit::Lost);
    }

    async fn take(&mut self, message: ChannelMsg) {
        match message {
            // An empty packet would look like the end to a reader.
            ChannelMsg::Data { data } if data.is_empty() => {}
            data @ ChannelMsg::Data { .. } => {
                if let Some(output) = &self.output
                    && output.send(Ok(data)).await.is_err()
                {
                    self.output = None;
                }
            }
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend(data.iter());
                let excess = tail.len().saturating_sub(STDERR_TAIL);
                tail.drain(..excess);
            }
            ChannelMsg::Eof => self.output = None,
            ChannelMsg::ExitStatus { exit_status } => self.finish(Exit::Status(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.finish(Exit::Signal(match signal_name {
                    Sig::Custom(name) => name,
                    named => format!("{named:?}"),
                }));
            }
            ChannelMsg::Failure => {
                self.fail(io::ErrorKind::PermissionDenied, "the server refuses to run the command").await;
                self.finish(Exit::Refused);
            }
            _ => {}
        }
    }

    async fn fail(&mut self, kind: io::ErrorKind, text: &str) {
        if let Some(output) = self.output.take() {
            // A reader that is gone does not care.
            let _ = output.send(Err(io::Error::new(kind, text))).await;
        }
    }

    /// Records the end; the first account of it counts.
    fn finish(&self, exit: Exit) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(exit);
            first
        });
    }
}

/// Standard input and output of a command. Dropping it closes both, which ends a command that heeds that.
pub struct ByteStream {
    incoming: mpsc::Receiver<io::Result<ChannelMsg>>,
    /// What is left of the packet being read.
    packet: Option<(ChannelMsg, usize)>,
    outgoing: Pin<Box<dyn AsyncWrite + Send>>,
    /// `None` once the channel is known to be closed.
    closed: Option<oneshot::Receiver<()>>,
    _alive: oneshot::Sender<()>,
}

impl ByteStream {
    /// russh's writer waits for room for ever if the connection breaks meanwhile, so we watch that ourselves.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(closed) = &mut self.closed
            && Pin::new(closed).poll(cx).is_ready()
        {
            self.closed = None;
        }
        self.closed.is_none()
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (packet, start) = match self.packet.take() {
            Some(rest) => rest,
            None => match ready!(self.incoming.poll_recv(cx)) {
                Some(packet) => (packet?, 0),
                None => return Poll::Ready(Ok(())),
            },
        };
        if let ChannelMsg::Data { data } = &packet {
            let end = data.len().min(start + buf.remaining());
            buf.put_slice(&data[start..end]);
            if end < data.len() {
                self.packet = Some((packet, end));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.poll_closed(cx) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the command has ended")));
        }
        self.outgoing.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        self.outgoing.as_mut().poll_shutdown(cx)
    }
}
