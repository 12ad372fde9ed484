//! A task made ready for one host: conditions decided, loops expanded, arguments rendered.

use std::sync::Arc;

use convoy_agent::args::Staged;
use convoy_agent::module::Module;
use convoy_protocol::message::{Order, Step};
use convoy_protocol::{Key, Map, Origin, Value};

use super::endpoint::Endpoint;
use super::engine::Engine;
use super::{flags, stage};
use crate::actions::Action as ControllerAction;
use crate::playbook::ast::{Action, Loop, LoopSource, Task};
use crate::template::{self, Context, Error, Kind as ErrorKind, omit_token};
use crate::vars::TaskScope;

/// A task made ready for one host.
#[derive(Debug)]
pub enum Job {
    /// Without a loop.
    Single(Call),
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

/// One call of a module or action.
#[derive(Debug)]
pub struct Call {
    /// What the call sees.
    pub scope: TaskScope,
    /// What is to be done.
    pub what: What,
    /// The task's flags as they are for this call.
    pub flags: flags::Flags,
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
    Fail(String),
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
    /// Renders a value.
    ///
    /// # Errors
    /// As [`crate::template::Templar::render`].
    pub fn render(&self, value: &Value) -> Result<Value, Error> {
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
    pub fn failed(view: View<'_>, msg: String) -> Self {
        Self::Single(failed(view, msg))
    }

    /// Returns the calls, in order.
    pub fn calls(&self) -> Vec<&Call> {
        match self {
            Self::Single(call) => vec![call],
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
                What::Skip { .. } => {}
                What::Fail(_) | What::Action(..) => return None,
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
    let Some(repeat) = &view.task.repeat else { return Ok(Job::Single(call(view)?)) };
    let items = match items(view, repeat) {
        Ok(items) => items,
        Err(error) if ahead(&error) => return Err(error),
        // A condition that does not hold is stronger than a loop that cannot be made.
        Err(error) => {
            return Ok(Job::Single(match failing_condition(view) {
                Ok(Some(condition)) => skipped(view, condition),
                _ => failed(view, error.to_string()),
            }));
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

/// The variables that an item of a loop brings, and its label.
pub type LoopScope = (Vec<(Key, Value)>, Option<Value>);

/// Returns for each item of an include's loop the variables it brings; one without any if there is no loop.
///
/// # Errors
/// If the loop cannot be made.
pub fn loop_scopes(view: View<'_>) -> Result<Vec<LoopScope>, Error> {
    let Some(repeat) = &view.task.repeat else { return Ok(vec![(Vec::new(), None)]) };
    let items = items(view, repeat)?;
    let names = LoopNames::of(view, repeat)?;
    let scope = |index: usize| {
        let vars = names.vars(&items, index);
        let label = match &repeat.control.label {
            Some(label) => View { scope: &view.scope.with(vars.iter().cloned()), ..view }.render(label)?,
            None => items[index].clone(),
        };
        Ok((vars, Some(label)))
    };
    (0..items.len()).map(scope).collect()
}

fn ahead(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotYet | ErrorKind::Impure)
}

/// Returns the items of a loop.
fn items(view: View<'_>, repeat: &Loop) -> Result<Vec<Value>, Error> {
    let templar = &view.engine.templar;
    let value = match &repeat.source {
        LoopSource::Items(value) => view.render(value)?,
        LoopSource::With { lookup, terms } => {
            let terms = view.render(terms)?;
            return template::lookup(templar, lookup, &terms, &Map::new(), view.scope, view.context);
        }
    };
    value.as_list().map(<[Value]>::to_vec).ok_or_else(|| {
        let shown = crate::python::str(&value);
        Error::other(
            format!(
                "Invalid data passed to 'loop', it requires a list, got this instead: {shown}. Hint: If you passed a \
                 list/dict of just one element, try adding wantlist=True to your lookup invocation or use q/query \
                 instead of lookup."
            ),
        )
    })
}

/// How the variables of a loop are called.
struct LoopNames {
    item: Key,
    index: Option<Key>,
    extended: bool,
    all_items: bool,
}

impl LoopNames {
    fn of(view: View<'_>, repeat: &Loop) -> Result<Self, Error> {
        let control = &repeat.control;
        let name = |value: &Option<Value>| -> Result<Option<Key>, Error> {
            let Some(value) = value else { return Ok(None) };
            Ok(view.render(value)?.as_str().map(Key::from))
        };
        let flag = |value: &Option<Value>, default| flags::boolean(view, value.as_ref(), default);
        Ok(Self {
            item: name(&control.loop_var)?.unwrap_or_else(|| "item".into()),
            index: name(&control.index_var)?,
            extended: flag(&control.extended, false)?,
            all_items: flag(&control.extended_allitems, true)?,
        })
    }

    fn vars(&self, items: &[Value], index: usize) -> Vec<(Key, Value)> {
        let mut vars = vec![
            ("ansible_loop_var".into(), self.item.to_value()),
            (self.item.clone(), items[index].clone()),
        ];
        if let Some(name) = &self.index {
            vars.push(("ansible_index_var".into(), name.to_value()));
            vars.push((name.clone(), number(index)));
        }
        if self.extended {
            vars.push(("ansible_loop".into(), self.extended(items, index)));
        }
        vars
    }

    fn extended(&self, items: &[Value], index: usize) -> Value {
        let length = items.len();
        let mut extended = convoy_protocol::map! {
            "index" => number(index + 1),
            "index0" => number(index),
            "first" => index == 0,
            "last" => index + 1 == length,
            "length" => number(length),
            "revindex" => number(length - index),
            "revindex0" => number(length - index - 1),
        };
        if self.all_items {
            extended.insert("allitems".into(), items.to_vec().into());
        }
        if let Some(next) = items.get(index + 1) {
            extended.insert("nextitem".into(), next.clone());
        }
        if let Some(previous) = index.checked_sub(1).and_then(|i| items.get(i)) {
            extended.insert("previtem".into(), previous.clone());
        }
        extended.into()
    }
}

fn number(n: usize) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

fn skipped(view: View<'_>, condition: Value) -> Call {
    Call { scope: view.scope.clone(), what: What::Skip { condition }, flags: flags::Flags::quiet(view) }
}

fn failed(view: View<'_>, msg: String) -> Call {
    Call { scope: view.scope.clone(), what: What::Fail(msg), flags: flags::Flags::quiet(view) }
}

fn call(view: View<'_>) -> Result<Call, Error> {
    match ready(view) {
        Ok(call) => Ok(call),
        Err(error) if ahead(&error) => Err(error),
        Err(error) => Ok(failed(view, message(view, &error))),
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
    let what = match &view.task.action {
        Action::Controller(action) => What::Action(action, arguments(view, action.unrendered)?),
        Action::Module(module) => order(view, module, &flags)?,
        Action::Meta(_) | Action::IncludeTasks { .. } | Action::IncludeRole(_) => {
            return Ok(failed(view, "includes and meta tasks are not calls".to_owned()));
        }
    };
    Ok(Call { scope: view.scope.clone(), what, flags })
}

/// Returns the first condition that does not hold.
///
/// # Errors
/// If a condition cannot be decided.
pub fn failing_condition(view: View<'_>) -> Result<Option<Value>, Error> {
    for condition in &view.task.keywords.when {
        if !view.condition(condition)? {
            return Ok(Some(condition.clone()));
        }
    }
    Ok(None)
}

/// Returns the rendered arguments, defaults of `module_defaults` under them, omitted ones left out.
fn arguments(view: View<'_>, unrendered: &[&str]) -> Result<Map, Error> {
    let mut given = match view.task.args.as_map() {
        Some(map) => map.clone(),
        None if view.task.args.is_null() => Map::new(),
        None => rendered_map(view, &view.task.args)?,
    };
    let mut args = defaults(view)?;
    if let Some(variable) = given.shift_remove("_variable_params") {
        args.extend(rendered_map(view, &variable)?);
    }
    for (key, value) in given {
        let raw = key.as_str().is_some_and(|name| unrendered.contains(&name));
        args.insert(key, if raw { value } else { view.render(&value)? });
    }
    let omit = omit_token();
    args.retain(|_, value| value.as_str() != Some(omit));
    Ok(args)
}

fn rendered_map(view: View<'_>, args: &Value) -> Result<Map, Error> {
    let rendered = view.render(args)?;
    rendered.as_map().cloned().ok_or_else(|| {
        Error::other(format!("invalid or malformed argument: '{}'", crate::python::str(&rendered)))
    })
}

fn defaults(view: View<'_>) -> Result<Map, Error> {
    let mut defaults = Map::new();
    let name = view.task.action_name.rsplit('.').next().unwrap_or_default();
    for layer in &view.task.keywords.module_defaults {
        let layer = view.render(layer)?;
        for key in [name.to_owned(), format!("ansible.builtin.{name}")] {
            defaults.extend(layer.get(&key).and_then(Value::as_map).cloned().unwrap_or_default());
        }
    }
    Ok(defaults)
}

fn order(view: View<'_>, module: &'static Module, flags: &flags::Flags) -> Result<What, Error> {
    let mut args = arguments(view, &[])?;
    if module.spec.params.iter().any(|param| param.staged != Staged::No) {
        args = match stage::stage(view, module, args) {
            Ok(args) => args,
            Err(stage::Unstaged::Template(error)) if ahead(&error) => return Err(error),
            Err(stage::Unstaged::Template(error)) => {
                return Ok(What::Fail(placed(of_template(&error), &error, None)));
            }
            Err(stage::Unstaged::File(msg)) => return Ok(What::Fail(msg)),
        };
    }
    let order = Order {
        module: module.name.into(),
        args,
        check: flags.check,
        diff: flags.diff,
        environment: flags.environment.clone(),
        become_user: flags.become_user.as_deref().cloned(),
        deadline_seconds: flags.timeout,
    };
    Ok(What::Order(Box::new(order), flags.endpoint.clone()))
}
