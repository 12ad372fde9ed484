//! The transport: one authenticated SSH connection to a node, and commands on it.

mod algorithms;
mod auth;
mod config;
mod connector;
mod error;
mod host_key;
mod identity;
mod keys;
mod known_hosts;
mod pattern;
mod proxy_command;
mod resolve;
mod session;
mod stream;
mod target;
mod tcp;

pub use config::{Arguments, Query};
pub use connector::Connector;
pub use error::{NewHostKey, Reason, Unreachable};
pub use resolve::Wish;
pub use russh::keys::{PrivateKey, PublicKey};
pub use session::{ByteStream, Exit, Process, Running, Session};
pub use target::{Family, HostKeyChecking, Methods, Route, Target};
