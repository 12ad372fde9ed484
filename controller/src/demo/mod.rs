//! The cluster that `convoy demo` runs against: its nodes are SSH servers in this process, with a directory each.
//!
//! [`Site`] makes the directory of the demo and starts the nodes ([`EmbeddedNode`]). The other modules make what a node
//! of the vendor's product has: `home` its directories, `keystore`, `certificate` and `jar` the files in them. Running
//! the playbook is the business of `crate::cli`.

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
