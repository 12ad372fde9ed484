//! The link to a node: turns a stream of bytes into a conversation with the agent there.
//!
//! An [`Opening`] holds the command line that starts the agent and the first messages. Whoever runs that command line
//! on the node, over SSH or [locally](local), passes the stream to [`Link::open`]. From then on [`Link::request`] sends
//! windows of work and returns their answers.
//!
//! The link never trusts the node: everything received is bounded and checked, and a violation ends the link. It
//! neither connects (`crate::ssh`) nor decides what to send or whether to reconnect (`crate::services`). Start reading
//! with `conversation.rs`; `docs/protocol.md` describes the wire.

pub mod agents;
pub mod bootstrap;
pub mod content;
mod conversation;
mod error;
mod incoming;
pub mod local;
mod locks;
mod outgoing;
mod pull;
mod shape;
mod state;

pub use bootstrap::Opening;
pub use content::Contents;
pub use conversation::{Link, LinkControl};
pub use error::LinkError;
pub use locks::HeldLocks;
pub use pull::{PullError, Puller};

#[cfg(test)]
#[expect(clippy::print_stderr, reason = "a skipped test prints why")]
mod tests;
