//! `debug`: shows a text or a variable.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Key, Kind, Map, Value, map};

use super::{Action, Done, Run, Scene};
use crate::template::{Error, Kind as ErrorKind};

/// The action.
pub const ACTION: Action = Action {
    name: "debug",
    doc: Doc {
        summary: "Shows a text or a variable",
        description: "Changes nothing. `var` is an expression without braces.",
        example: "- debug:\n    var: ansible_distribution\n- debug:\n    msg: \"{{ groups['gateway'] | length }} gateways\"\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &["var"],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `debug`.
    pub struct Args {
        /// What to say.
        msg: Option<Value>,
        /// The variable, or another expression, to show.
        var: Option<Value>,
        /// From how many `-v` it is shown.
        verbosity: i64 [default("0")],
    }
    mutually_exclusive ["msg", "var"]
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    let args = Args::read("debug", args).map_err(Failure::new)?;
    if args.verbosity > i64::from(scene.verbosity) {
        let skipped = Some("Verbosity threshold not met.".to_owned());
        return Ok(Done { skipped, ..Done::default() });
    }
    let values = match args.var {
        Some(var) => show(&var, scene)?,
        None => map! { "msg" => args.msg.unwrap_or_else(|| "Hello world!".into()) },
    };
    Ok(Done { values, show: true, ..Done::default() })
}

/// Returns the value of an expression under its own text; a list or map is shown under its type.
fn show(var: &Value, scene: &Scene<'_>) -> Result<Map, Failure> {
    let (name, value) = match &var.kind {
        Kind::Text(text) => {
            let name = if crate::template::Templar::is_template(text) {
                scene.render(var)?.as_str().map_or_else(|| text.to_string(), str::to_owned)
            } else {
                text.to_string()
            };
            // As a template: what is not the value of a variable as it stands becomes text, as in Ansible.
            let template = Value::from(format!("{{{{ {name} }}}}"));
            let value = scene.render(&Value { origin: var.origin.clone(), ..template });
            (name, value)
        }
        Kind::List(_) => ("<class 'list'>".to_owned(), scene.render(var)),
        Kind::Map(_) => ("<class 'dict'>".to_owned(), scene.render(var)),
        _ => return Err(Failure::new(format!("var must name a variable, not be {}", var.kind_name()))),
    };
    let value = match value {
        Err(error) if error.kind == ErrorKind::Undefined => undefined(&error, scene),
        other => other?,
    };
    Ok([(Key::from(name), value)].into_iter().collect())
}

fn undefined(error: &Error, scene: &Scene<'_>) -> Value {
    if scene.verbosity > 0 {
        format!("VARIABLE IS NOT DEFINED!: {error}").into()
    } else {
        "VARIABLE IS NOT DEFINED!".into()
    }
}
