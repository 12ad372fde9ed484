//! What `convoy demo` runs against: nodes inside this process.

mod command;
mod node;

pub use node::{EmbeddedNode, NodeOptions};
