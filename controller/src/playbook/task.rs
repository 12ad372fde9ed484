//! Reads tasks and handlers.

use std::sync::Arc;

use convoy_protocol::{Origin, Value};

use super::action_name::{self, ActionKind};
use super::ast::{Action, Entry, Inherited, Loop, LoopControl, LoopSource, Meta, Task};
use super::call::Call;
use super::inherited::extend;
use super::keywords::{self, Place, list, value_type};
use super::reader::{Field, Reader};
use super::template::{has_delimiter, is_template, title};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::text::python::is_identifier;
use crate::yaml::Node;

impl Reader<'_> {
    /// Reads a task or handler and appends it to `entries`; an import is replaced by the imported tasks.
    pub(super) fn task(
        &mut self,
        node: &Node,
        fields: &[Field<'_>],
        scope: &Inherited,
        handlers: bool,
        entries: &mut Vec<Entry>,
    ) {
        let place = if handlers { Place::Handler } else { Place::Task };
        let (own, others): (Vec<Field<'_>>, Vec<Field<'_>>) = fields
            .iter()
            .partition(|field| value_type(field.name, place).is_some() || field.name.starts_with("with_"));
        let call = self.action_call(node, &own, &others);
        self.unknown_keys(&others, call.as_ref(), place);
        let mut task = empty(node.at.clone(), scope);
        for field in &own {
            self.task_keyword(*field, place, &mut task);
        }
        self.loop_keywords(&own, &mut task);
        let Some(call) = call else { return };
        if call.local {
            task.keywords.delegate_to = Some(Value::from("localhost").at(call.at.clone()));
        }
        self.check_available(&call, &task, scope);
        let has_defaults =
            !task.keywords.module_defaults.is_empty() || !scope.keywords.module_defaults.is_empty();
        self.check_arguments(&call, has_defaults, expects_failure(&task, scope));
        task.action_name = call.name.clone();
        task.args = call.arguments.to_value();
        self.check_async(&own, &call, &task);
        match call.kind {
            ActionKind::ImportTasks => self.import_tasks(&task, &call, scope, handlers, entries),
            ActionKind::ImportRole => self.import_role(&task, &call, scope, handlers, entries),
            _ => {
                if let Some(action) = self.action(&task, call, scope, handlers) {
                    task.action = action;
                    let mut task = finish(task, scope);
                    self.render_tags(&mut task, scope);
                    entries.push(Entry::Task(Arc::new(task)));
                }
            }
        }
    }

    /// Reports a module that convoy does not have. With a condition it is a warning, since the task may never run, such as
    /// one for another distribution.
    fn check_available(&mut self, call: &Call, task: &Task, scope: &Inherited) {
        if !matches!(call.kind, ActionKind::Missing) {
            return;
        }
        let problem = Diagnostic::user(action_name::missing(&call.name)).at(call.at.clone());
        if task.keywords.when.is_empty() && scope.keywords.when.is_empty() {
            self.problems.push(problem);
        } else {
            self.warnings.push(problem.note("the task fails on hosts for which its condition is true"));
        }
    }

    /// Reports `async` on includes and imports, which do nothing themselves.
    fn check_async(&mut self, fields: &[Field<'_>], call: &Call, task: &Task) {
        let runs = matches!(
            call.kind,
            ActionKind::Module(_)
                | ActionKind::Controller(_)
                | ActionKind::Template
                | ActionKind::Missing
                | ActionKind::Meta
        );
        if let Some(field) =
            fields.iter().find(|field| field.name == "async" && task.async_limit.is_some() && !runs)
        {
            let message = format!("`async` cannot be used with `{}`", call.name);
            self.problem_hint(&field.key.at, message, "set it on the included tasks");
        }
    }

    /// Renders tags that are templates now, because tags select tasks before hosts are known.
    fn render_tags(&mut self, task: &mut Task, scope: &Inherited) {
        if !task.keywords.tags.iter().any(|tag| has_delimiter(tag)) {
            return;
        }
        let mut vars = scope.static_vars();
        extend(&mut vars, &task.vars);
        let mut tags: Vec<Arc<str>> = Vec::new();
        for tag in std::mem::take(&mut task.keywords.tags) {
            if !has_delimiter(&tag) {
                tags.push(tag);
                continue;
            }
            let rendered = (self.render)(&Value::from(tag).at(task.at.clone()), &vars).map_err(|problem| {
                problem.note("tags are read before hosts are known; they can use extra vars and `vars`, but neither facts nor the inventory")
            });
            tags.extend(self.ok_or_report(rendered).iter().flat_map(keywords::tags));
        }
        let mut seen = std::collections::HashSet::new();
        tags.retain(|tag| seen.insert(tag.clone()));
        task.keywords.tags = tags;
    }

    /// Reports keys that are neither keywords nor an action.
    fn unknown_keys(&mut self, others: &[Field<'_>], call: Option<&Call>, place: Place) {
        let has_action = call.is_some() || others.iter().any(|field| action_name::find(field.name).is_some());
        for field in others.iter().filter(|field| action_name::find(field.name).is_none()) {
            let like_module = did_you_mean(action_name::short(field.name), action_name::names()).is_some();
            let like_keyword = did_you_mean(field.name, keywords::names(place)).is_some();
            if has_action
                || (like_keyword && !like_module)
                || value_type(field.name, Place::Handler).is_some()
            {
                self.unknown_keyword(*field, place);
            } else {
                self.unknown_module(field.name, &field.key.at);
            }
        }
    }

    fn task_keyword(&mut self, field: Field<'_>, place: Place, task: &mut Task) {
        let read_elsewhere =
            matches!(field.name, "action" | "local_action" | "args" | "loop" | "loop_control");
        if read_elsewhere || field.name.starts_with("with_") {
            return;
        }
        let Some(value) = self.keyword(field, place) else { return };
        match field.name {
            "name" => task.name = Some(title(value)),
            "vars" => task.vars = self.vars(field.value),
            "register" => task.register = self.register(field, &value),
            "until" => task.until = Some(value),
            "retries" => task.retries = Some(value),
            "delay" => task.delay = Some(value),
            "failed_when" => task.failed_when = Some(value),
            "changed_when" => task.changed_when = Some(value),
            "notify" => task.notify = self.notifications(value),
            "listen" => task.listen = flatten(value),
            "async" => task.async_limit = Some(value).filter(|seconds| seconds.as_int() != Some(0)),
            "poll" => task.poll = Some(value),
            _ => {
                self.inherited_keyword(field, value, &mut task.keywords);
            }
        }
    }

    fn register(&mut self, field: Field<'_>, value: &Value) -> Option<Arc<str>> {
        match value.as_str() {
            Some(name) if is_identifier(name) => Some(name.into()),
            _ => {
                let name = field.value.scalar().unwrap_or(field.value.kind_name()).to_owned();
                self.invalid_name(&field.value.at, &name);
                if let Some(problem) = self.problems.last_mut() {
                    problem.notes.push(format!("Invalid variable name in 'register' specified: '{name}'"));
                }
                None
            }
        }
    }

    /// Reads `notify:`, and records literal names to check them later.
    pub(super) fn notifications(&mut self, value: Value) -> Vec<Value> {
        let names = flatten(value);
        self.notified.extend(names.iter().filter(|name| !is_template(name)).cloned());
        names
    }

    /// Reads `loop:` or `with_…:`, and `loop_control:`.
    fn loop_keywords(&mut self, fields: &[Field<'_>], task: &mut Task) {
        let mut control = LoopControl::default();
        if let Some(field) =
            fields.iter().find(|field| field.name == "loop_control" && !field.value.is_null())
        {
            for field in self.fields(field.value, "`loop_control`").unwrap_or_default() {
                if let Some(value) = self.keyword(field, Place::LoopControl) {
                    self.loop_keyword(field, value, &mut control);
                }
            }
        }
        for field in fields.iter().filter(|field| field.name == "loop" || field.name.starts_with("with_")) {
            if task.repeat.is_some() {
                self.problem_hint(
                    &field.key.at,
                    format!("duplicate loop in task: {}", field.name),
                    "keep one of them",
                );
                continue;
            }
            if field.value.is_null() {
                if field.name != "loop" {
                    self.problem(&field.key.at, format!("`{}` needs a value", field.name));
                }
                continue;
            }
            let Some(value) = self.value(field.value) else { continue };
            let source = match field.name.strip_prefix("with_") {
                Some(lookup) => LoopSource::With { lookup: lookup.into(), terms: value },
                None if value.as_list().is_some() || is_template(&value) => LoopSource::Items(value),
                None => {
                    let message =
                        format!("`loop` must be a list or a template of one, got {}", value.kind_name());
                    self.problem_hint(&field.value.at, message, "write a variable as `\"{{ name }}\"`");
                    continue;
                }
            };
            task.repeat = Some(Loop { source, control: control.clone() });
        }
    }

    fn loop_keyword(&mut self, field: Field<'_>, value: Value, control: &mut LoopControl) {
        if matches!(field.name, "loop_var" | "index_var") && !is_template(&value) {
            let name = field.value.scalar().unwrap_or_default();
            if !is_identifier(name) {
                return self.invalid_name(&field.value.at, name);
            }
        }
        let slot = match field.name {
            "loop_var" => &mut control.loop_var,
            "index_var" => &mut control.index_var,
            "label" => &mut control.label,
            "pause" => &mut control.pause,
            "extended" => &mut control.extended,
            "extended_allitems" => &mut control.extended_allitems,
            _ => &mut control.break_when,
        };
        *slot = Some(value);
    }

    fn action(&mut self, task: &Task, call: Call, scope: &Inherited, handlers: bool) -> Option<Action> {
        match call.kind {
            ActionKind::Module(module) => Some(Action::Module(module)),
            ActionKind::Controller(action) => Some(Action::Controller(action)),
            ActionKind::Template | ActionKind::Missing => {
                Some(Action::Named(Value::from(call.name.clone()).at(call.at)))
            }
            ActionKind::Meta => self.meta(&call, scope, handlers).map(Action::Meta),
            ActionKind::IncludeTasks => self.include_tasks(task, call),
            _ if handlers => {
                let message = format!("`{}` cannot be a handler", call.name);
                self.problem_hint(&call.at, message, "use include_tasks");
                None
            }
            _ => self.role_include(task, call).map(|include| Action::IncludeRole(Box::new(include))),
        }
    }

    fn meta(&mut self, call: &Call, scope: &Inherited, handlers: bool) -> Option<Meta> {
        let word = call
            .arguments
            .get("_raw_params")
            .and_then(|argument| argument.value.as_str())
            .unwrap_or_default();
        let Some(meta) = Meta::ALL.into_iter().find(|meta| meta.name() == word) else {
            let names = Meta::ALL.into_iter().map(Meta::name);
            let problem = Diagnostic::user(format!("invalid meta action requested: `{word}`"))
                .at(call.at.clone())
                .note(format!("valid actions: {}", names.clone().collect::<Vec<_>>().join(", ")))
                .hint(did_you_mean(word, names));
            self.problems.push(problem);
            return None;
        };
        if meta == Meta::FlushHandlers && handlers {
            self.problem(&call.at, "`flush_handlers` cannot be used as a handler");
            return None;
        }
        if meta == Meta::EndRole && (handlers || scope.role.is_none()) {
            let place = if handlers { "from a handler" } else { "from outside of a role" };
            self.problem(&call.at, format!("cannot execute `end_role` {place}"));
            return None;
        }
        Some(meta)
    }
}

/// Returns whether the play handles a failure of the task.
fn expects_failure(task: &Task, scope: &Inherited) -> bool {
    let ignored = task.keywords.ignore_errors.as_ref().or(scope.keywords.ignore_errors.as_ref());
    scope.rescued || task.failed_when.is_some() || ignored.is_some_and(|value| value.as_bool() != Some(false))
}

/// Returns a task that does nothing yet, in this scope.
pub(super) fn empty(at: Arc<Origin>, scope: &Inherited) -> Task {
    Task { role: scope.role.clone(), ..Task::new("", Action::Meta(Meta::Noop), at, scope.dir.clone()) }
}

/// Adds what the task inherits.
pub(super) fn finish(mut task: Task, scope: &Inherited) -> Task {
    if matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole(_)) {
        task.inherited = Some(Arc::new(scope.clone()));
    }
    task.keywords = task.keywords.merged_into(&scope.keywords);
    let own = std::mem::replace(&mut task.vars, scope.vars.clone());
    extend(&mut task.vars, &own);
    task.notify.splice(0..0, scope.notify.iter().cloned());
    task
}

/// Returns the values of a list and of the lists in it.
fn flatten(value: Value) -> Vec<Value> {
    if value.as_list().is_some() { list(value).into_iter().flat_map(flatten).collect() } else { vec![value] }
}
