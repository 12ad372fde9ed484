//! `set_stats`: numbers and texts for the end of the run.

use convoy_agent::args::{Arguments, Spec};
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, map};

use super::{Action, Done, Run, Scene};
use crate::python;

/// The action.
pub const ACTION: Action = Action {
    name: "set_stats",
    doc: Doc {
        summary: "Collects numbers and texts that are shown at the end of the run",
        description: "The recap shows them if the setting `show_custom_stats` is on; JSON lines always have them.",
        example: "- set_stats:\n    data:\n      upgraded: 1\n    per_host: true\n",
    },
    spec: Spec { free_form: false, ..Args::SPEC },
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `set_stats`.
    pub struct Args {
        /// What is collected: names and values.
        data: Map [required],
        /// Whether each host has its own.
        per_host: bool [default("no")],
        /// Whether a value is added to what is there: numbers are summed up, texts and lists joined, maps merged. Else
        /// it takes its place.
        aggregate: bool [default("yes")],
    }
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    if args.get("data").is_some_and(|data| data.as_map().is_none()) {
        return Err(Failure::new("The 'data' option needs to be a dictionary/hash"));
    }
    let args = Args::read("set_stats", args).map_err(Failure::new)?;
    let mut data = Map::new();
    for (key, value) in args.data {
        let name = python::str(&scene.render(&key.to_value())?);
        if !python::is_identifier(&name) {
            return Err(super::set_fact::no_name(&name));
        }
        data.insert(name.into(), value);
    }
    let stats = map! { "data" => data, "per_host" => args.per_host, "aggregate" => args.aggregate };
    Ok(Done { values: map! { "ansible_stats" => stats }, ..Done::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::tests::scene;

    fn set(args: &Map) -> Result<Map, String> {
        let done = scene(map! { "item" => "b" }, |scene| run(args, scene));
        done.map(|done| done.values).map_err(|failure| failure.msg)
    }

    #[test]
    fn names_may_be_templates() {
        let found = set(&map! { "data" => map! { "a_{{ item }}" => 1 }, "per_host" => "yes" });
        let stats = map! { "data" => map! { "a_b" => 1 }, "per_host" => true, "aggregate" => true };
        assert_eq!(found, Ok(map! { "ansible_stats" => stats }));
    }

    #[test]
    fn what_is_no_map_of_names_is_refused() {
        let wrong = |data: convoy_protocol::Value| set(&map! { "data" => data }).unwrap_err();
        assert_eq!(wrong("x".into()), "The 'data' option needs to be a dictionary/hash");
        assert_eq!(
            wrong(map! { "a-b" => 1 }.into()),
            "The variable name 'a-b' is not valid. Variables must start with a letter or underscore character, and contain \
             only letters, numbers and underscores."
        );
        assert_eq!(set(&map! {}), Err("missing required arguments: data".to_owned()));
    }
}
