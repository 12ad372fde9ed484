//! The real parts that tests run against.

pub mod machine;
pub mod namespace;
pub mod program;
pub mod project;
pub mod proxy;
pub mod sshd;
pub mod terminal;
