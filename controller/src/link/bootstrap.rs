//! How an agent is started on a node, and what is sent before anything is known of it.

use std::sync::Arc;

use convoy_protocol::bootstrap::{AgentBinary, script};
use convoy_protocol::frame;
use convoy_protocol::message::{Hello, Step, ToAgent, Window};

use super::agents::AGENTS;
use super::mux::shape;
use super::{Entries, LinkError};

/// The most that is sent ahead, in bytes: a node without the agent throws it away byte by byte.
const AHEAD: usize = 64 * 1024;

/// The number of the window that is sent ahead.
pub(super) const FIRST: u64 = 1;

/// The beginning of a conversation: the line that starts the agent, the greeting, and the first work, which costs no
/// round trip of its own.
#[derive(Debug)]
pub struct Opening {
    /// Sent at once, and again after the agent if that had to be sent.
    pub(super) ahead: Vec<u8>,
    /// Sent when the agent runs: work that is too large to be sent ahead.
    pub(super) behind: Vec<u8>,
    /// How many orders each step of the first work has, and which of them only look.
    pub(super) first: Option<Vec<Vec<bool>>>,
    pub(super) silence: u32,
    pub(super) entries: Arc<Entries>,
}

impl Opening {
    /// Prepares a conversation in which `first` is done first.
    ///
    /// # Errors
    /// If `first` is too large for a message.
    pub fn new(hello: Hello, first: Option<Vec<Step>>) -> Result<Self, LinkError> {
        let encode = |message: &ToAgent| {
            frame::encode(message).map_err(|error| LinkError::TooLarge(error.to_string()))
        };
        let silence = hello.silence_seconds;
        let mut ahead = encode(&ToAgent::Hello(hello))?;
        let shapes = first.as_deref().map(shape);
        let mut behind = match first {
            Some(steps) => encode(&ToAgent::Window(Window { id: FIRST, execute: true, steps }))?,
            None => Vec::new(),
        };
        if ahead.len() + behind.len() <= AHEAD {
            ahead.append(&mut behind);
        }
        Ok(Self { ahead, behind, first: shapes, silence, entries: Arc::default() })
    }

    /// Lets what the agents tell of locks be noted there.
    #[must_use]
    pub fn noting(self, entries: Arc<Entries>) -> Self {
        Self { entries, ..self }
    }

    /// Returns the shell text, for `sh -c`.
    pub fn script(&self) -> String {
        let offers = AGENTS.iter().flat_map(|agent| {
            agent.machines().iter().filter_map(|machine| {
                let digest = agent.digest.parse().ok()?;
                Some(AgentBinary {
                    machine: (*machine).into(),
                    digest,
                    size: agent.size,
                    packed: Some(agent.packed.len()),
                })
            })
        });
        script(&offers.collect::<Vec<_>>(), self.ahead.len())
    }

    /// Returns the command line for the login shell of a node, whichever that is.
    pub fn command(&self) -> String {
        format!("exec sh -c '{}'", self.script())
    }
}
