//! What comes from the node. All of it is bounded, and nothing of it is believed unseen.

use convoy_protocol::Digest;
use convoy_protocol::bootstrap::{BootstrapMessage, Scanner};
use convoy_protocol::frame::{Decoder, FrameError};
use convoy_protocol::message::{Chunk, FromAgent};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::LinkError;
use super::agents::for_machine;
use super::mux::Shared;

/// The reading half of a link.
pub(super) struct Incoming<'s> {
    pub(super) shared: &'s Shared,
    /// Content that the node asks for.
    pub(super) needs: mpsc::Sender<Digest>,
    /// Lets messages go out, after these bytes.
    pub(super) go: Option<oneshot::Sender<Vec<u8>>>,
    /// What was sent ahead; the node threw it away if it did not have the agent.
    pub(super) ahead: Vec<u8>,
}

impl Incoming<'_> {
    /// Reads until that fails; returns why.
    pub(super) async fn run(mut self, mut source: impl AsyncRead + Unpin) -> LinkError {
        let mut buffer = vec![0; 64 * 1024];
        let rest = match self.start(&mut source, &mut buffer).await {
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
                Err(error) => return garbled(&error),
            }
            match source.read(&mut buffer).await {
                Ok(0) => return LinkError::Ended("the node closed it".into()),
                Ok(n) => {
                    self.shared.hear(n);
                    decoder.push(&buffer[..n]);
                }
                Err(error) => return LinkError::Ended(error.to_string()),
            }
        }
    }

    /// Follows the bootstrap until the agent runs; returns what came behind.
    async fn start(
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
                    // Each tells of at least one byte more: a node cannot go on with this for ever.
                    BootstrapMessage::Progress if expected > 0 => expected -= 1,
                    BootstrapMessage::Progress => {
                        return Err(LinkError::Nonsense("it received more than was sent".into()));
                    }
                    BootstrapMessage::Failed(why) => {
                        return Err(LinkError::Start { why, noise: String::new() });
                    }
                    BootstrapMessage::Ready => {
                        if let Some(go) = self.go.take() {
                            // The writing half is gone only if the link ends.
                            go.send(Vec::new()).ok();
                        }
                        return Ok(scanner.into_rest());
                    }
                }
            }
            match source.read(buffer).await {
                Ok(0) => return Err(failed("the shell on the node ended", &scanner)),
                Ok(n) => {
                    self.shared.hear(n);
                    scanner.push(&buffer[..n]);
                }
                Err(error) => return Err(failed(&error.to_string(), &scanner)),
            }
        }
    }

    /// Has the agent sent; returns its length.
    fn supply(&mut self, machine: &str, packed: bool) -> Result<usize, LinkError> {
        let nonsense = |why: &str| LinkError::Nonsense(why.to_owned());
        let agent =
            for_machine(machine).ok_or_else(|| nonsense("it wants an agent that it was not offered"))?;
        let go = self.go.take().ok_or_else(|| nonsense("it wants the agent twice"))?;
        let mut bytes = if packed {
            agent.packed.to_vec()
        } else {
            let unpacked = agent.unpack();
            unpacked.map_err(|error| LinkError::Start { why: error.to_string(), noise: String::new() })?
        };
        let length = bytes.len();
        bytes.append(&mut self.ahead);
        go.send(bytes).ok();
        Ok(length)
    }

    fn message(&self, message: FromAgent) -> Result<(), LinkError> {
        match message {
            FromAgent::Welcome(welcome) => self.shared.welcome(welcome),
            FromAgent::Answer(answer) => self.shared.answer(answer)?,
            FromAgent::Need(digest) => match self.needs.try_send(digest) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(LinkError::Nonsense("it asks for too many contents at once".into()));
                }
            },
            FromAgent::Chunk(chunk) => self.part(chunk.digest, Ok(chunk))?,
            FromAgent::NoContent { digest, why } => {
                self.part(digest, Err(convoy_protocol::bootstrap::printable_tail(why.as_bytes())))?;
            }
            FromAgent::Pong(_) => {}
            FromAgent::Detached => self.shared.alone.notify_one(),
            FromAgent::LockTaken(entry) => self.shared.entries.add(entry)?,
            FromAgent::Refused(refusal) => return Err(LinkError::Refused(Box::new(refusal))),
            FromAgent::Fault(why) => {
                return Err(LinkError::Fault(convoy_protocol::bootstrap::printable_tail(why.as_bytes())));
            }
        }
        Ok(())
    }

    fn part(&self, digest: Digest, part: Result<Chunk, String>) -> Result<(), LinkError> {
        if self.shared.pulls.take(digest, part) {
            return Ok(());
        }
        Err(LinkError::Nonsense("it sends content that nobody asked for".into()))
    }
}

fn garbled(error: &FrameError) -> LinkError {
    LinkError::Nonsense(error.to_string())
}
