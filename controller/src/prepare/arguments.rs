//! The arguments of a call: rendered, with the defaults of `module_defaults`, and made into an order for a module.

use convoy_agent::args::{ParamKind, Staged};
use convoy_agent::module::Module;
use convoy_protocol::message::{JobAsk, JobOrder, Order};
use convoy_protocol::{Kind, Map, Taint, Value};

use super::errors::{is_certain, is_of_lookahead, placed, template_message};
use super::files;
use super::keywords::CallKeywords;
use super::task::CallKind;
use super::view::View;
use crate::template::{Error, Kind as ErrorKind, omit_token};

/// Returns the rendered arguments, defaults of `module_defaults` under them, omitted ones left out. `open` ones may be
/// unknown; `variables` (of `set_fact`) that are encrypted stay so until they are used.
pub(super) fn arguments(
    view: View<'_>,
    action: &str,
    unrendered: &[&str],
    open: bool,
    variables: bool,
) -> Result<Map, Error> {
    let render = |value: &Value| if open { view.render_open(value) } else { view.render(value) };
    let mut given = match view.task.args.as_map() {
        Some(map) => map.clone(),
        None if view.task.args.is_null() => Map::new(),
        None => rendered_map(view, &view.task.args)?,
    };
    let mut args = defaults(view, action)?;
    if let Some(variable) = given.shift_remove("_variable_params") {
        args.extend(rendered_map(view, &variable)?);
    }
    for (key, value) in given {
        let raw = key.as_str().is_some_and(|name| unrendered.contains(&name))
            || (variables && matches!(value.kind, Kind::Vaulted(_)));
        args.insert(key, if raw { value } else { render(&value)? });
    }
    let omit = omit_token();
    args.retain(|_, value| value.as_str() != Some(omit));
    Ok(args)
}

fn rendered_map(view: View<'_>, args: &Value) -> Result<Map, Error> {
    let rendered = view.render(args)?;
    rendered.as_map().cloned().ok_or_else(|| {
        Error::other(format!(
            "invalid or malformed argument: '{}'",
            crate::text::python::label(Some(&rendered))
        ))
    })
}

fn defaults(view: View<'_>, action: &str) -> Result<Map, Error> {
    let mut defaults = Map::new();
    let name = action.rsplit('.').next().unwrap_or_default();
    for layer in &view.task.keywords.module_defaults {
        let layer = view.render(layer)?;
        for (key, value) in layer.as_map().into_iter().flatten() {
            // What stands further in takes the place of what stands further out, whole.
            if key.as_str().and_then(|key| key.rsplit('.').next()) == Some(name) {
                defaults = value.as_map().cloned().unwrap_or_default();
            }
        }
    }
    Ok(defaults)
}

/// Returns what a module is asked, with files of the workstation named by their digests.
pub(super) fn module_order(
    view: View<'_>,
    name: &str,
    module: &'static Module,
    keywords: &CallKeywords,
) -> Result<CallKind, Error> {
    let mut args = arguments(view, name, &[], false, false)?;
    write_out(module, &mut args);
    if module.spec.params.iter().any(|param| param.staged != Staged::No) {
        // What is said of a file repeats its name.
        let taint = args.values().fold(Taint::NONE, |taint, value| taint | value.deep_taint());
        args = match files::stage(view, module, args) {
            Ok(args) => args,
            Err(files::Unstaged::Template(error))
                if is_of_lookahead(&error) || error.kind == ErrorKind::Unknown =>
            {
                return Err(error);
            }
            Err(files::Unstaged::Template(error)) => {
                let msg = placed(template_message(&error), &error, None).into();
                return Ok(CallKind::Fail { msg, certain: is_certain(&error) });
            }
            Err(files::Unstaged::File(msg)) => {
                return Ok(CallKind::Fail { msg: Value::from(msg).tainted(taint), certain: false });
            }
        };
    }
    Ok(CallKind::Order(Box::new(order(module, args, keywords)), keywords.endpoint.clone()))
}

/// Writes lists and maps out as Python does where a module wants text, as Ansible does.
fn write_out(module: &Module, args: &mut Map) {
    for (key, value) in args.iter_mut() {
        let param = key.as_str().and_then(|key| module.spec.param(key));
        let wants_text = param.is_some_and(|param| {
            let text = matches!(param.kind, ParamKind::Str | ParamKind::Path);
            text && param.choices.is_empty() && param.staged == Staged::No
        });
        if wants_text && matches!(value.kind, Kind::List(_) | Kind::Map(_)) {
            let text = Value::from(crate::text::python::str(value)).tainted(value.deep_taint());
            *value = Value { origin: value.origin.clone(), ..text };
        }
    }
}

/// Returns an order for a module with these arguments.
pub(super) fn order(module: &Module, mut args: Map, keywords: &CallKeywords) -> Order {
    if keywords.no_log {
        // What must not be shown must not be kept on the node either.
        args.values_mut().for_each(|value| value.taint = value.taint | Taint::SECRET);
    }
    Order {
        check: keywords.check,
        diff: keywords.diff,
        environment: keywords.environment.clone(),
        become_user: keywords.become_user.as_deref().cloned(),
        deadline_seconds: keywords.timeout,
        // The job gets its name when it starts.
        job: keywords.run_async.map(|job| JobOrder {
            id: "".into(),
            ask: JobAsk::Begin { limit_seconds: job.limit, silent: false },
        }),
        ..Order::new(module.name, args)
    }
}
