//! The command `convoy` as it is built, against real OpenSSH servers.

mod ansible;
mod command_line;
mod faults;
mod first;
mod harness;
mod modules;
mod refused;
mod unreachable;
mod wso2;
