//! The transport against a real sshd and the embedded node.

mod client;
mod commands;
mod host_keys;
mod login;
mod nodes;
mod unreachable;
