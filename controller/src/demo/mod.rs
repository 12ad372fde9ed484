//! What `convoy demo` runs against: a small cluster whose nodes are inside this process.

mod certificate;
mod command;
mod der;
mod home;
mod jar;
mod keystore;
mod node;
mod options;
mod project;
mod site;

pub use node::EmbeddedNode;
pub use options::NodeOptions;
pub use site::Site;
