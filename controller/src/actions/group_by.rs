//! `group_by`: groups made of what is known of hosts.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value, map};

use super::{Action, Done, Run, Scene};
use crate::inventory::Addition;
use crate::python;

/// The action.
pub const ACTION: Action = Action {
    name: "group_by",
    doc: Doc {
        summary: "Puts each host into a group named after what is known of it",
        description: "Plays that follow can be for the group. Blanks in its name become `-`.",
        example: "- group_by:\n    key: \"os_{{ ansible_facts.distribution }}\"\n    parents: by_os\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: true,
    once_for_all: false,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `group_by`.
    pub struct Args {
        /// The group.
        key: String [required],
        /// The groups above it.
        parents: Vec<String> [default("all")],
    }
    free_form: true
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    if !args.contains_key("key") {
        return Err(Failure::new("the 'key' param is required when using group_by"));
    }
    let args = Args::read("group_by", args).map_err(Failure::new)?;
    let safe = |name: &str| name.replace(' ', "-");
    let (name, parents) = (safe(&args.key), args.parents.iter().map(|name| safe(name)).collect::<Vec<_>>());
    let host = scene.scope.raw("inventory_hostname").map(|host| python::str(&host)).unwrap_or_default();
    let shown: Value = parents.iter().map(|name| Value::from(name.as_str())).collect();
    Ok(Done {
        values: map! { "add_group" => name.clone(), "parent_groups" => shown },
        addition: Some(Addition::Group { name, parents, host: host.into() }),
        ..Done::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::tests::scene;

    #[test]
    fn blanks_are_no_part_of_a_name() {
        let vars = map! { "inventory_hostname" => "h" };
        let group = |args: Map| scene(vars.clone(), |scene| run(&args, scene)).map(|done| done.addition);
        let expected = |parent: &str| Addition::Group {
            name: "os-10-1".to_owned(),
            parents: vec![parent.to_owned()],
            host: "h".into(),
        };
        assert_eq!(group(map! { "key" => "os 10 1" }).unwrap(), Some(expected("all")));
        assert_eq!(group(map! { "key" => "os 10 1", "parents" => "by os" }).unwrap(), Some(expected("by-os")));
        let error = group(map! { "parents" => "x" }).unwrap_err();
        assert_eq!(error.msg, "the 'key' param is required when using group_by");
    }
}
