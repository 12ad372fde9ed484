//! How an agent is started on a node, and what is sent before the node has reported anything.

use std::sync::Arc;

use convoy_protocol::bootstrap::{AgentBinary, script};
use convoy_protocol::frame;
use convoy_protocol::message::{Hello, Step, ToAgent, Window};

use super::agents::AGENTS;
use super::error::LinkError;
use super::locks::HeldLocks;
use super::shape::{WindowShape, shape};

/// The most bytes to send ahead: a node without the agent discards them one by one.
const MAX_AHEAD: usize = 64 * 1024;

/// The number of the window that the opening carries.
pub(super) const FIRST_WINDOW: u64 = 1;

/// The beginning of a conversation: the command line that starts the agent, the greeting, and the first window, which
/// so costs no round trip of its own.
#[derive(Debug)]
pub struct Opening {
    /// Sent at once; sent again after the agent if the agent had to be sent.
    pub(super) ahead: Vec<u8>,
    /// Sent when the agent runs: a window too large to be sent ahead.
    pub(super) behind: Vec<u8>,
    /// The shape of the first window.
    pub(super) first: Option<WindowShape>,
    pub(super) silence_seconds: u32,
    pub(super) locks: Arc<HeldLocks>,
}

impl Opening {
    /// Prepares a conversation that begins with the steps in `first`.
    ///
    /// # Errors
    /// If `first` is too large for a message.
    pub fn new(hello: Hello, first: Option<Vec<Step>>) -> Result<Self, LinkError> {
        let encode = |message: &ToAgent| {
            frame::encode(message).map_err(|error| LinkError::TooLarge(error.to_string()))
        };
        let silence_seconds = hello.silence_seconds;
        let mut ahead = encode(&ToAgent::Hello(hello))?;
        let shape = first.as_deref().map(shape);
        let mut behind = match first {
            Some(steps) => encode(&ToAgent::Window(Window { id: FIRST_WINDOW, execute: true, steps }))?,
            None => Vec::new(),
        };
        if ahead.len() + behind.len() <= MAX_AHEAD {
            ahead.append(&mut behind);
        }
        Ok(Self { ahead, behind, first: shape, silence_seconds, locks: Arc::default() })
    }

    /// Has the locks that the run is given recorded in `locks`.
    #[must_use]
    pub fn recording_locks(self, locks: Arc<HeldLocks>) -> Self {
        Self { locks, ..self }
    }

    /// Returns the shell script, for `sh -c`.
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

    /// Returns the command line, which works in any login shell.
    pub fn command(&self) -> String {
        format!("exec sh -c '{}'", self.script())
    }
}
