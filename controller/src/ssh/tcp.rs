//! TCP connections for SSH: resolves names, keeps deadlines, acknowledges without delay.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::error::{Peer, Reason};
use super::target::Family;

/// Connects to the first address of the server that answers before the deadline. `limit` is the time limit as the user
/// set it, for messages.
pub(super) async fn connect(
    peer: &Peer,
    family: Family,
    deadline: Instant,
    limit: Duration,
) -> Result<PromptStream, Reason> {
    let timed_out = || Reason::TcpTimeout { peer: peer.clone(), after: limit };
    let addresses = timeout_at(deadline, resolve(peer, family)).await.map_err(|_| timed_out())??;
    let mut failure = None;
    for (index, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        // An address that never answers must leave time for the others.
        let share = now + deadline.saturating_duration_since(now) / left;
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(PromptStream::new(stream)),
            Ok(Err(error)) => failure = Some(Reason::Tcp { peer: peer.clone(), detail: describe(&error) }),
            Err(_) => failure = Some(timed_out()),
        }
    }
    Err(failure.unwrap_or_else(timed_out))
}

async fn resolve(peer: &Peer, family: Family) -> Result<Vec<SocketAddr>, Reason> {
    let unknown = |detail| Reason::Name { address: peer.address.clone(), detail };
    match tokio::net::lookup_host((peer.address.as_str(), peer.port)).await {
        Ok(found) => match found.filter(|address| is_in_family(*address, family)).collect::<Vec<_>>() {
            none if none.is_empty() => Err(unknown(match family {
                Family::Any => "it has no address".to_owned(),
                Family::Inet => "it has no IPv4 address, which AddressFamily requires".to_owned(),
                Family::Inet6 => "it has no IPv6 address, which AddressFamily requires".to_owned(),
            })),
            addresses => Ok(addresses),
        },
        Err(error) => {
            let text = error.to_string();
            Err(unknown(text.rsplit(": ").next().unwrap_or(&text).to_owned()))
        }
    }
}

fn is_in_family(address: SocketAddr, family: Family) -> bool {
    match family {
        Family::Any => true,
        Family::Inet => address.is_ipv4(),
        Family::Inet6 => address.is_ipv6(),
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing is listening there".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        _ => error.to_string(),
    }
}

/// A TCP stream that sends and acknowledges without delay.
///
/// sshd keeps Nagle's algorithm on during the login, so that a delayed acknowledgement costs 40 ms. Linux resets
/// `TCP_QUICKACK` on its own, so that it has to be set again before each wait.
pub(super) struct PromptStream {
    stream: TcpStream,
}

impl PromptStream {
    fn new(stream: TcpStream) -> Self {
        // If this fails, the connection is slower but works.
        let _ = stream.set_nodelay(true);
        Self { stream }
    }
}

impl AsyncRead for PromptStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if outcome.is_pending() {
            acknowledge_at_once(&self.stream);
        }
        outcome
    }
}

#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) {
    // If this fails, the connection is slower but works.
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_: &TcpStream) {}

impl AsyncWrite for PromptStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
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
