//! The real parts that tests run against.

pub mod program;
pub mod project;
pub mod proxy;
pub mod sshd;
