//! `group_by`: adds hosts to groups named after their variables.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value, map};

use super::action::{Action, ActionContext, ActionOutcome, Run};
use crate::inventory::Addition;
use crate::text::python;

/// The action.
pub const ACTION: Action =
    Action { changes_inventory: true, ..Action::new("group_by", DOC, Args::SPEC, Run::OnController(run)) };

const DOC: Doc = Doc {
    summary: "Adds each host to a group named after its variables",
    description: "Later plays can target the group. Spaces in its name are replaced by `-`.",
    example: "- group_by:\n    key: \"os_{{ ansible_facts.distribution }}\"\n    parents: by_os\n",
};

convoy_agent::arguments! {
    /// Arguments of `group_by`.
    pub struct Args {
        /// The name of the group.
        key: String [required],
        /// The parents of the group.
        parents: Vec<String> [default("all")],
    }
    free_form: true
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    if !args.contains_key("key") {
        return Err(Failure::new("the 'key' param is required when using group_by"));
    }
    let args = Args::read("group_by", args).map_err(Failure::new)?;
    let safe = |name: &str| name.replace(' ', "-");
    let (name, parents) = (safe(&args.key), args.parents.iter().map(|name| safe(name)).collect::<Vec<_>>());
    let host = context.variable("inventory_hostname")?.map(|host| python::str(&host)).unwrap_or_default();
    let parent_list: Value = parents.iter().map(|name| Value::from(name.as_str())).collect();
    Ok(ActionOutcome {
        values: map! { "add_group" => name.clone(), "parent_groups" => parent_list },
        addition: Some(Addition::Group { name, parents, host: host.into() }),
        ..ActionOutcome::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::tests::with_context;

    #[test]
    fn spaces_in_group_names_are_replaced() {
        let vars = map! { "inventory_hostname" => "h" };
        let group =
            |args: Map| with_context(vars.clone(), |context| run(&args, context)).map(|done| done.addition);
        let expected = |parent: &str| Addition::Group {
            name: "os-10-1".to_owned(),
            parents: vec![parent.to_owned()],
            host: "h".into(),
        };
        assert_eq!(group(map! { "key" => "os 10 1" }).unwrap(), Some(expected("all")));
        assert_eq!(
            group(map! { "key" => "os 10 1", "parents" => "by os" }).unwrap(),
            Some(expected("by-os"))
        );
        let error = group(map! { "parents" => "x" }).unwrap_err();
        assert_eq!(error.msg, "the 'key' param is required when using group_by");
    }
}
