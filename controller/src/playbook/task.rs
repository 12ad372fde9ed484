//! Tasks and handlers.

use std::sync::Arc;

use convoy_protocol::{Origin, Value};

use super::action_name::{self, ActionKind};
use super::ast::{Action, Entry, Inherited, Keywords, Loop, LoopControl, LoopSource, Meta, Task};
use super::call::Call;
use super::inherited::extend;
use super::keywords::{self, Place, list};
use super::reader::{Field, Reader};
use super::template::{has_braces, heading, is_template};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::python::is_identifier;
use crate::yaml::Node;

/// What `meta:` can do, by name.
const METAS: [(&str, Meta); 10] = [
    ("flush_handlers", Meta::FlushHandlers),
    ("end_play", Meta::EndPlay),
    ("end_host", Meta::EndHost),
    ("end_batch", Meta::EndBatch),
    ("end_role", Meta::EndRole),
    ("clear_facts", Meta::ClearFacts),
    ("clear_host_errors", Meta::ClearHostErrors),
    ("refresh_inventory", Meta::RefreshInventory),
    ("reset_connection", Meta::ResetConnection),
    ("noop", Meta::Noop),
];

impl Reader<'_> {
    /// Reads one task or handler; an import becomes what it imports.
    pub(super) fn task(
        &mut self,
        node: &Node,
        fields: &[Field<'_>],
        scope: &Inherited,
        handlers: bool,
        entries: &mut Vec<Entry>,
    ) {
        let place = if handlers { Place::Handler } else { Place::Task };
        let (own, others): (Vec<Field<'_>>, Vec<Field<'_>>) = fields.iter().partition(|field| {
            keywords::want(field.name, place).is_some() || field.name.starts_with("with_")
        });
        let call = self.call(node, &own, &others);
        self.others(&others, call.as_ref(), place);
        let mut task = empty(node.at.clone(), scope);
        for field in &own {
            self.task_keyword(*field, place, &mut task);
        }
        self.repeat(&own, &mut task);
        let Some(call) = call else { return };
        if call.local {
            task.keywords.delegate_to = Some(Value::from("localhost").at(call.at.clone()));
        }
        self.absent(&call, &task, scope);
        let defaults =
            !task.keywords.module_defaults.is_empty() || !scope.keywords.module_defaults.is_empty();
        self.check_arguments(&call, defaults, expects_failure(&task, scope));
        task.action_name = call.name.clone();
        task.args = call.arguments.to_value();
        self.limited(&own, &call, &task);
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

    /// Notes that convoy lacks a module: no task that has a condition need ever call it, such as one for another kind of
    /// nodes.
    fn absent(&mut self, call: &Call, task: &Task, scope: &Inherited) {
        if !matches!(call.kind, ActionKind::Missing) {
            return;
        }
        let said = Diagnostic::user(action_name::missing(&call.name)).at(call.at.clone());
        if task.keywords.when.is_empty() && scope.keywords.when.is_empty() {
            self.problems.push(said);
        } else {
            self.warnings.push(said.note("the task fails on hosts for which its condition holds"));
        }
    }

    /// Notes an include that is to be done as a job: it does nothing by itself.
    fn limited(&mut self, fields: &[Field<'_>], call: &Call, task: &Task) {
        let does = matches!(
            call.kind,
            ActionKind::Module(_)
                | ActionKind::Controller(_)
                | ActionKind::Template
                | ActionKind::Missing
                | ActionKind::Meta
        );
        if let Some(field) =
            fields.iter().find(|field| field.name == "async" && task.limit.is_some() && !does)
        {
            let message = format!("`async` cannot be used with `{}`", call.name);
            self.problem_hint(&field.key.at, message, "give it to the tasks that are included");
        }
    }

    /// Renders the tags that are templates: what is run is decided by them before any host is known.
    fn render_tags(&mut self, task: &mut Task, scope: &Inherited) {
        if !task.keywords.tags.iter().any(|tag| has_braces(tag)) {
            return;
        }
        let mut names = scope.names();
        extend(&mut names, &task.vars);
        let mut tags: Vec<Arc<str>> = Vec::new();
        for tag in std::mem::take(&mut task.keywords.tags) {
            if !has_braces(&tag) {
                tags.push(tag);
                continue;
            }
            let rendered = (self.render)(&Value::from(tag).at(task.at.clone()), &names).map_err(|problem| {
                problem.note("tags are read before any host is known: they may use extra vars and `vars`, no facts and no inventory")
            });
            tags.extend(self.keep(rendered).iter().flat_map(keywords::tags));
        }
        let mut seen = std::collections::HashSet::new();
        tags.retain(|tag| seen.insert(tag.clone()));
        task.keywords.tags = tags;
    }

    /// Notes the keys that are neither keywords nor the action.
    fn others(&mut self, others: &[Field<'_>], call: Option<&Call>, place: Place) {
        let found = call.is_some() || others.iter().any(|field| action_name::find(field.name).is_some());
        for field in others.iter().filter(|field| action_name::find(field.name).is_none()) {
            let like_module = did_you_mean(action_name::short(field.name), action_name::names()).is_some();
            let like_keyword = did_you_mean(field.name, keywords::known(place)).is_some();
            if found || (like_keyword && !like_module) || keywords::want(field.name, Place::Handler).is_some()
            {
                self.unknown(*field, place);
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
            "name" => task.name = Some(heading(value)),
            "vars" => task.vars = self.vars(field.value),
            "register" => task.register = self.register(field, &value),
            "until" => task.until = Some(value),
            "retries" => task.retries = Some(value),
            "delay" => task.delay = Some(value),
            "failed_when" => task.failed_when = Some(value),
            "changed_when" => task.changed_when = Some(value),
            "notify" => task.notify = self.notifications(value),
            "listen" => task.listen = flat(value),
            "async" => task.limit = Some(value).filter(|seconds| seconds.as_int() != Some(0)),
            "poll" => task.poll = Some(value),
            _ => {
                self.inheritable(field, value, &mut task.keywords);
            }
        }
    }

    fn register(&mut self, field: Field<'_>, value: &Value) -> Option<Arc<str>> {
        match value.as_str() {
            Some(name) if is_identifier(name) => Some(name.into()),
            _ => {
                let name = field.value.scalar().unwrap_or(field.value.kind_name()).to_owned();
                self.not_a_name(&field.value.at, &name);
                if let Some(problem) = self.problems.last_mut() {
                    problem.notes.push(format!("Invalid variable name in 'register' specified: '{name}'"));
                }
                None
            }
        }
    }

    /// Reads `notify:`, and remembers the names that are literal.
    pub(super) fn notifications(&mut self, value: Value) -> Vec<Value> {
        let names = flat(value);
        self.notified.extend(names.iter().filter(|name| !is_template(name)).cloned());
        names
    }

    /// Reads `loop:` or `with_…:`, with `loop_control:`.
    fn repeat(&mut self, fields: &[Field<'_>], task: &mut Task) {
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
                    self.problem_hint(&field.value.at, message, "a variable is written `\"{{ name }}\"`");
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
                return self.not_a_name(&field.value.at, name);
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
        let Some((_, meta)) = METAS.iter().find(|(name, _)| *name == word) else {
            let names = METAS.iter().map(|(name, _)| *name);
            let problem = Diagnostic::user(format!("invalid meta action requested: `{word}`"))
                .at(call.at.clone())
                .note(format!("there are {}", names.clone().collect::<Vec<_>>().join(", ")))
                .hint(did_you_mean(word, names));
            self.problems.push(problem);
            return None;
        };
        if *meta == Meta::FlushHandlers && handlers {
            self.problem(&call.at, "`flush_handlers` cannot be used as a handler");
            return None;
        }
        if *meta == Meta::EndRole && (handlers || scope.role.is_none()) {
            let place = if handlers { "from a handler" } else { "from outside of a role" };
            self.problem(&call.at, format!("cannot execute `end_role` {place}"));
            return None;
        }
        Some(*meta)
    }
}

/// Returns whether a task is written so that it may fail.
fn expects_failure(task: &Task, scope: &Inherited) -> bool {
    let ignored = task.keywords.ignore_errors.as_ref().or(scope.keywords.ignore_errors.as_ref());
    scope.rescued || task.failed_when.is_some() || ignored.is_some_and(|value| value.as_bool() != Some(false))
}

/// A task of which nothing but its surroundings is known.
pub(super) fn empty(at: Arc<Origin>, scope: &Inherited) -> Task {
    Task {
        at,
        name: None,
        action_name: "".into(),
        action: Action::Meta(Meta::Noop),
        args: Value::null(),
        keywords: Keywords::default(),
        vars: convoy_protocol::Map::new(),
        repeat: None,
        register: None,
        until: None,
        retries: None,
        delay: None,
        failed_when: None,
        changed_when: None,
        limit: None,
        poll: None,
        notify: Vec::new(),
        listen: Vec::new(),
        around: None,
        role: scope.role.clone(),
        dir: scope.dir.clone(),
    }
}

/// Puts what is inherited under the task's own.
pub(super) fn finish(mut task: Task, scope: &Inherited) -> Task {
    if matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole(_)) {
        task.around = Some(Arc::new(scope.clone()));
    }
    task.keywords = task.keywords.within(&scope.keywords);
    let own = std::mem::replace(&mut task.vars, scope.vars.clone());
    extend(&mut task.vars, &own);
    task.notify.splice(0..0, scope.notify.iter().cloned());
    task
}

/// All texts of a list, however deep.
fn flat(value: Value) -> Vec<Value> {
    if value.as_list().is_some() { list(value).into_iter().flat_map(flat).collect() } else { vec![value] }
}
