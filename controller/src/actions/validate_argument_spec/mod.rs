//! `validate_argument_spec`: checks variables against the argument specification of a role.

mod spec;

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value, map};

use super::action::{Action, ActionContext, ActionOutcome, Run};
use crate::template::unknown::known;

/// The action.
pub const ACTION: Action = Action::new("validate_argument_spec", DOC, Args::SPEC, Run::OnController(run));

const DOC: Doc = Doc {
    summary: "Validates variables against an argument specification",
    description: "Runs automatically before the tasks of a role that has `meta/argument_specs.yml`. Reports all errors at once.",
    example: "- validate_argument_spec:\n    argument_spec:\n      port: {type: int, required: true}\n",
};

convoy_agent::arguments! {
    /// Arguments of `validate_argument_spec`.
    pub struct Args {
        /// The specification of each variable: its type, whether it is required, and so on.
        argument_spec: Value [required],
        /// Values that take precedence over the variables.
        provided_arguments: Option<Value>,
        /// Describes what is validated; copied to the result.
        validate_args_context: Option<Value>,
    }
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let args = Args::read("validate_argument_spec", args).map_err(Failure::new)?;
    let Some(spec) = args.argument_spec.as_map() else {
        return Err(wrong_type("argument_spec", &args.argument_spec));
    };
    let provided = args.provided_arguments.unwrap_or_else(|| Map::new().into());
    let Some(provided) = provided.as_map() else { return Err(wrong_type("provided_arguments", &provided)) };
    let mut args_to_check = Map::new();
    for name in spec.keys() {
        if let Some(value) = name.as_str().map(|name| context.variable(name)).transpose()?.flatten() {
            args_to_check.insert(name.clone(), known(context.render(&value)?)?);
        }
    }
    args_to_check.extend(provided.iter().map(|(name, value)| (name.clone(), value.clone())));
    let errors = spec::validate(spec, args_to_check);
    let mut values =
        map! { "validate_args_context" => args.validate_args_context.unwrap_or_else(|| Map::new().into()) };
    if errors.is_empty() {
        values.extend(map! { "msg" => "The arg spec validation passed" });
        return Ok(ActionOutcome { values, ..ActionOutcome::default() });
    }
    values.extend(map! {
        "msg" => format!("Validation of arguments failed:\n{}", errors.join("\n")),
        "argument_spec_data" => spec.clone(),
        "argument_errors" => errors.into_iter().map(Value::from).collect::<Value>(),
    });
    Ok(ActionOutcome { values, failed: true, ..ActionOutcome::default() })
}

fn wrong_type(name: &str, value: &Value) -> Failure {
    Failure::new(format!("Incorrect type for {name}, expected dict and got {}", spec::class(value)))
}
