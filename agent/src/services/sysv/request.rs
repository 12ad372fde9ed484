//! What is asked of a service.

use crate::services::State;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The service.
    pub name: &'a str,
    /// What shall become of it.
    pub state: Option<State>,
    /// Whether it starts with the node.
    pub enabled: Option<bool>,
    /// How many seconds are between stop and start of a restart.
    pub sleep: u64,
    /// What is looked for among the processes, in place of asking for the status.
    pub pattern: Option<&'a str>,
    /// The runlevel of OpenRC.
    pub runlevel: &'a str,
    /// Further words for the script.
    pub arguments: &'a str,
}
