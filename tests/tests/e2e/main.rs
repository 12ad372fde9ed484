//! The command `convoy` as it is built, against real OpenSSH servers.

mod first;
mod harness;
