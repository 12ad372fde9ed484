//! `service`: a service, whatever runs the node's services.

use convoy_protocol::{Map, Value};

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::services::systemd::Scope;
use crate::services::{State, systemd, sysv};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a service runs or does not, now and when the node starts",
    description: "By systemd where that runs, else by OpenRC or by the init script. What is for one of them alone is \
        named in the parameters.",
    example: "- name: Start the database\n  service:\n    name: postgresql\n    state: started\n    enabled: true\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it changes a service"),
    ..Behavior::new(Access::Write)
};

crate::arguments! {
    /// Arguments of `service`.
    pub struct Args {
        /// The service.
        name: String [required],
        /// What shall become of it.
        state: Option<State>,
        /// Whether it starts with the node.
        enabled: Option<bool>,
        /// How many seconds are between stop and start of a restart; not for systemd.
        sleep: Option<i64>,
        /// What is looked for among the processes to see whether it runs; not for systemd.
        pattern: Option<String>,
        /// The runlevel it belongs to; for OpenRC alone.
        runlevel: Option<String>,
        /// Further words for the script; not for systemd.
        arguments: Option<String> [aliases("args")],
        /// What runs the services: `auto`, `systemd`, `sysvinit` or `service`, which is the one found of the others.
        r#use: String [default("auto")],
        /// Whether it cannot be started at all; for systemd alone.
        masked: Option<bool>,
        /// Whether systemd reads its files again first; for systemd alone.
        daemon_reload: bool [default("false"), aliases("daemon-reload")],
        /// Whether systemd is started anew first; for systemd alone.
        daemon_reexec: bool [default("false"), aliases("daemon-reexec")],
        /// Whose units are meant; for systemd alone.
        scope: Option<Scope>,
        /// Whether it is not waited for; for systemd alone.
        no_block: bool [default("false")],
        /// Whether links that are in the way are replaced; for systemd alone.
        force: bool [default("false")],
    }
    required_one_of ["state", "enabled", "masked", "daemon_reload", "daemon_reexec"]
}

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// By systemd.
    Systemd(systemd::Plan),
    /// By scripts.
    Sysv(sysv::Plan),
}

fn is_systemd(args: &Args, view: &SystemView) -> Result<bool, Failure> {
    let name = args.r#use.rsplit('.').next().unwrap_or_default().to_lowercase();
    match name.as_str() {
        "auto" | "service" => Ok(view.service_manager() == "systemd"),
        "systemd" | "systemd_service" => Ok(true),
        "sysvinit" => Ok(false),
        _ => Err(Failure::new(format!(
            "use: {} is not supported by convoy: there are auto, systemd, sysvinit and service",
            args.r#use
        ))),
    }
}

fn of_systemd(args: &Args) -> systemd::Request<'_> {
    systemd::Request {
        name: Some(&args.name),
        state: args.state,
        enabled: args.enabled,
        masked: args.masked,
        force: args.force,
        daemon_reload: args.daemon_reload,
        daemon_reexec: args.daemon_reexec,
        scope: args.scope.unwrap_or(Scope::System),
        no_block: args.no_block,
    }
}

fn of_sysv(args: &Args) -> sysv::Request<'_> {
    sysv::Request {
        name: &args.name,
        state: args.state,
        enabled: args.enabled,
        sleep: args.sleep.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default(),
        pattern: args.pattern.as_deref(),
        runlevel: args.runlevel.as_deref().unwrap_or("default"),
        arguments: args.arguments.as_deref().unwrap_or_default(),
    }
}

/// Refuses what only systemd can do.
fn refuse_systemds(args: &Args) -> Result<(), Failure> {
    let given = [
        ("masked", args.masked.is_some()),
        ("daemon_reload", args.daemon_reload),
        ("daemon_reexec", args.daemon_reexec),
        ("scope", args.scope.is_some()),
        ("no_block", args.no_block),
        ("force", args.force),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Failure::new(format!("{name} is for systemd alone, which does not run here"))),
        None if args.state.is_none() && args.enabled.is_none() => {
            Err(Failure::new("one of the following is required: state, enabled"))
        }
        None => Ok(()),
    }
}

/// Looks at the service.
///
/// # Errors
/// If there is no such service, or its state cannot be told.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    if !is_systemd(args, view)? {
        refuse_systemds(args)?;
        return Ok(sysv::check(&of_sysv(args), view)?.map(Plan::Sysv));
    }
    let mut checked = systemd::check(&of_systemd(args), view)?.map(Plan::Systemd);
    ignored(args, checked.values_mut());
    Ok(checked)
}

/// Adds a warning for each argument that means nothing to systemd.
fn ignored(args: &Args, values: &mut Map) {
    let given = [
        ("pattern", args.pattern.is_some()),
        ("runlevel", args.runlevel.is_some()),
        ("sleep", args.sleep.is_some()),
        ("arguments", args.arguments.is_some()),
    ];
    let given = given.iter().filter(|(_, is_given)| *is_given);
    let new =
        given.map(|(name, _)| Value::from(format!("Ignoring \"{name}\" as it is not used in \"systemd\"")));
    let old = values.get("warnings").and_then(Value::as_list).unwrap_or_default().to_vec();
    let all: Vec<Value> = old.into_iter().chain(new).collect();
    if !all.is_empty() {
        values.insert("warnings".into(), all.into());
    }
}

/// Does it.
///
/// # Errors
/// If a program fails; with what it says.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    match plan {
        Plan::Systemd(plan) => systemd::apply(&of_systemd(args), plan, node),
        Plan::Sysv(plan) => sysv::apply(&of_sysv(args), plan, node),
    }
}
