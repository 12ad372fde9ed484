//! `package`: packages, whatever manages them on the node.

pub use super::apt::Plan;

use super::apt;
use crate::failure::Failure;
use crate::metadata::{Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that packages are installed, or are not",
    description: "By `apt` where dpkg is. Other package managers are not known to convoy.",
    example: "- name: Install what unpacks archives\n  package:\n    name: unzip\n    state: present\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = apt::BEHAVIOR;

crate::arguments! {
    /// Arguments of `package`: those of `apt`.
    pub struct Args {
        /// What manages the packages: `auto` or `apt`.
        r#use: String [default("auto")],
    }
    including [apt: apt::Args]
}

/// Package managers that are told by their name.
const OTHERS: [&str; 8] = ["dnf5", "dnf", "yum", "zypper", "apk", "pacman", "emerge", "xbps-install"];

fn is_apt(args: &Args, view: &SystemView) -> Result<(), Failure> {
    if args.apt.package.is_empty() {
        return Err(Failure::new("missing required arguments: name"));
    }
    let wanted = args.r#use.rsplit('.').next().unwrap_or_default();
    if wanted != "auto" && wanted != "apt" {
        return Err(Failure::new(format!(
            "use: {} is not supported by convoy: there is only apt",
            args.r#use
        )));
    }
    if view.program("dpkg").is_some() {
        return Ok(());
    }
    Err(Failure::new(match OTHERS.iter().find(|name| view.program(name).is_some()) {
        Some(name) => format!(
            "the packages of this node are managed by {name}, which convoy does not know: use command"
        ),
        None => "there is no package manager on this node that convoy knows".to_owned(),
    }))
}

/// Compares what is installed with what is asked for.
///
/// # Errors
/// If something else than dpkg manages the packages, or as for `apt`.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    is_apt(args, view)?;
    apt::check(&args.apt, view)
}

/// Installs or removes.
///
/// # Errors
/// If `apt-get` fails; with what it says.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    apt::apply(&args.apt, plan, node)
}
