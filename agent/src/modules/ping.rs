//! `ping`: the agent answers.

use std::convert::Infallible;

use convoy_protocol::map;

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Checks that a node can be worked with",
    description: "Logs in, starts the agent and has it answer. Changes nothing.",
    example: "- name: See whether all nodes answer\n  ping:\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

crate::arguments! {
    /// Arguments of `ping`.
    pub struct Args {
        /// What to answer. `crash` makes the module fail, to try what a playbook does then.
        data: String [default("pong")],
    }
}

/// Answers.
///
/// # Errors
/// If `data` is `crash`.
pub fn check(args: &Args, _node: &SystemView) -> Result<Checked<Infallible>, Failure> {
    if args.data == "crash" {
        return Err(Failure::new("boom")
            .with("module_stdout", "")
            .with("module_stderr", "Exception: boom")
            .with("rc", 1));
    }
    Ok(Checked::Same(map! { "ping" => args.data.clone() }))
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
