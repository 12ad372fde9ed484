//! `validate_argument_spec`: looks whether variables are as a role's specification of its arguments says.

mod spec;

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value, map};

use super::{Action, Done, Run, Scene};
use crate::template::unknown::known;

/// The action.
pub const ACTION: Action = Action {
    name: "validate_argument_spec",
    doc: Doc {
        summary: "Looks whether variables are as a specification says",
        description: "Put before the tasks of a role that has `meta/argument_specs.yml`. All that is wrong is told at once.",
        example: "- validate_argument_spec:\n    argument_spec:\n      port: {type: int, required: true}\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `validate_argument_spec`.
    pub struct Args {
        /// The specification: for each variable its type and so on.
        argument_spec: Value [required],
        /// Values that go before the variables.
        provided_arguments: Option<Value>,
        /// What is validated, for those who read the result.
        validate_args_context: Option<Value>,
    }
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    let args = Args::read("validate_argument_spec", args).map_err(Failure::new)?;
    let Some(spec) = args.argument_spec.as_map() else {
        return Err(wrong_type("argument_spec", &args.argument_spec));
    };
    let provided = args.provided_arguments.unwrap_or_else(|| Map::new().into());
    let Some(provided) = provided.as_map() else { return Err(wrong_type("provided_arguments", &provided)) };
    let mut given = Map::new();
    for name in spec.keys() {
        if let Some(value) = name.as_str().and_then(|name| scene.scope.raw(name)) {
            given.insert(name.clone(), known(scene.render(&value)?)?);
        }
    }
    given.extend(provided.iter().map(|(name, value)| (name.clone(), value.clone())));
    let errors = spec::validate(spec, given);
    let mut values = map! { "validate_args_context" => args.validate_args_context.unwrap_or_else(|| Map::new().into()) };
    if errors.is_empty() {
        values.extend(map! { "msg" => "The arg spec validation passed" });
        return Ok(Done { values, ..Done::default() });
    }
    values.extend(map! {
        "msg" => format!("Validation of arguments failed:\n{}", errors.join("\n")),
        "argument_spec_data" => spec.clone(),
        "argument_errors" => errors.into_iter().map(Value::from).collect::<Value>(),
    });
    Ok(Done { values, failed: true, ..Done::default() })
}

fn wrong_type(name: &str, value: &Value) -> Failure {
    Failure::new(format!("Incorrect type for {name}, expected dict and got {}", spec::class(value)))
}
