//! `command`: a program is run, without a shell.

use convoy_protocol::Value;

pub use crate::user_command::Plan;

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};
use crate::user_command::{self, RunArgs};
use crate::words;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Runs a program on the node",
    description: "The program is run directly, so `|`, `>`, `&&` and `;` mean nothing; see `shell` for those. \
        Whether it is needed cannot be known, unless `creates` or `removes` says so.",
    example: "- name: Build the profile\n  command:\n    cmd: ./profileSetup.sh -Dprofile=gateway-worker\n    chdir: /opt/wso2/bin\n    creates: /opt/wso2/.profiled\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it runs a command"),
    ..Behavior::new(Access::WriteTree)
};

crate::arguments! {
    /// Arguments of `command`.
    pub struct Args {
        /// Program and arguments in one line, quoted as for a shell.
        _raw_params: Option<String> [aliases("cmd")],
        /// Program and arguments as a list.
        argv: Vec<String>,
        /// Whether `~` and `$NAME` in the arguments are expanded.
        expand_argument_vars: bool [default("true")],
        /// Means nothing here; see `shell`.
        executable: Option<String>,
    }
    including [run: RunArgs]
    free_form: true
}

/// Looks whether the program must be run.
///
/// # Errors
/// If there is nothing to run, or no such directory to run in.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let line = args._raw_params.as_deref().filter(|line| !line.trim().is_empty());
    let words = match line {
        Some(_) if !args.argv.is_empty() => {
            return Err(user_command::missing_command("only command or argv can be given, not both"));
        }
        Some(line) => {
            words::split(line).map_err(|why| Failure::new(format!("cannot split the command: {why}")))?
        }
        None => args.argv.clone(),
    };
    if words.is_empty() {
        return Err(user_command::missing_command("no command given"));
    }
    let expand =
        |word: &String| if args.expand_argument_vars { view.expand_text(word) } else { word.clone() };
    let shown = words.iter().map(|word| Value::from(word.as_str())).collect();
    let argv = words.iter().map(expand).collect();
    let mut checked = user_command::check(args.run.request(shown, argv, view), view)?;
    if let Some(executable) = &args.executable {
        let warning = format!(
            "As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module. Not using '{executable}'."
        );
        checked.values_mut().insert("warnings".into(), vec![Value::from(warning)].into());
    }
    Ok(checked)
}

/// Runs it.
///
/// # Errors
/// If it cannot be started, ends with another code than 0, or does not end in time.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    user_command::apply(&plan, args.run.strip_empty_ends, node)
}
