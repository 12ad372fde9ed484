//! `assert`: stops where a condition does not hold.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Kind, Map, Value, map};

use super::{Action, Done, Run, Scene};

/// The action.
pub const ACTION: Action = Action {
    name: "assert",
    doc: Doc {
        summary: "Stops where a condition does not hold",
        description: "Conditions are written as in `when`, without braces. The first that does not hold fails the task.",
        example: "- name: Refuse a home that is neither version\n  assert:\n    that: version in ['3.1.0', '4.1.0']\n    fail_msg: \"{{ home }} is version {{ version }}\"\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &["that"],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `assert`.
    pub struct Args {
        /// The condition, or a list of them.
        that: Value [required],
        /// What to say if one does not hold.
        fail_msg: Option<Value> [aliases("msg")],
        /// What to say if all hold.
        success_msg: Option<Value>,
        /// Whether to say nothing of what holds.
        quiet: bool [default("no")],
    }
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    let args = Args::read("assert", args).map_err(Failure::new)?;
    let fail_msg = message(args.fail_msg, "Assertion failed", "fail_msg or msg")?;
    let success_msg = message(args.success_msg, "All assertions passed", "success_msg")?;
    // A lone text may itself name a list of conditions.
    let that = if args.that.as_str().is_some() { scene.render(&args.that)? } else { args.that };
    let conditions = that.as_list().map_or_else(|| vec![that.clone()], <[Value]>::to_vec);
    for condition in conditions {
        if !scene.condition(&condition)? {
            let values = map! { "evaluated_to" => false, "assertion" => condition, "msg" => fail_msg };
            return Ok(Done { values, failed: true, show: !args.quiet, ..Done::default() });
        }
    }
    Ok(Done { values: map! { "msg" => success_msg }, show: !args.quiet, ..Done::default() })
}

fn message(given: Option<Value>, default: &str, name: &str) -> Result<Value, Failure> {
    match given {
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
