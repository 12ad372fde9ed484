//! `debug`: prints a message or the value of an expression.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Key, Kind, Map, Value, map};

use super::action::{Action, ActionContext, ActionOutcome, Run};
use crate::template::{Error, Kind as ErrorKind};

/// The action.
pub const ACTION: Action = Action {
    accepts_unknown: true,
    unrendered: &["var"],
    ..Action::new("debug", DOC, Args::SPEC, Run::OnController(run))
};

const DOC: Doc = Doc {
    summary: "Prints a message or a variable",
    description: "Write `var` as an expression, without braces.",
    example: "- debug:\n    var: ansible_distribution\n- debug:\n    msg: \"{{ groups['gateway'] | length }} gateways\"\n",
};

convoy_agent::arguments! {
    /// Arguments of `debug`.
    pub struct Args {
        /// The message.
        msg: Option<Value>,
        /// The variable, or another expression, whose value to print.
        var: Option<Value>,
        /// The number of `-v` options from which on it is printed.
        verbosity: i64 [default("0")],
    }
    mutually_exclusive ["msg", "var"]
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let args = Args::read("debug", args).map_err(Failure::new)?;
    if args.verbosity > i64::from(context.verbosity) {
        let skipped = Some("Verbosity threshold not met.".to_owned());
        return Ok(ActionOutcome { skipped, ..ActionOutcome::default() });
    }
    let values = match args.var {
        Some(var) => show(&var, context)?,
        None => map! { "msg" => args.msg.unwrap_or_else(|| "Hello world!".into()) },
    };
    Ok(ActionOutcome { values, show: true, ..ActionOutcome::default() })
}

/// Returns the value of an expression under the text of the expression, that of a list or map under its type.
fn show(var: &Value, context: &ActionContext<'_>) -> Result<Map, Failure> {
    let (name, value) = match &var.kind {
        Kind::Text(text) => {
            let name = if crate::template::Templar::is_template(text) {
                context.render(var)?.as_str().map_or_else(|| text.to_string(), str::to_owned)
            } else {
                text.to_string()
            };
            // Rendered as a template: as in Ansible, the result is text unless it is the value of a variable.
            let template = Value::from(format!("{{{{ {name} }}}}"));
            let value = context.render(&Value { origin: var.origin.clone(), ..template });
            (name, value)
        }
        Kind::List(_) => ("<class 'list'>".to_owned(), context.render(var)),
        Kind::Map(_) => ("<class 'dict'>".to_owned(), context.render(var)),
        _ => return Err(Failure::new(format!("var must name a variable, not be {}", var.kind_name()))),
    };
    let value = match value {
        Err(error) if error.kind == ErrorKind::Undefined => undefined(&error, context),
        other => other?,
    };
    Ok([(Key::from(name), value)].into_iter().collect())
}

fn undefined(error: &Error, context: &ActionContext<'_>) -> Value {
    if context.verbosity > 0 {
        format!("VARIABLE IS NOT DEFINED!: {error}").into()
    } else {
        "VARIABLE IS NOT DEFINED!".into()
    }
}
