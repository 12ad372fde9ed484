//! Connections: TCP, a socket of the node, or TLS over either.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::error::{Error, is_timeout};
use super::request::Request;
use super::url::Url;
use super::{proxy, tls};
use crate::system::SystemView;

/// A connection that can be talked over.
pub(super) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket on which no single wait is longer than the timeout, nor any longer than the order may take.
struct Socket {
    wire: Wire,
    timeout: Duration,
    deadline: Option<Instant>,
}

impl Socket {
    fn wait(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        Ok(Some(left.map_or(self.timeout, |left| left.min(self.timeout)).max(Duration::from_millis(1))))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = self.wait()?;
        match &mut self.wire {
            Wire::Tcp(wire) => wire.set_read_timeout(wait).and_then(|()| wire.read(buffer)),
            Wire::Unix(wire) => wire.set_read_timeout(wait).and_then(|()| wire.read(buffer)),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let wait = self.wait()?;
        match &mut self.wire {
            Wire::Tcp(wire) => wire.set_write_timeout(wait).and_then(|()| wire.write(buffer)),
            Wire::Unix(wire) => wire.set_write_timeout(wait).and_then(|()| wire.write(buffer)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects to where the request goes.
pub(super) fn connect(
    view: &SystemView,
    request: &Request,
    through: Option<&proxy::Proxy>,
) -> Result<Box<dyn Stream>, Error> {
    let wire = match &request.unix_socket {
        Some(path) => Wire::Unix(UnixStream::connect(path).map_err(Error::Connect)?),
        None => Wire::Tcp(tcp(view, through.map_or(&request.url, |proxy| &proxy.url), request.timeout)?),
    };
    let mut socket = Socket { wire, timeout: request.timeout, deadline: view.deadline() };
    if !request.url.secure {
        return Ok(Box::new(socket));
    }
    if let Some(proxy) = through {
        proxy.tunnel(&mut socket, &request.url)?;
    }
    Ok(Box::new(tls::wrap(socket, &request.url.host, &request.tls)?))
}

fn tcp(view: &SystemView, url: &Url, timeout: Duration) -> Result<TcpStream, Error> {
    let left = view.deadline().map(|at| at.saturating_duration_since(Instant::now()));
    let wait = left.map_or(timeout, |left| left.min(timeout)).max(Duration::from_millis(1));
    let mut last = Error::UnknownHost;
    for address in view.addresses(&url.host) {
        match TcpStream::connect_timeout(&SocketAddr::new(address, url.port()), wait) {
            Ok(stream) => {
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Err(error) if is_timeout(&error) => last = Error::TimedOut,
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}
