//! What the integration tests run against: the built `convoy` command, OpenSSH servers, machines and terminals.

pub mod documentation;
pub mod machine;
pub mod namespace;
pub mod program;
pub mod project;
pub mod proxy;
pub mod sshd;
pub mod terminal;
