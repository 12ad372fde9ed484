//! `shell`: a line is given to a shell.

use crate::args::NodePath;
use crate::execute::{self, Request};
use crate::module::{Checked, Doc, Done, Failure};
use crate::system::{Look, System};

pub use crate::execute::Plan;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Runs a line by a shell on the node",
    description: "As `command`, but by `/bin/sh` or the shell named by `executable`. \
        Whether it is needed cannot be known, unless `creates` or `removes` says so.",
    example: "- name: Count the tenants\n  shell: ls /opt/wso2/repository/tenants | wc -l\n  changed_when: false\n",
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
        /// The folder to run in.
        chdir: Option<NodePath>,
        /// Not run if this exists; may hold `*`, `?` and `[…]`.
        creates: Option<NodePath>,
        /// Not run if this does not exist; may hold `*`, `?` and `[…]`.
        removes: Option<NodePath>,
        /// What the command reads from standard input.
        stdin: Option<String>,
        /// Whether a line end is added to `stdin`.
        stdin_add_newline: bool [default("true")],
        /// Whether line ends at the end of the outputs are taken away.
        strip_empty_ends: bool [default("true")],
    }
    free_form: true
}

/// Looks whether the line must be run.
///
/// # Errors
/// If there is nothing to run, or no such folder to run in.
pub fn check(args: &Args, look: &Look) -> Result<Checked<Plan>, Failure> {
    let line = args._raw_params.as_deref().filter(|line| !line.trim().is_empty());
    let line = line.ok_or_else(|| execute::no_command("no command given"))?;
    let request = Request {
        shown: line.into(),
        argv: vec![args.executable.clone().unwrap_or_else(|| "/bin/sh".into()), "-c".into(), line.into()],
        chdir: args.chdir.as_ref().map(|path| look.expand(path)),
        creates: args.creates.as_ref().map(|path| look.expand(path).to_string_lossy().into_owned()),
        removes: args.removes.as_ref().map(|path| look.expand(path).to_string_lossy().into_owned()),
        stdin: args.stdin.as_deref(),
        stdin_add_newline: args.stdin_add_newline,
    };
    execute::check(request, look)
}

/// Runs it.
///
/// # Errors
/// If it cannot be started, ends with another code than 0, or does not end in time.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    execute::apply(&plan, args.strip_empty_ends, node)
}
