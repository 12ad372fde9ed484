//! `set_fact`: sets variables of the host for the rest of the run.

use convoy_agent::args::{Arg, Arguments, Spec};
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value};

use super::{Action, Done, Kept, Run, Scene};

/// The action.
pub const ACTION: Action = Action {
    name: "set_fact",
    doc: Doc {
        summary: "Sets variables of the host for the rest of the run",
        description: "Names and values are rendered once, now. Other hosts see them in `hostvars`.",
        example: "- set_fact:\n    product_dir: \"{{ wso2_base }}/wso2am-4.1.0\"\n",
    },
    spec: Spec { free_form: false, ..Args::SPEC },
    any_argument: true,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// The one argument of `set_fact` that is no variable.
    pub struct Args {
        /// Whether the variables are facts as well, below the variables of the play.
        cacheable: bool [default("no")],
    }
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    let mut done = Done::default();
    for (key, value) in args {
        let rendered = scene.render(&key.to_value())?;
        let name = crate::python::str(&rendered);
        if name == "cacheable" {
            if bool::convert(value).map_err(Failure::new)? {
                done.kept = Kept::Facts;
            }
            continue;
        }
        if !crate::python::is_identifier(&name) {
            return Err(no_name(&crate::python::label(Some(&rendered))));
        }
        done.variables.insert(name.into(), as_boolean(value));
    }
    if done.variables.is_empty() {
        let msg = "No key/value pairs provided, at least one is required for this action to succeed";
        return Err(Failure::new(msg));
    }
    done.values.insert("ansible_facts".into(), done.variables.clone().into());
    Ok(done)
}

/// The failure of what cannot be the name of a variable.
pub(super) fn no_name(name: &str) -> Failure {
    Failure::new(format!(
        "The variable name '{name}' is not valid. Variables must start with a letter or underscore character, \
         and contain only letters, numbers and underscores."
    ))
}

/// Text that says a boolean is one: `set_fact: x=yes`, as Ansible has it.
fn as_boolean(value: &Value) -> Value {
    let boolean = match value.as_str().map(str::to_lowercase).as_deref() {
        Some("true" | "yes") => true,
        Some("false" | "no") => false,
        _ => return value.clone(),
    };
    Value { kind: convoy_protocol::Kind::Bool(boolean), ..value.clone() }
}

#[cfg(test)]
mod tests {
    use convoy_protocol::map;

    use super::*;
    use crate::actions::tests::scene;

    fn set(args: &Map) -> Result<Done, Failure> {
        scene(map! { "item" => "b" }, |scene| run(args, scene))
    }

    #[test]
    fn names_may_be_templates() {
        let done = set(&map! { "a_{{ item }}" => 1, "c" => "yes", "cacheable" => true }).unwrap();
        assert_eq!((done.variables, done.kept), (map! { "a_b" => 1, "c" => true }, Kept::Facts));
        let error = set(&map! { "{{ item }}-" => 1 }).unwrap_err();
        assert_eq!(
            error.msg,
            "The variable name 'b-' is not valid. Variables must start with a letter or underscore character, \
             and contain only letters, numbers and underscores."
        );
    }
}
