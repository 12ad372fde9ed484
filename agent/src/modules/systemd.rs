//! `systemd`: a unit of systemd.

pub use crate::services::systemd::Plan;

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::services::State;
use crate::services::systemd::{self, Request, Scope};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a unit of systemd runs or does not, is enabled or masked",
    description: "First systemd reads its files again, if `daemon_reload` says so; then the unit is masked or unmasked, \
        enabled or disabled, started or stopped. If it fails, the message has the last lines of its journal. A unit \
        without an `[Install]` section is neither enabled nor disabled.",
    example: "- name: Start the gateway, now and with the node\n  systemd:\n    name: wso2-gateway\n    state: started\n    enabled: true\n    daemon_reload: true\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it changes a service"),
    ..Behavior::new(Access::Write)
};

crate::arguments! {
    /// Arguments of `systemd`.
    pub struct Args {
        /// The unit; without an ending it is a service.
        name: Option<String> [aliases("service", "unit")],
        /// What shall become of it.
        state: Option<State>,
        /// Whether it starts with the node.
        enabled: Option<bool>,
        /// Whether links that are in the way are replaced.
        force: bool [default("false")],
        /// Whether it cannot be started at all.
        masked: Option<bool>,
        /// Whether systemd reads its files again first.
        daemon_reload: bool [default("false"), aliases("daemon-reload")],
        /// Whether systemd is started anew first.
        daemon_reexec: bool [default("false"), aliases("daemon-reexec")],
        /// Whose units are meant.
        scope: Scope [default("system")],
        /// Whether it is not waited for.
        no_block: bool [default("false")],
    }
    required_one_of ["state", "enabled", "masked", "daemon_reload", "daemon_reexec"]
}

fn request(args: &Args) -> Request<'_> {
    Request {
        name: args.name.as_deref(),
        state: args.state,
        enabled: args.enabled,
        masked: args.masked,
        force: args.force,
        daemon_reload: args.daemon_reload,
        daemon_reexec: args.daemon_reexec,
        scope: args.scope,
        no_block: args.no_block,
    }
}

/// Looks at the unit.
///
/// # Errors
/// If there is no such unit, it is faulty, or there is no `systemctl`.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    systemd::check(&request(args), view)
}

/// Does it.
///
/// # Errors
/// If `systemctl` fails, or a unit that was started has failed at once; with the last lines of its journal.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    systemd::apply(&request(args), plan, node)
}
