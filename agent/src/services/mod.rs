//! Services: what `systemd`, `systemd_service` and `service` have in common.

pub mod systemd;
pub mod sysv;

use crate::failure::Failure;

crate::choices! {
    /// What shall become of a service.
    pub enum State {
        /// It reads its configuration again; started if it does not run.
        Reloaded = "reloaded",
        /// It is started anew.
        Restarted = "restarted",
        /// It runs.
        Started = "started",
        /// It does not run.
        Stopped = "stopped",
    }
}

impl State {
    /// Returns what the service is afterwards, in Ansible's word.
    pub(crate) fn result(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            _ => "started",
        }
    }

    /// Returns what is to be done to a service that runs, or does not.
    pub(crate) fn verb(self, runs: bool) -> Option<&'static str> {
        match (self, runs) {
            (Self::Started, true) | (Self::Stopped, false) => None,
            (Self::Stopped, true) => Some("stop"),
            (_, false) => Some("start"),
            (Self::Reloaded, true) => Some("reload"),
            (Self::Restarted, true) => Some("restart"),
        }
    }
}

/// Returns the failure for a service that the node does not have.
pub(crate) fn missing(name: &str) -> Failure {
    Failure::new(format!("Could not find the requested service {name}: host"))
}
