//! Why a link fails.

use convoy_protocol::lock::Refusal;

/// Why a link to a node cannot be opened, or has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The agent could not be started.
    #[error("cannot start the agent: {why}{}", printed(.noise))]
    Start {
        /// Why not.
        why: String,
        /// What the node printed instead; may be empty.
        noise: String,
    },
    /// The connection was closed.
    #[error("the connection ended: {0}")]
    Closed(String),
    /// The node sent nothing for this many seconds.
    #[error("no answer for {0} s")]
    Silent(u64),
    /// The agent reported that it cannot continue.
    #[error("the agent gave up: {0}")]
    Agent(String),
    /// The run is not allowed to work on the node.
    #[error("the run may not work on this node")]
    Refused(Box<Refusal>),
    /// The node sent something that no agent sends.
    #[error("the node violates the agent protocol: {0}")]
    Protocol(String),
    /// A message to the node would exceed the size limit.
    #[error("cannot send the work: {0}")]
    TooLarge(String),
}

impl LinkError {
    /// Returns whether a new connection might succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Silent(_) | Self::Agent(_))
    }
}

fn printed(noise: &str) -> String {
    if noise.is_empty() { String::new() } else { format!("; the node printed: {noise}") }
}
