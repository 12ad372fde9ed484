//! `shell`: a line is given to a shell.

pub use crate::user_command::Plan;

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};
use crate::user_command::{self, RunArgs};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Runs a line by a shell on the node",
    description: "As `command`, but by `/bin/sh` or the shell named by `executable`. \
        Whether it is needed cannot be known, unless `creates` or `removes` says so.",
    example: "- name: Count the tenants\n  shell: ls /opt/wso2/repository/tenants | wc -l\n  changed_when: false\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it runs a command"),
    ..Behavior::new(Access::WriteTree)
};

crate::arguments! {
    /// Arguments of `shell`.
    pub struct Args {
        /// What the shell reads.
        _raw_params: Option<String> [aliases("cmd")],
        /// The shell, by its whole path.
        executable: Option<String>,
        /// Means nothing here: the shell expands.
        expand_argument_vars: bool [default("true")],
    }
    including [run: RunArgs]
    free_form: true
}

/// Looks whether the line must be run.
///
/// # Errors
/// If there is nothing to run, or no such directory to run in.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let line = args._raw_params.as_deref().filter(|line| !line.trim().is_empty());
    let line = line.ok_or_else(|| user_command::missing_command("no command given"))?;
    let shell = args.executable.as_deref().unwrap_or("/bin/sh");
    let argv = [shell, "-c", line].map(str::to_owned).to_vec();
    user_command::check(args.run.request(line.into(), argv, view), view)
}

/// Runs it.
///
/// # Errors
/// If it cannot be started, ends with another code than 0, or does not end in time.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    user_command::apply(&plan, args.run.strip_empty_ends, node)
}
