//! One call of a module or action: its conditions decided, its keywords and arguments rendered; or why it is not made.

use std::sync::Arc;

use convoy_agent::args::ParamKind;
use convoy_protocol::message::Order;
use convoy_protocol::{Map, Value};

use super::arguments::{arguments, module_order, order};
use super::errors::{is_certain, is_of_lookahead, message};
use super::keywords::CallKeywords;
use super::task::{Call, CallKind};
use super::view::View;
use crate::playbook::ast::Action;
use crate::services::endpoint::Endpoint;
use crate::template::{Context, Error, Kind as ErrorKind};

/// What a task would ask, and of which node.
pub type PossibleOrder = (Box<Order>, Arc<Endpoint>);

/// Returns a call that is skipped, since `condition` does not hold.
pub(super) fn skipped(view: View<'_>, condition: Value) -> Call {
    Call {
        scope: view.scope.clone(),
        kind: CallKind::Skip { condition },
        keywords: CallKeywords::quiet(view),
        action: None,
    }
}

/// Returns a call of which only the run itself can tell whether it is made.
pub fn unknown_call(view: View<'_>, why: Arc<str>) -> Call {
    let kind = CallKind::Unknown { why, might: possible_order(view) };
    Call { scope: view.scope.clone(), kind, keywords: CallKeywords::quiet(view), action: None }
}

/// Returns what a task would ask if its conditions held, as far as its arguments are known: where it would write.
/// Nothing that has an effect is called for it.
pub fn possible_order(view: View<'_>) -> Option<PossibleOrder> {
    let Action::Module(module) = &view.task.action else { return None };
    // The items of a loop are not known here.
    if view.task.repeat.is_some() && view.scope.raw("ansible_loop_var").is_none() {
        return None;
    }
    let context = Context { impure_allowed: false, ..view.context.clone() };
    let view = View { context: &context, ..view };
    let keywords = CallKeywords::of(view).ok()?;
    let given = view.task.args.as_map()?;
    let known = given.iter().filter_map(|(key, value)| Some((key.clone(), view.render(value).ok()?)));
    let args: Map = known.collect();
    let paths = module.spec.params.iter().filter(|param| param.kind == ParamKind::Path);
    let mut names = paths.flat_map(|param| param.aliases.iter().chain([&param.name]));
    if names.any(|name| given.contains_key(*name) && !args.contains_key(*name)) {
        return None;
    }
    Some((Box::new(order(module, args, &keywords)), keywords.endpoint))
}

/// Returns a call that cannot be prepared; `msg` is the error as it is shown.
pub(super) fn unprepared(view: View<'_>, error: &Error, msg: String) -> Call {
    if error.kind == ErrorKind::Unknown {
        return unknown_call(view, error.message.as_str().into());
    }
    let kind = CallKind::Fail { msg: msg.into(), certain: is_certain(error) };
    Call { scope: view.scope.clone(), kind, keywords: CallKeywords::quiet(view), action: None }
}

/// Prepares one call.
///
/// # Errors
/// Only while looking ahead. All other errors are in the call.
pub(super) fn prepare_call(view: View<'_>) -> Result<Call, Error> {
    match ready(view) {
        Ok(call) => Ok(call),
        Err(error) if is_of_lookahead(&error) => Err(error),
        Err(error) => Ok(stopped(view, &error)),
    }
}

/// Returns a call that cannot be prepared, with the error as Ansible words it.
pub(super) fn stopped(view: View<'_>, error: &Error) -> Call {
    unprepared(view, error, message(view, error))
}

fn ready(view: View<'_>) -> Result<Call, Error> {
    if let Some(condition) = failing_condition(view)? {
        return Ok(skipped(view, condition));
    }
    let keywords = CallKeywords::of(view)?;
    let named = match &view.task.action {
        Action::Named(name) => Some(named(view, name)?),
        _ => None,
    };
    let (action, name) = match &named {
        Some((action, name)) => (action, name),
        None => (&view.task.action, &view.task.action_name),
    };
    let kind = match action {
        _ if keywords.run_async.is_some() && !supports_async(action) => CallKind::Fail {
            msg: format!("This action ({name}) does not support async.").into(),
            certain: true,
        },
        Action::Controller(action) => {
            let open = action.accepts_unknown;
            CallKind::Action(action, arguments(view, name, action.unrendered, open, action.any_argument)?)
        }
        Action::Module(module) => module_order(view, name, module, &keywords)?,
        Action::Named(_) | Action::Meta(_) | Action::IncludeTasks { .. } | Action::IncludeRole(_) => {
            return Err(Error::other("includes and meta tasks are not calls"));
        }
    };
    Ok(Call { scope: view.scope.clone(), kind, keywords, action: named.map(|(_, name)| name) })
}

/// Returns whether an action can be an asynchronous job.
fn supports_async(action: &Action) -> bool {
    matches!(action, Action::Module(module) if module.supports_async())
}

/// Renders the name of an action, and finds the action.
fn named(view: View<'_>, name: &Value) -> Result<(Action, Arc<str>), Error> {
    let name: Arc<str> = crate::text::python::str(&view.render(name)?).trim().into();
    Ok((Action::called(&name).map_err(Error::other)?, name))
}

/// Returns the first condition that does not hold.
///
/// # Errors
/// If a condition cannot be decided, and none that can be fails.
pub fn failing_condition(view: View<'_>) -> Result<Option<Value>, Error> {
    let mut undecided = None;
    for condition in &view.task.keywords.when {
        match view.condition(condition) {
            Ok(true) => {}
            Ok(false) => return Ok(Some(condition.clone())),
            Err(error) if error.kind == ErrorKind::Unknown => undecided = undecided.or(Some(error)),
            // What comes after one that may not hold is perhaps never looked at.
            Err(error) => return Err(undecided.unwrap_or(error)),
        }
    }
    undecided.map_or(Ok(None), Err)
}
