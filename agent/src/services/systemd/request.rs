//! What is asked of a unit.

use crate::services::State;

crate::choices! {
    /// Whose units are meant.
    pub enum Scope {
        /// Those of all users, for each of them.
        Global = "global",
        /// The node's.
        System = "system",
        /// The running user's own.
        User = "user",
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The unit.
    pub name: Option<&'a str>,
    /// What shall become of it.
    pub state: Option<State>,
    /// Whether it starts with the node.
    pub enabled: Option<bool>,
    /// Whether it cannot be started.
    pub masked: Option<bool>,
    /// Whether links that are in the way are replaced.
    pub force: bool,
    /// Whether systemd reads all units again before.
    pub daemon_reload: bool,
    /// Whether systemd is started anew before.
    pub daemon_reexec: bool,
    /// Whose units are meant.
    pub scope: Scope,
    /// Whether it is not waited for.
    pub no_block: bool,
}
