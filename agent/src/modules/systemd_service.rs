//! `systemd_service`: another name of `systemd`.

use crate::metadata::{Behavior, Doc};

pub use super::systemd::{Args, Plan, apply, check};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a unit of systemd runs or does not, is enabled or masked",
    description: "The same as `systemd`.",
    example: "- name: Restart the gateway\n  systemd_service:\n    name: wso2-gateway\n    state: restarted\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = super::systemd::BEHAVIOR;
