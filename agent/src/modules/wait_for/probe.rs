//! One look at what is waited for.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::{Args, State};
use super::drained;
use crate::failure::Failure;
use crate::pattern::{Groups, Pattern};
use crate::system::SystemView;

/// What is looked at.
pub(super) struct Probe<'a> {
    args: &'a Args,
    path: Option<PathBuf>,
    port: u16,
    pattern: Option<Pattern>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(args: &'a Args, view: &SystemView) -> Result<Self, Failure> {
        let path = args.path.as_ref().map(|path| view.expand(path));
        let port = args.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
        Ok(Self { args, path, port, pattern: pattern(args)? })
    }

    pub(super) fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    /// Looks once; `None` if it is not as wanted, else what the expression has found.
    pub(super) fn check(&self, view: &SystemView, wait: Duration) -> Result<Option<Option<Groups>>, Failure> {
        let gone = matches!(self.args.state, State::Absent | State::Stopped);
        match &self.path {
            Some(path) if gone => Ok(view.stat(path)?.is_none().then_some(None)),
            Some(path) => {
                if view.stat(path)?.is_none() {
                    return Ok(None);
                }
                let Some(pattern) = &self.pattern else { return Ok(Some(None)) };
                // A file that cannot be read now may be readable later, as in Ansible.
                let Ok(bytes) = view.read(path) else { return Ok(None) };
                Ok(pattern.search(&String::from_utf8_lossy(&bytes))?.map(Some))
            }
            None if self.args.state == State::Drained => {
                Ok((drained::connections(self.args, self.port, view) == 0).then_some(None))
            }
            None => match self.connect(view, wait) {
                Some(_) if gone => Ok(None),
                None if gone => Ok(Some(None)),
                None => Ok(None),
                Some(stream) => match &self.pattern {
                    None => Ok(Some(None)),
                    Some(pattern) => listen(stream, pattern, wait),
                },
            },
        }
    }

    fn connect(&self, view: &SystemView, wait: Duration) -> Option<TcpStream> {
        let addresses = view.addresses(&self.args.host);
        addresses
            .into_iter()
            .find_map(|address| TcpStream::connect_timeout(&SocketAddr::new(address, self.port), wait).ok())
    }
}

/// Reads what the other side says until the expression is in it.
fn listen(
    mut stream: TcpStream,
    pattern: &Pattern,
    wait: Duration,
) -> Result<Option<Option<Groups>>, Failure> {
    let end = Instant::now() + wait;
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Ok(None);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => heard.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Ok(None),
        }
        if let Some(groups) = pattern.search(&String::from_utf8_lossy(&heard))? {
            return Ok(Some(Some(groups)));
        }
    }
}

/// Compiles `search_regex`.
fn pattern(args: &Args) -> Result<Option<Pattern>, Failure> {
    args.search_regex.as_deref().map(Pattern::by_line).transpose()
}
