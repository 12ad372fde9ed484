//! `raw`: a line is given to the login shell.

use std::path::Path;

use convoy_protocol::map;

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{Process, System, SystemView};
use crate::user_command;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Runs a line by the login shell of the node",
    description: "The outputs are returned as they are. With convoy it needs no less on the node than other modules; \
        prefer `command` or `shell`.",
    example: "- name: Look at the kernel\n  raw: uname -a\n  changed_when: false\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it runs a command"),
    ..Behavior::new(Access::WriteTree)
};

crate::arguments! {
    /// Arguments of `raw`.
    pub struct Args {
        /// What the shell reads.
        _raw_params: Option<String>,
        /// Another shell, by its whole path.
        executable: Option<String>,
    }
    free_form: true
}

/// Finds the shell.
///
/// # Errors
/// If there is nothing to run.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<[String; 3]>, Failure> {
    let line = args._raw_params.as_deref().filter(|line| !line.trim().is_empty());
    let line = line.ok_or_else(|| user_command::missing_command("no command given"))?;
    let shell =
        args.executable.clone().filter(|shell| !shell.is_empty()).unwrap_or_else(|| login_shell(view));
    let why = "Command would have run if not in check mode";
    Ok(Checked::Unknown { plan: [shell, "-c".into(), line.into()], why, values: map! {} })
}

/// Returns the user's login shell; that of a user who cannot log in is no shell, and `/bin/sh` is taken.
fn login_shell(view: &SystemView) -> String {
    let shell = view.user_by_id(view.uid()).map(|user| user.shell).unwrap_or_default();
    let name = Path::new(&shell).file_name().unwrap_or_default().to_string_lossy();
    let is_shell =
        !matches!(&*name, "" | "nologin" | "false" | "true") && view.can_execute(Path::new(&shell));
    if is_shell { shell } else { "/bin/sh".into() }
}

/// Runs the line.
///
/// # Errors
/// If it cannot be started, ends with another code than 0, or does not end in time.
pub fn apply(_args: &Args, argv: [String; 3], node: &mut System) -> Result<Done, Failure> {
    user_command::run_plain(&Process::new(&argv), &argv[0], node)
}
