//! The link to a node: from a stream of bytes to a conversation with the agent there.
//!
//! [`Opening`] makes the shell line and the first messages; whoever can run that line on the node ([`local`], or an
//! SSH connection) gives a stream to [`Link::open`].

pub mod agents;
pub mod bootstrap;
pub mod content;
mod entries;
mod incoming;
pub mod local;
mod mux;
mod outgoing;
mod pull;

pub use bootstrap::Opening;
pub use content::Contents;
pub use entries::Entries;
pub use mux::{Aside, Link};
pub use pull::{PullError, Puller};

use convoy_protocol::lock::Refusal;

/// Why a node cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The agent could not be started; with what the node printed, if anything.
    #[error("cannot start the agent: {why}{}", printed(.noise))]
    Start {
        /// Why not.
        why: String,
        /// What the node printed instead.
        noise: String,
    },
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Ended(String),
    /// Nothing was heard for too long.
    #[error("no answer for {0} s")]
    Silent(u64),
    /// The agent said that it cannot go on.
    #[error("the agent gave up: {0}")]
    Fault(String),
    /// The run may not work on the node.
    #[error("the run may not work on this node")]
    Refused(Box<Refusal>),
    /// What the node says is not what an agent says.
    #[error("the node does not speak as an agent does: {0}")]
    Nonsense(String),
    /// What should be sent is too large.
    #[error("cannot send the work: {0}")]
    TooLarge(String),
}

impl LinkError {
    /// Returns whether another connection may fare better.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Silent(_) | Self::Fault(_))
    }
}

fn printed(noise: &str) -> String {
    if noise.is_empty() { String::new() } else { format!("; the node printed: {noise}") }
}

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
mod tests;
