//! An authenticated connection, and the commands that run on it.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf, Disconnect, Sig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::{Peer, Reason, Unreachable};
use super::host_key::{DisconnectMessage, HostKeyChecker};
use crate::sync::lock;

/// How many bytes of the end of a command's standard error are kept.
const STDERR_TAIL: usize = 8 * 1024;
/// How many packets of output are queued before the node has to wait for the reader.
const OUTPUT_PACKETS: usize = 16;
/// The code of standard error among SSH's extended data.
const STDERR: u32 = 1;
/// How long closing a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection runs over, such as a jump host's session or a program. Kept until the connection ends.
pub(super) type Underlay = Box<dyn Any + Send + Sync>;

/// One authenticated connection to a node.
pub struct Session {
    handle: Handle<HostKeyChecker>,
    peer: Peer,
    disconnect: DisconnectMessage,
    _underlay: Option<Underlay>,
}

/// A command that runs on the node.
pub struct RemoteCommand {
    /// Its standard input and output.
    pub stream: ByteStream,
    /// Its standard error and how it ends.
    pub process: Process,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Status(u32),
    /// It was killed by this signal, such as `KILL`.
    Signal(String),
    /// Unknown: the connection was lost, the stream was dropped, or the server did not report it.
    Lost,
    /// The server did not start it.
    Refused,
}

impl Session {
    /// Wraps a connection that is logged in.
    pub(super) fn new(
        handle: Handle<HostKeyChecker>,
        peer: Peer,
        disconnect: DisconnectMessage,
        underlay: Option<Underlay>,
    ) -> Self {
        Self { handle, peer, disconnect, _underlay: underlay }
    }

    /// Returns whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Opens a connection from this node to another one (`direct-tcpip`). `hop` is this node's name, for messages.
    pub(super) async fn forward(&self, peer: &Peer, hop: &str) -> Result<ByteStream, Reason> {
        let opened = self.handle.channel_open_direct_tcpip(&*peer.address, peer.port.into(), "127.0.0.1", 0);
        let channel = opened.await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(why) => Reason::NoForward {
                hop: hop.to_owned(),
                peer: peer.clone(),
                detail: match why {
                    ChannelOpenFailure::AdministrativelyProhibited => "does not allow a connection to",
                    ChannelOpenFailure::ConnectFailed => "cannot connect to",
                    _ => "did not connect to",
                },
            },
            other => {
                Reason::JumpHost { hop: hop.to_owned(), reason: self.failure(other).reason().clone().into() }
            }
        })?;
        Ok(split(channel).stream)
    }

    /// Starts a command. Its input can be written before the server has confirmed the start.
    ///
    /// The caller must read the output even while it writes: all commands of a session share one receiver, which waits
    /// while any output queue is full.
    ///
    /// # Errors
    /// [`Unreachable`] if the connection has ended, or the server does not accept another command on it.
    pub async fn exec(&self, command: &str) -> Result<RemoteCommand, Unreachable> {
        let channel = self.handle.channel_open_session().await.map_err(|error| self.failure(error))?;
        channel.exec(true, command).await.map_err(|error| self.failure(error))?;
        Ok(split(channel))
    }

    /// Disconnects. Commands that are still running lose their connection.
    pub async fn close(self) {
        let disconnect = async {
            if self.handle.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
                // Its outcome does not matter: the connection has ended either way.
                let _ = self.handle.await;
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, disconnect).await;
    }

    fn failure(&self, error: russh::Error) -> Unreachable {
        let peer = self.peer.clone();
        match error {
            russh::Error::ChannelOpenFailure(why) => Reason::NoChannel { peer, detail: format!("{why:?}") },
            russh::Error::SendError | russh::Error::Disconnect => {
                Reason::Closed { peer, during: "after the login", goodbye: self.disconnect.get() }
            }
            other => Reason::Protocol { doing: "starting a command", detail: format!("{peer}: {other}") },
        }
        .into()
    }
}

/// Starts to read a channel; returns its streams.
fn split(channel: Channel<Msg>) -> RemoteCommand {
    let (from, to) = channel.split();
    let (output, incoming) = mpsc::channel(OUTPUT_PACKETS);
    let (alive, dropped) = oneshot::channel();
    let (open, closed) = oneshot::channel();
    let (end, exit) = watch::channel(None);
    let process = Process { tail: Arc::default(), exit };
    let outgoing = Box::pin(to.make_writer());
    let reader = ChannelReader { output: Some(output), tail: process.tail.clone(), end, _open: open };
    tokio::spawn(reader.run(from, to, dropped));
    let stream = ByteStream { incoming, packet: None, outgoing, closed: Some(closed), _alive: alive };
    RemoteCommand { stream, process }
}

/// The standard error of a command, and how it ends.
#[derive(Clone)]
pub struct Process {
    tail: Arc<Mutex<VecDeque<u8>>>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Process {
    /// Returns the last 8 KiB of standard error.
    pub fn stderr_tail(&self) -> String {
        let tail = lock(&self.tail);
        let (front, back) = tail.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }

    /// Returns how the command ended; `None` while it runs.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for the command to end. Its output must be read in the meantime; if the stream is dropped, its end is
    /// unknown ([`Exit::Lost`]).
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(Exit::Lost),
            Err(_) => Exit::Lost,
        }
    }
}

/// Distributes what the server sends on a channel, until the channel is closed.
struct ChannelReader {
    output: Option<mpsc::Sender<io::Result<ChannelMsg>>>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    end: watch::Sender<Option<Exit>>,
    /// Dropped with the channel, which wakes a waiting writer.
    _open: oneshot::Sender<()>,
}

impl ChannelReader {
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
                    // If this fails, the connection has ended. Either way nothing more comes on the channel.
                    let _ = to.close().await;
                    break;
                }
            };
            match message {
                Some(ChannelMsg::Close) => break,
                Some(message) => self.handle(message).await,
                None => {
                    self.fail(io::ErrorKind::ConnectionReset, "the connection to the node was lost").await;
                    break;
                }
            }
        }
        self.finish(Exit::Lost);
    }

    async fn handle(&mut self, message: ChannelMsg) {
        match message {
            // To a reader, an empty packet would look like the end.
            ChannelMsg::Data { data } if data.is_empty() => {}
            data @ ChannelMsg::Data { .. } => {
                if let Some(output) = &self.output
                    && output.send(Ok(data)).await.is_err()
                {
                    self.output = None;
                }
            }
            ChannelMsg::ExtendedData { data, ext: STDERR } => {
                let mut tail = lock(&self.tail);
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
                self.fail(io::ErrorKind::PermissionDenied, "the server refused to run the command").await;
                self.finish(Exit::Refused);
            }
            _ => {}
        }
    }

    async fn fail(&mut self, kind: io::ErrorKind, text: &str) {
        if let Some(output) = self.output.take() {
            // It fails if there is no reader any more.
            let _ = output.send(Err(io::Error::new(kind, text))).await;
        }
    }

    /// Records how the command ended. Only the first call counts.
    fn finish(&self, exit: Exit) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(exit);
            first
        });
    }
}

/// The standard input and output of a command. Dropping it closes both, which ends most commands.
pub struct ByteStream {
    incoming: mpsc::Receiver<io::Result<ChannelMsg>>,
    /// The packet that is being read, and how much of it has been read.
    packet: Option<(ChannelMsg, usize)>,
    outgoing: Pin<Box<dyn AsyncWrite + Send>>,
    /// `None` once the channel is known to be closed.
    closed: Option<oneshot::Receiver<()>>,
    _alive: oneshot::Sender<()>,
}

impl ByteStream {
    /// Returns whether the channel is closed; if not, wakes the task when it is. The writer of russh waits forever if
    /// the connection is lost while it waits for the server to accept more data.
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
