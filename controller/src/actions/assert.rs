//! `assert`: fails unless conditions are true.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Kind, Map, Value, map};

use super::action::{Action, ActionContext, ActionOutcome, Run};

/// The action.
pub const ACTION: Action =
    Action { unrendered: &["that"], ..Action::new("assert", DOC, Args::SPEC, Run::OnController(run)) };

const DOC: Doc = Doc {
    summary: "Fails unless conditions are true",
    description: "Write conditions as in `when`, without braces. The first false condition fails the task.",
    example: "- name: Refuse a home that is neither version\n  assert:\n    that: version in ['3.1.0', '4.1.0']\n    fail_msg: \"{{ home }} is version {{ version }}\"\n",
};

convoy_agent::arguments! {
    /// Arguments of `assert`.
    pub struct Args {
        /// A condition, or a list of conditions.
        that: Value [required],
        /// The message if a condition is false.
        fail_msg: Option<Value> [aliases("msg")],
        /// The message if all conditions are true.
        success_msg: Option<Value>,
        /// Whether to show no result.
        quiet: bool [default("no")],
    }
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let args = Args::read("assert", args).map_err(Failure::new)?;
    let fail_msg = message(args.fail_msg, "Assertion failed", "fail_msg or msg")?;
    let success_msg = message(args.success_msg, "All assertions passed", "success_msg")?;
    // Text may be the name of a variable that holds a list of conditions.
    let that = if args.that.as_str().is_some() { context.render(&args.that)? } else { args.that };
    let conditions = that.as_list().map_or_else(|| vec![that.clone()], <[Value]>::to_vec);
    for condition in conditions {
        if !context.condition(&condition)? {
            let values = map! { "evaluated_to" => false, "assertion" => condition, "msg" => fail_msg };
            return Ok(ActionOutcome { values, failed: true, show: !args.quiet, ..ActionOutcome::default() });
        }
    }
    Ok(ActionOutcome { values: map! { "msg" => success_msg }, show: !args.quiet, ..ActionOutcome::default() })
}

fn message(message: Option<Value>, default: &str, name: &str) -> Result<Value, Failure> {
    match message {
        None => Ok(default.into()),
        Some(value) => match &value.kind {
            Kind::Text(_) => Ok(value),
            Kind::List(list) if list.iter().all(|line| line.as_str().is_some()) => Ok(value),
            Kind::List(_) => {
                Err(Failure::new(format!("Type of one of the elements in {name} list is not string type")))
            }
            _ => Err(Failure::new(format!(
                "Incorrect type for {name}, expected a string or list and got {}",
                value.kind_name()
            ))),
        },
    }
}
