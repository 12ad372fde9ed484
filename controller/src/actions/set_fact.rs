//! `set_fact`: sets variables of the host for the rest of the run.

use convoy_agent::args::{Arg, Arguments};
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value};

use super::action::{Action, ActionContext, ActionOutcome, Run, VariableLevel};

/// The action.
pub const ACTION: Action = Action {
    any_argument: true,
    accepts_unknown: true,
    ..Action::new("set_fact", DOC, Args::SPEC, Run::OnController(run))
};

const DOC: Doc = Doc {
    summary: "Sets variables of the host for the rest of the run",
    description: "Names and values are rendered once, when the task runs. Other hosts see the variables in `hostvars`.",
    example: "- set_fact:\n    product_dir: \"{{ wso2_base }}/wso2am-4.1.0\"\n",
};

convoy_agent::arguments! {
    /// The only argument of `set_fact` that is not a variable.
    pub struct Args {
        /// Whether the variables also become facts, which have lower precedence than the variables of the play.
        cacheable: bool [default("no")],
    }
    free_form: true
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let mut done = ActionOutcome::default();
    for (key, value) in args {
        let rendered = context.render(&key.to_value())?;
        let name = crate::text::python::str(&rendered);
        if name == "cacheable" {
            if bool::convert(value).map_err(Failure::new)? {
                done.level = VariableLevel::CacheableFact;
            }
            continue;
        }
        if !crate::text::python::is_identifier(&name) {
            return Err(invalid_name(&crate::text::python::label(Some(&rendered))));
        }
        done.variables.insert(name.into(), text_to_boolean(value));
    }
    if done.variables.is_empty() {
        let msg = "No key/value pairs provided, at least one is required for this action to succeed";
        return Err(Failure::new(msg));
    }
    done.values.insert("ansible_facts".into(), done.variables.clone().into());
    Ok(done)
}

/// Returns the failure for a text that cannot be the name of a variable.
pub(super) fn invalid_name(name: &str) -> Failure {
    Failure::new(format!(
        "The variable name '{name}' is not valid. Variables must start with a letter or underscore character, \
         and contain only letters, numbers and underscores."
    ))
}

/// Converts text that names a boolean, such as `set_fact: x=yes`, as Ansible does.
fn text_to_boolean(value: &Value) -> Value {
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
    use crate::actions::tests::with_context;

    fn set(args: &Map) -> Result<ActionOutcome, Failure> {
        with_context(map! { "item" => "b" }, |context| run(args, context))
    }

    #[test]
    fn names_are_rendered() {
        let done = set(&map! { "a_{{ item }}" => 1, "c" => "yes", "cacheable" => true }).unwrap();
        assert_eq!(
            (done.variables, done.level),
            (map! { "a_b" => 1, "c" => true }, VariableLevel::CacheableFact)
        );
        let error = set(&map! { "{{ item }}-" => 1 }).unwrap_err();
        assert_eq!(
            error.msg,
            "The variable name 'b-' is not valid. Variables must start with a letter or underscore character, \
             and contain only letters, numbers and underscores."
        );
    }
}
