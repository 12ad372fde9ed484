//! What `convoy demo` runs against: a small cluster whose nodes are inside this process.

mod certificate;
mod command;
mod der;
mod home;
mod jar;
mod keystore;
mod node;
mod project;
mod site;

pub use node::{EmbeddedNode, NodeOptions};
pub use site::Site;
