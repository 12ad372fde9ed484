//! `set_stats`: collects statistics for the end of the run.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, map};

use super::action::{Action, ActionContext, ActionOutcome, Run};
use crate::text::python;

/// The action.
pub const ACTION: Action = Action::new("set_stats", DOC, Args::SPEC, Run::OnController(run));

const DOC: Doc = Doc {
    summary: "Collects statistics that are shown at the end of the run",
    description: "The recap shows them if the setting `show_custom_stats` is on; JSON output always includes them.",
    example: "- set_stats:\n    data:\n      upgraded: 1\n    per_host: true\n",
};

convoy_agent::arguments! {
    /// Arguments of `set_stats`.
    pub struct Args {
        /// The names and values to collect.
        data: Map [required],
        /// Whether to collect them for each host separately.
        per_host: bool [default("no")],
        /// Whether to combine a value with the existing one: numbers are added, texts and lists joined, maps merged.
        /// Otherwise the value replaces the existing one.
        aggregate: bool [default("yes")],
    }
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    if args.get("data").is_some_and(|data| data.as_map().is_none()) {
        return Err(Failure::new("The 'data' option needs to be a dictionary/hash"));
    }
    let args = Args::read("set_stats", args).map_err(Failure::new)?;
    let mut data = Map::new();
    for (key, value) in args.data {
        let name = python::str(&context.render(&key.to_value())?);
        if !python::is_identifier(&name) {
            return Err(super::set_fact::invalid_name(&name));
        }
        data.insert(name.into(), value);
    }
    let stats = map! { "data" => data, "per_host" => args.per_host, "aggregate" => args.aggregate };
    Ok(ActionOutcome { values: map! { "ansible_stats" => stats }, ..ActionOutcome::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::tests::with_context;

    fn set(args: &Map) -> Result<Map, String> {
        let done = with_context(map! { "item" => "b" }, |context| run(args, context));
        done.map(|done| done.values).map_err(|failure| failure.msg)
    }

    #[test]
    fn names_are_rendered() {
        let values = set(&map! { "data" => map! { "a_{{ item }}" => 1 }, "per_host" => "yes" });
        let stats = map! { "data" => map! { "a_b" => 1 }, "per_host" => true, "aggregate" => true };
        assert_eq!(values, Ok(map! { "ansible_stats" => stats }));
    }

    #[test]
    fn data_must_be_a_map_of_variable_names() {
        let error = |data: convoy_protocol::Value| set(&map! { "data" => data }).unwrap_err();
        assert_eq!(error("x".into()), "The 'data' option needs to be a dictionary/hash");
        assert_eq!(
            error(map! { "a-b" => 1 }.into()),
            "The variable name 'a-b' is not valid. Variables must start with a letter or underscore character, and contain \
             only letters, numbers and underscores."
        );
        assert_eq!(set(&map! {}), Err("missing required arguments: data".to_owned()));
    }
}
