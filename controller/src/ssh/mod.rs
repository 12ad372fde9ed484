//! The SSH transport: makes one authenticated connection to a node and runs commands on it.
//!
//! ```text
//! HostSettings  what inventory and command line say         resolve
//!      │        + the ssh configuration                     config
//!      v
//!   Target      where, how and as whom                      target
//!      │        stream, host key, login                     tcp, proxy_command, host_key, auth
//!      v
//!   Session     an authenticated connection                 session
//!      │
//!      v
//! RemoteCommand a command with its streams
//! ```
//!
//! Everything a user has set up for `ssh` applies: configuration, known_hosts, agent, jump hosts. The client itself is
//! russh. What runs over a command's streams is the business of `crate::link`.

mod algorithms;
mod auth;
mod certificate;
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
pub use resolve::HostSettings;
pub use russh::keys::{PrivateKey, PublicKey};
pub use session::{ByteStream, Exit, Process, RemoteCommand, Session};
pub use target::{Family, HostKeyChecking, Methods, Route, Target};
