//! `fail`: fails, with a message.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value};

use super::{Action, Done, Run, Scene};

/// The action.
pub const ACTION: Action = Action {
    name: "fail",
    doc: Doc {
        summary: "Fails, with a message",
        description: "Usually under a `when`.",
        example: "- fail:\n    msg: this database is not supported\n  when: database == 'h2'\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `fail`.
    pub struct Args {
        /// What to say.
        msg: Value [default("Failed as requested from task")],
    }
}

fn run(args: &Map, _scene: &Scene<'_>) -> Result<Done, Failure> {
    let args = Args::read("fail", args).map_err(Failure::new)?;
    Err(Failure::new("").with("msg", args.msg))
}
