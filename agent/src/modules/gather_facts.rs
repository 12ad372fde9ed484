//! `gather_facts`: facts about the node, as a play gathers them at its start.

use std::convert::Infallible;

use super::setup;
use crate::failure::Failure;
use crate::metadata::{Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Gathers facts about the node, as a play does at its start",
    description: "The same as `setup`, which gathers facts on every node.",
    example: "- name: Look before anything else\n  gather_facts:\n    gather_subset: [min]\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = setup::BEHAVIOR;

crate::arguments! {
    /// Arguments of `gather_facts`.
    pub struct Args {
        /// Whether several modules gather at once; here it is one.
        parallel: Option<bool>,
    }
    including [setup: setup::Args]
}

/// Gathers.
///
/// # Errors
/// As [`setup::check`].
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    setup::check(&args.setup, view)
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(args: &Args, plan: Infallible, node: &mut System) -> Result<Done, Failure> {
    setup::apply(&args.setup, plan, node)
}
