//! `fail`: fails with a message.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value};

use super::action::{Action, ActionContext, ActionOutcome, Run};

/// The action.
pub const ACTION: Action = Action::new("fail", DOC, Args::SPEC, Run::OnController(run));

const DOC: Doc = Doc {
    summary: "Fails with a message",
    description: "Usually combined with `when`.",
    example: "- fail:\n    msg: this database is not supported\n  when: database == 'h2'\n",
};

convoy_agent::arguments! {
    /// Arguments of `fail`.
    pub struct Args {
        /// The message.
        msg: Value [default("Failed as requested from task")],
    }
}

fn run(args: &Map, _: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let args = Args::read("fail", args).map_err(Failure::new)?;
    Err(Failure::new("").with("msg", args.msg))
}
