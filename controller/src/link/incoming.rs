//! Reads what comes from the node. All of it is bounded, and checked before it is used.

use convoy_protocol::Digest;
use convoy_protocol::bootstrap::{BootstrapMessage, Scanner, printable_tail};
use convoy_protocol::frame::Decoder;
use convoy_protocol::message::{Chunk, FromAgent};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::agents::for_machine;
use super::error::LinkError;
use super::state::LinkState;

/// The reading half of a link.
pub(super) struct Incoming<'s> {
    pub(super) state: &'s LinkState,
    /// Takes the digests of content that the node asks for.
    pub(super) needs: mpsc::Sender<Digest>,
    /// Lets the writing half begin with messages, once it has sent these bytes.
    pub(super) start: Option<oneshot::Sender<Vec<u8>>>,
    /// What was sent ahead. A node without the agent has discarded it.
    pub(super) ahead: Vec<u8>,
}

impl Incoming<'_> {
    /// Reads until that fails; returns why.
    pub(super) async fn run(mut self, mut source: impl AsyncRead + Unpin) -> LinkError {
        let mut buffer = vec![0; 64 * 1024];
        let rest = match self.bootstrap(&mut source, &mut buffer).await {
            Ok(rest) => rest,
            Err(error) => return error,
        };
        let mut decoder = Decoder::default();
        decoder.push(&rest);
        loop {
            match decoder.take() {
                Ok(Some(message)) => match self.message(message) {
                    Ok(()) => continue,
                    Err(error) => return error,
                },
                Ok(None) => {}
                Err(error) => return LinkError::Protocol(error.to_string()),
            }
            match source.read(&mut buffer).await {
                Ok(0) => return LinkError::Closed("the node closed it".into()),
                Ok(n) => {
                    self.state.heard(n);
                    decoder.push(&buffer[..n]);
                }
                Err(error) => return LinkError::Closed(error.to_string()),
            }
        }
    }

    /// Follows the bootstrap until the agent runs; returns what was read beyond it.
    async fn bootstrap(
        &mut self,
        source: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
    ) -> Result<Vec<u8>, LinkError> {
        let mut scanner = Scanner::default();
        let mut expected = 0;
        loop {
            let failed =
                |why: &str, scanner: &Scanner| LinkError::Start { why: why.into(), noise: scanner.noise() };
            while let Some(said) = scanner.take().map_err(|error| failed(&error.to_string(), &scanner))? {
                match said {
                    BootstrapMessage::Need { machine, packed } => expected = self.supply(&machine, packed)?,
                    // Each report stands for at least one byte: a node cannot repeat it forever.
                    BootstrapMessage::Progress if expected > 0 => expected -= 1,
                    BootstrapMessage::Progress => {
                        return Err(LinkError::Protocol("it received more than was sent".into()));
                    }
                    BootstrapMessage::Failed(why) => {
                        return Err(LinkError::Start { why, noise: String::new() });
                    }
                    BootstrapMessage::Ready => {
                        if let Some(start) = self.start.take() {
                            // The writing half is gone only if the link ends.
                            start.send(Vec::new()).ok();
                        }
                        return Ok(scanner.into_rest());
                    }
                }
            }
            match source.read(buffer).await {
                Ok(0) => return Err(failed("the shell on the node ended", &scanner)),
                Ok(n) => {
                    self.state.heard(n);
                    scanner.push(&buffer[..n]);
                }
                Err(error) => return Err(failed(&error.to_string(), &scanner)),
            }
        }
    }

    /// Has the agent sent, followed by what was sent ahead; returns the agent's length in bytes.
    fn supply(&mut self, machine: &str, packed: bool) -> Result<usize, LinkError> {
        let violation = |why: &str| LinkError::Protocol(why.to_owned());
        let agent =
            for_machine(machine).ok_or_else(|| violation("it asks for an agent that it was not offered"))?;
        let start = self.start.take().ok_or_else(|| violation("it asks for the agent twice"))?;
        let mut bytes = if packed {
            agent.packed.to_vec()
        } else {
            let unpacked = agent.unpack();
            unpacked.map_err(|error| LinkError::Start { why: error.to_string(), noise: String::new() })?
        };
        let length = bytes.len();
        bytes.append(&mut self.ahead);
        start.send(bytes).ok();
        Ok(length)
    }

    fn message(&self, message: FromAgent) -> Result<(), LinkError> {
        match message {
            FromAgent::Welcome(welcome) => self.state.welcomed(welcome),
            FromAgent::Answer(answer) => self.state.answered(answer)?,
            FromAgent::Need(digest) => match self.needs.try_send(digest) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(LinkError::Protocol("it asks for too many contents at once".into()));
                }
            },
            FromAgent::Chunk(chunk) => self.part(chunk.digest, Ok(chunk))?,
            FromAgent::NoContent { digest, why } => self.part(digest, Err(printable_tail(why.as_bytes())))?,
            FromAgent::Pong(_) => {}
            FromAgent::Detached => self.state.detached.notify_one(),
            FromAgent::LockTaken(entry) => self.state.locks.add(entry)?,
            FromAgent::Refused(refusal) => return Err(LinkError::Refused(Box::new(refusal))),
            FromAgent::Fault(why) => return Err(LinkError::Agent(printable_tail(why.as_bytes()))),
        }
        Ok(())
    }

    fn part(&self, digest: Digest, part: Result<Chunk, String>) -> Result<(), LinkError> {
        if self.state.pulls.take(digest, part) {
            return Ok(());
        }
        Err(LinkError::Protocol("it sends content that was not requested".into()))
    }
}
