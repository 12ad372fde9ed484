//! A task made ready for one host: conditions decided, loops expanded, arguments rendered.

use std::sync::Arc;

use convoy_agent::args::{ParamKind, Staged};
use convoy_agent::module::Module;
use convoy_protocol::message::{JobAsk, JobOrder, Order, Step};
use convoy_protocol::{Key, Kind, Map, Origin, Taint, Value};

use super::endpoint::Endpoint;
use super::engine::Engine;
use super::loops::{LoopNames, items};
use super::{flags, stage};
use crate::actions::Action as ControllerAction;
use crate::playbook::ast::{Action, Task};
use crate::template::{Context, Error, Kind as ErrorKind, omit_token, unknown};
use crate::vars::TaskScope;

/// A task made ready for one host.
#[derive(Debug)]
pub enum Job {
    /// Without a loop.
    Single(Box<Call>),
    /// With a loop; one call for each item.
    Loop(Vec<Item>),
    /// A loop without items, or nothing that can be done.
    Nothing(Map),
}

/// One item of a loop.
#[derive(Debug)]
pub struct Item {
    /// The variables that the item brings.
    pub vars: Vec<(Key, Value)>,
    /// The item itself.
    pub item: Value,
    /// What is to be done for it.
    pub call: Call,
}

impl Item {
    /// Makes the call ready once more, now that the items before have set variables.
    pub fn again(&self, view: View<'_>, set: &Map) -> Call {
        let set = set.iter().map(|(name, value)| (name.clone(), value.clone()));
        let scope = view.scope.with(set.chain(self.vars.iter().cloned()));
        let view = View { scope: &scope, ..view };
        call(view).unwrap_or_else(|error| stopped(view, &error, message(view, &error)))
    }
}

/// One call of a module or action.
#[derive(Debug)]
pub struct Call {
    /// What the call sees.
    pub scope: TaskScope,
    /// What is to be done.
    pub what: What,
    /// The task's flags as they are for this call.
    pub flags: flags::Flags,
    /// The name of the action, if the task names it by a template.
    pub action: Option<Arc<str>>,
}

/// What is to be done.
#[derive(Debug)]
pub enum What {
    /// A condition does not hold.
    Skip {
        /// The condition.
        condition: Value,
    },
    /// It cannot be made ready.
    Fail {
        /// Why; may be secret.
        msg: Value,
        /// Whether it would fail so whatever earlier tasks had changed.
        certain: bool,
    },
    /// Check mode: whether it is done, or with what, is decided at run time.
    Unknown {
        /// Why.
        why: Arc<str>,
        /// What may be done then, as far as it can be told.
        might: Option<(Box<Order>, Arc<Endpoint>)>,
    },
    /// A module on a node.
    Order(Box<Order>, Arc<Endpoint>),
    /// An action here.
    Action(&'static ControllerAction, Map),
}

/// What [`prepare`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The task.
    pub task: &'a Arc<Task>,
    /// What it sees on the host.
    pub scope: &'a TaskScope,
    /// Where files are looked for, and what is allowed.
    pub context: &'a Context,
}

impl View<'_> {
    /// Renders a value that must be known.
    ///
    /// # Errors
    /// As [`crate::template::Templar::render`]; also if anything in it is unknown.
    pub fn render(&self, value: &Value) -> Result<Value, Error> {
        self.render_open(value).and_then(unknown::known)
    }

    /// Renders a value of which a part may be unknown.
    ///
    /// # Errors
    /// As [`crate::template::Templar::render`].
    pub fn render_open(&self, value: &Value) -> Result<Value, Error> {
        self.engine.templar.render(value, self.scope, self.context)
    }

    /// Decides a condition.
    ///
    /// # Errors
    /// As [`crate::template::Templar::condition`].
    pub fn condition(&self, condition: &Value) -> Result<bool, Error> {
        self.engine.templar.condition(condition, self.scope, self.context)
    }
}

impl Job {
    /// A task that cannot be made ready.
    pub fn stopped(view: View<'_>, error: &Error) -> Self {
        Self::Single(Box::new(stopped(view, error, error.to_string())))
    }

    /// A task of which only the run itself can tell whether it is done.
    pub fn unknown(view: View<'_>, why: Arc<str>) -> Self {
        Self::Single(Box::new(unknown_call(view, why)))
    }

    /// Returns the calls, in order.
    pub fn calls(&self) -> Vec<&Call> {
        match self {
            Self::Single(call) => vec![&**call],
            Self::Loop(items) => items.iter().map(|item| &item.call).collect(),
            Self::Nothing(_) => Vec::new(),
        }
    }

    /// Returns the one step for a node that the job comes to, if that is what it comes to: all of its calls are
    /// orders for one node, or skipped.
    pub fn step(&self) -> Option<(Arc<Endpoint>, Step)> {
        let mut orders = Vec::new();
        let mut endpoint: Option<Arc<Endpoint>> = None;
        for call in self.calls() {
            match &call.what {
                What::Order(order, there) => {
                    if endpoint.as_ref().is_some_and(|endpoint| endpoint != there) {
                        return None;
                    }
                    endpoint = Some(there.clone());
                    orders.push(Order::clone(order));
                }
                What::Skip { .. } | What::Unknown { .. } => {}
                What::Fail { .. } | What::Action(..) => return None,
            }
        }
        Some((endpoint?, Step { orders }))
    }
}

/// Makes a task ready for one host.
///
/// # Errors
/// Only while looking ahead: [`ErrorKind::NotYet`] and [`ErrorKind::Impure`]. All other errors are in the job.
pub fn prepare(view: View<'_>) -> Result<Job, Error> {
    let Some(repeat) = &view.task.repeat else { return Ok(Job::Single(Box::new(call(view)?))) };
    let items = match items(view, repeat) {
        Ok(items) => items,
        Err(error) if ahead(&error) => return Err(error),
        // A condition that does not hold is stronger than a loop that cannot be made.
        Err(error) => {
            return Ok(Job::Single(Box::new(match failing_condition(view) {
                Ok(Some(condition)) => skipped(view, condition),
                _ => stopped(view, &error, error.to_string()),
            })));
        }
    };
    if items.is_empty() {
        return Ok(Job::Nothing(convoy_protocol::map! {
            "changed" => false,
            "skipped" => true,
            "skipped_reason" => "No items in the list",
            "results" => Vec::<Value>::new(),
        }));
    }
    let names = LoopNames::of(view, repeat)?;
    let prepare = |(index, item): (usize, &Value)| {
        let vars = names.vars(&items, index);
        let scope = view.scope.with(vars.iter().cloned());
        let call = call(View { scope: &scope, ..view })?;
        Ok(Item { vars, item: item.clone(), call })
    };
    items.iter().enumerate().map(prepare).collect::<Result<_, Error>>().map(Job::Loop)
}

fn ahead(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotYet | ErrorKind::Impure)
}

fn skipped(view: View<'_>, condition: Value) -> Call {
    Call {
        scope: view.scope.clone(),
        what: What::Skip { condition },
        flags: flags::Flags::quiet(view),
        action: None,
    }
}

fn unknown_call(view: View<'_>, why: Arc<str>) -> Call {
    let what = What::Unknown { why, might: might(view) };
    Call { scope: view.scope.clone(), what, flags: flags::Flags::quiet(view), action: None }
}

/// Returns what a task would ask if its conditions held, as far as its arguments are known: where it would write.
/// Nothing that has an effect is called for it.
pub fn might(view: View<'_>) -> Option<(Box<Order>, Arc<Endpoint>)> {
    let Action::Module(module) = &view.task.action else { return None };
    // The items of a loop are not known here.
    if view.task.repeat.is_some() && view.scope.raw("ansible_loop_var").is_none() {
        return None;
    }
    let context = Context { impure_allowed: false, ..view.context.clone() };
    let view = View { context: &context, ..view };
    let flags = flags::Flags::of(view).ok()?;
    let given = view.task.args.as_map()?;
    let known = given.iter().filter_map(|(key, value)| Some((key.clone(), view.render(value).ok()?)));
    let args: Map = known.collect();
    let paths = module.spec.params.iter().filter(|param| param.kind == ParamKind::Path);
    let mut names = paths.flat_map(|param| param.aliases.iter().chain([&param.name]));
    if names.any(|name| given.contains_key(*name) && !args.contains_key(*name)) {
        return None;
    }
    Some((Box::new(asked(module, args, &flags)), flags.endpoint))
}

/// A call that cannot be made ready; `msg` is the error as it is shown.
fn stopped(view: View<'_>, error: &Error, msg: String) -> Call {
    if error.kind == ErrorKind::Unknown {
        return unknown_call(view, error.message.as_str().into());
    }
    let what = What::Fail { msg: msg.into(), certain: is_certain(error) };
    Call { scope: view.scope.clone(), what, flags: flags::Flags::quiet(view), action: None }
}

/// Returns whether an error does not depend on what nodes answered: it is in the text itself, or a name that nothing
/// sets.
fn is_certain(error: &Error) -> bool {
    match error.kind {
        ErrorKind::Syntax | ErrorKind::Cycle => true,
        ErrorKind::Undefined => error.name.is_some(),
        _ => false,
    }
}

fn call(view: View<'_>) -> Result<Call, Error> {
    match ready(view) {
        Ok(call) => Ok(call),
        Err(error) if ahead(&error) => Err(error),
        Err(error) => Ok(stopped(view, &error, message(view, &error))),
    }
}

/// Ansible adds where the task stands to the message of an undefined variable; so do we, in one line, and the place in
/// the template file where there is one.
fn message(view: View<'_>, error: &Error) -> String {
    if error.kind != ErrorKind::Undefined {
        return placed(error.to_string(), error, None);
    }
    let at = error.origin.as_deref().unwrap_or(&view.task.at);
    placed(format!("The task includes an option with an undefined variable.. {error}"), error, Some(at))
}

/// Adds where it went wrong: in the template file, if it was one, else at `at`.
fn placed(message: String, error: &Error, at: Option<&Origin>) -> String {
    let in_file = error.position.as_ref().map(|place| match place.column {
        0 => format!("{}:{}", place.file, place.line),
        column => format!("{}:{}:{column}", place.file, place.line),
    });
    match in_file.or_else(|| at.map(ToString::to_string)) {
        Some(place) => format!("{message}\n\nThe error appears to be in {place}"),
        None => message,
    }
}

/// Ansible names the class of what went wrong in a template file.
fn of_template(error: &Error) -> String {
    let class = match error.kind {
        ErrorKind::Undefined => "AnsibleUndefinedVariable",
        ErrorKind::Syntax if error.message.starts_with("Could not load") => "TemplateSyntaxError",
        _ => "AnsibleError",
    };
    format!("{class}: {error}")
}

fn ready(view: View<'_>) -> Result<Call, Error> {
    if let Some(condition) = failing_condition(view)? {
        return Ok(skipped(view, condition));
    }
    let flags = flags::Flags::of(view)?;
    let named = match &view.task.action {
        Action::Named(name) => Some(named(view, name)?),
        _ => None,
    };
    let (action, name) = match &named {
        Some((action, name)) => (action, name),
        None => (&view.task.action, &view.task.action_name),
    };
    let what = match action {
        _ if flags.job.is_some() && !can_be_job(action) => {
            What::Fail { msg: format!("This action ({name}) does not support async.").into(), certain: true }
        }
        Action::Controller(action) => {
            let open = action.takes_unknown();
            What::Action(action, arguments(view, name, action.unrendered, open, action.any_argument)?)
        }
        Action::Module(module) => order(view, name, module, &flags)?,
        Action::Named(_) | Action::Meta(_) | Action::IncludeTasks { .. } | Action::IncludeRole(_) => {
            return Err(Error::other("includes and meta tasks are not calls"));
        }
    };
    Ok(Call { scope: view.scope.clone(), what, flags, action: named.map(|(_, name)| name) })
}

/// Returns whether an action can go on without the controller.
fn can_be_job(action: &Action) -> bool {
    let lands = |module: &Module| module.spec.params.iter().any(|param| param.staged == Staged::Download);
    matches!(action, Action::Module(module) if !lands(module) && module.name != "async_status")
}

/// Finds what the name of an action comes to.
fn named(view: View<'_>, name: &Value) -> Result<(Action, Arc<str>), Error> {
    let name: Arc<str> = crate::python::str(&view.render(name)?).trim().into();
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

/// Returns the rendered arguments, defaults of `module_defaults` under them, omitted ones left out. `open` ones may be
/// unknown; `variables` (of `set_fact`) that are encrypted stay so until they are used.
fn arguments(
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
        Error::other(format!("invalid or malformed argument: '{}'", crate::python::label(Some(&rendered))))
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

fn order(view: View<'_>, name: &str, module: &'static Module, flags: &flags::Flags) -> Result<What, Error> {
    let mut args = arguments(view, name, &[], false, false)?;
    write_out(module, &mut args);
    if module.spec.params.iter().any(|param| param.staged != Staged::No) {
        // What is said of a file repeats its name.
        let taint = args.values().fold(Taint::NONE, |taint, value| taint | value.deep_taint());
        args = match stage::stage(view, module, args) {
            Ok(args) => args,
            Err(stage::Unstaged::Template(error)) if ahead(&error) || error.kind == ErrorKind::Unknown => {
                return Err(error);
            }
            Err(stage::Unstaged::Template(error)) => {
                let msg = placed(of_template(&error), &error, None).into();
                return Ok(What::Fail { msg, certain: is_certain(&error) });
            }
            Err(stage::Unstaged::File(msg)) => {
                return Ok(What::Fail { msg: Value::from(msg).tainted(taint), certain: false });
            }
        };
    }
    Ok(What::Order(Box::new(asked(module, args, flags)), flags.endpoint.clone()))
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
            let text = Value::from(crate::python::str(value)).tainted(value.deep_taint());
            *value = Value { origin: value.origin.clone(), ..text };
        }
    }
}

fn asked(module: &Module, mut args: Map, flags: &flags::Flags) -> Order {
    if flags.no_log {
        // What must not be shown must not be kept on the node either.
        args.values_mut().for_each(|value| value.taint = value.taint | Taint::SECRET);
    }
    Order {
        check: flags.check,
        diff: flags.diff,
        environment: flags.environment.clone(),
        become_user: flags.become_user.as_deref().cloned(),
        deadline_seconds: flags.timeout,
        // Its name is given to it when it begins.
        job: flags.job.map(|job| JobOrder {
            id: "".into(),
            ask: JobAsk::Begin { limit_seconds: job.limit, silent: false },
        }),
        ..Order::new(module.name, args)
    }
}
