//! Reads imports and includes of tasks and roles.

use convoy_protocol::{Kind, Map, Value};

use super::action_name;
use super::ast::{Action, Entry, Inherited, Keywords, RoleInclude, Task};
use super::call::{Argument, Call};
use super::inherited::extend;
use super::keywords::{self, Place, ValueType, value_type};
use super::reader::Reader;
use super::role_use::{RoleFiles, RoleUse};
use super::search::{self, IncludeKind, not_found};
use crate::diagnostic::{Diagnostic, did_you_mean};

/// What included tasks inherit by `apply:`.
#[derive(Default)]
struct Apply {
    keywords: Keywords,
    vars: Map,
    notify: Vec<Value>,
}

/// The arguments of `include_role` and `import_role`.
const ROLE_ARGUMENTS: [&str; 10] = [
    "name",
    "role",
    "tasks_from",
    "vars_from",
    "defaults_from",
    "handlers_from",
    "apply",
    "public",
    "allow_duplicates",
    "rolespec_validate",
];

impl Reader<'_> {
    /// Reads `include_tasks:`.
    pub(super) fn include_tasks(&mut self, task: &Task, mut call: Call) -> Option<Action> {
        self.check_include_keywords(task, &call);
        let apply = self.apply(&mut call);
        let file = self.file_name(&mut call)?;
        Some(Action::IncludeTasks {
            file: file.value,
            apply: Box::new(apply.keywords),
            apply_vars: apply.vars,
            apply_notify: apply.notify,
        })
    }

    /// Reads `include_role:`.
    pub(super) fn role_include(&mut self, task: &Task, mut call: Call) -> Option<RoleInclude> {
        self.check_include_keywords(task, &call);
        let apply = self.apply(&mut call);
        let mut include = self.role_arguments(&mut call)?;
        include.apply = apply.keywords;
        include.apply_vars = apply.vars;
        include.apply_notify = apply.notify;
        include.vars.clone_from(&task.vars);
        Some(include)
    }

    /// Reads the file that `import_tasks:` names, whose tasks replace the import.
    pub(super) fn import_tasks(
        &mut self,
        task: &Task,
        call: &Call,
        scope: &Inherited,
        handlers: bool,
        entries: &mut Vec<Entry>,
    ) {
        let Some(mut call) = self.import_call(task, call) else { return };
        let Some(file) = self.file_name(&mut call) else { return };
        let inner = inherited_by_import(task, scope);
        let Some(name) = self.render_name(&file.value, &inner, "an imported file") else { return };
        let path = match search::task_file(&name, scope, handlers, IncludeKind::Import) {
            Ok(path) => path,
            Err(places) => {
                return self.problems.push(not_found(&format!("the file `{name}`"), &file.value, &places));
            }
        };
        if !self.is_recursive(
            &call.at,
            &path,
            scope,
            "use include_tasks with a condition that ends the recursion",
        ) {
            entries.extend(self.task_file(&path, &inner, handlers));
        }
    }

    /// Reads a file of tasks or handlers.
    pub(super) fn task_file(
        &mut self,
        path: &std::path::Path,
        base: &Inherited,
        handlers: bool,
    ) -> Vec<Entry> {
        let Some(node) = self.file(path) else { return Vec::new() };
        let mut scope = base.clone();
        scope.dir = path.parent().unwrap_or(path).to_owned();
        scope.import_chain.push(path.to_owned());
        self.entries(&node, "a task file", &scope, handlers)
    }

    /// Reads the role that `import_role:` names, whose tasks replace the import.
    pub(super) fn import_role(
        &mut self,
        task: &Task,
        call: &Call,
        scope: &Inherited,
        handlers: bool,
        entries: &mut Vec<Entry>,
    ) {
        if handlers {
            let message = format!("`{}` cannot be a handler", call.name);
            return self.problem_hint(&call.at, message, "use import_tasks");
        }
        let Some(mut call) = self.import_call(task, call) else { return };
        let Some(include) = self.role_arguments(&mut call) else { return };
        let inner = inherited_by_import(task, scope);
        let Some(used) = self.role_use(&include, &inner, task.vars.clone(), true) else { return };
        if let Some(loaded) = self.role(&used, &inner) {
            self.roles.extend(loaded.roles);
            self.handlers.extend(loaded.handlers);
            entries.extend(loaded.tasks);
        }
    }

    /// Returns the use of a role by `include_role:` or `import_role:`, with names rendered.
    pub(super) fn role_use(
        &mut self,
        include: &RoleInclude,
        scope: &Inherited,
        vars: Map,
        is_static: bool,
    ) -> Option<RoleUse> {
        let name = self.render_name(&include.name, scope, "a role")?;
        let mut from = |value: &Option<Value>| match value {
            Some(value) => self.render_name(value, scope, "a role's file").map(Some),
            None => Some(None),
        };
        let files = RoleFiles {
            tasks: from(&include.tasks_from)?,
            vars: from(&include.vars_from)?,
            defaults: from(&include.defaults_from)?,
            handlers: from(&include.handlers_from)?,
        };
        let flag = |value: &Option<Value>, default: bool| {
            value
                .as_ref()
                .and_then(|value| <bool as convoy_agent::args::Arg>::convert(value).ok())
                .unwrap_or(default)
        };
        Some(RoleUse {
            at: include.name.origin.clone(),
            name,
            files,
            own: Keywords::default(),
            vars,
            params: Map::new(),
            included: true,
            public: flag(&include.public, is_static),
            allow_duplicates: Some(flag(&include.allow_duplicates, true)),
            validated: flag(&include.rolespec_validate, true),
            parent: scope.role.clone(),
        })
    }

    fn role_arguments(&mut self, call: &mut Call) -> Option<RoleInclude> {
        for argument in &call.arguments.entries {
            let key = argument.key.to_string();
            if !ROLE_ARGUMENTS.contains(&key.as_str()) {
                let problem = Diagnostic::user(format!("unknown parameter `{key}` of `{}`", call.name))
                    .at(argument.at.clone())
                    .hint(did_you_mean(&key, ROLE_ARGUMENTS));
                self.problems.push(problem);
            }
        }
        let mut take = |name: &str| call.arguments.take(name).map(|argument| argument.value);
        let (name, role) = (take("name"), take("role"));
        let Some(name) = name.or(role) else {
            self.problem_hint(&call.at, format!("`{}` does not name a role", call.name), "add `name:`");
            return None;
        };
        Some(RoleInclude {
            name,
            tasks_from: take("tasks_from"),
            vars_from: take("vars_from"),
            defaults_from: take("defaults_from"),
            handlers_from: take("handlers_from"),
            public: take("public"),
            allow_duplicates: take("allow_duplicates"),
            rolespec_validate: take("rolespec_validate"),
            apply: Keywords::default(),
            apply_vars: Map::new(),
            apply_notify: Vec::new(),
            vars: Map::new(),
        })
    }

    fn file_name(&mut self, call: &mut Call) -> Option<Argument> {
        let (text, file) = (call.arguments.take("_raw_params"), call.arguments.take("file"));
        for argument in &call.arguments.entries {
            let message = format!("unknown parameter `{}` of `{}`", argument.key, call.name);
            self.problem_hint(&argument.at, message, "valid parameters: `file`, and `apply` of includes");
        }
        let name =
            text.or(file).filter(|argument| argument.value.as_str().is_some_and(|name| !name.is_empty()));
        if name.is_none() {
            self.problem_hint(&call.at, format!("`{}` does not name a file", call.name), "add `file:`");
        }
        name
    }

    /// Reads `apply:`, the keywords for the included tasks.
    fn apply(&mut self, call: &mut Call) -> Apply {
        let mut applied = Apply::default();
        let Some(apply) = call.arguments.take("apply") else { return applied };
        let Kind::Map(map) = &apply.value.kind else {
            if !apply.value.is_null() {
                self.problem(&apply.at, format!("`apply` must be a map, got {}", apply.value.kind_name()));
            }
            return applied;
        };
        for (key, value) in map.iter() {
            let name = key.to_string();
            let at = value.origin.clone().unwrap_or_else(|| apply.at.clone());
            match value_type(&name, Place::Block) {
                Some(ValueType::Unsupported) => self.problem(&at, format!("`{name}` is not supported yet")),
                Some(expected) => match (expected.mismatch(value), name.as_str()) {
                    (Some(expected), _) => {
                        self.problem(&at, format!("`{name}` must be {expected}, got {}", value.kind_name()));
                    }
                    (None, "vars") => extend(&mut applied.vars, value.as_map().unwrap_or(&Map::new())),
                    (None, "notify") => applied.notify = self.notifications(value.clone()),
                    (None, name) if applied.keywords.set(name, value.clone()) => {}
                    (None, _) => self.problem(&at, format!("`{name}` cannot be used in `apply`")),
                },
                None => {
                    let hint = did_you_mean(&name, keywords::names(Place::Block));
                    self.problems.push(
                        Diagnostic::user(format!("unknown keyword `{name}` of `apply`")).at(at).hint(hint),
                    );
                }
            }
        }
        applied
    }

    /// Reports keywords that includes do not take, because the included tasks would not inherit them.
    fn check_include_keywords(&mut self, task: &Task, call: &Call) {
        let keywords = &task.keywords;
        let unsupported = [
            ("become", keywords.r#become.is_some()),
            ("become_user", keywords.become_user.is_some()),
            ("become_method", keywords.become_method.is_some()),
            ("become_flags", keywords.become_flags.is_some()),
            ("become_exe", keywords.become_exe.is_some()),
            ("connection", keywords.connection.is_some()),
            ("remote_user", keywords.remote_user.is_some()),
            ("port", keywords.port.is_some()),
            ("environment", !keywords.environment.is_empty()),
            ("module_defaults", !keywords.module_defaults.is_empty()),
            ("ignore_unreachable", keywords.ignore_unreachable.is_some()),
            ("any_errors_fatal", keywords.any_errors_fatal.is_some()),
            ("check_mode", keywords.check_mode.is_some()),
            ("diff", keywords.diff.is_some()),
            ("throttle", keywords.throttle.is_some()),
            ("delegate_to", keywords.delegate_to.is_some()),
            ("delegate_facts", keywords.delegate_facts.is_some()),
            ("until", task.until.is_some()),
            ("retries", task.retries.is_some()),
            ("delay", task.delay.is_some()),
            ("changed_when", task.changed_when.is_some()),
            ("failed_when", task.failed_when.is_some()),
            ("notify", !task.notify.is_empty()),
        ];
        for (name, _) in unsupported.iter().filter(|(_, is_set)| *is_set) {
            let message = format!("`{name}` is not a keyword of `{}`", call.name);
            let hint = match *name {
                "until" | "retries" | "delay" | "changed_when" | "failed_when" | "notify" => {
                    "set it on the included tasks".to_owned()
                }
                name => format!("to set it on the included tasks, write `apply: {{{name}: …}}`"),
            };
            self.problem_hint(&call.at, message, hint);
        }
    }

    /// Returns the call of an import without the arguments of includes; `None` if the task cannot be an import.
    fn import_call(&mut self, task: &Task, call: &Call) -> Option<Call> {
        let short = action_name::short(&call.name);
        let include = short.replace("import", "include");
        if task.repeat.is_some() {
            let message = format!("you cannot use loops on `{short}` statements");
            self.problem_hint(&call.at, message, format!("use `{include}` instead"));
            return None;
        }
        if task.register.is_some() || task.until.is_some() {
            let warning = Diagnostic::user(format!("`register` and `until` have no effect on `{short}`"))
                .at(call.at.clone())
                .hint(Some("set them on the imported tasks".to_owned()));
            self.warnings.push(warning);
        }
        let mut call = call.clone();
        if let Some(apply) = call.arguments.take("apply") {
            let message = format!("`apply` is only allowed with {include}");
            self.problem_hint(&apply.at, message, "set the keywords on the import itself");
        }
        Some(call)
    }
}

/// Returns what tasks inherit that the import `task` brings in.
fn inherited_by_import(task: &Task, scope: &Inherited) -> Inherited {
    let mut inner = scope.clone();
    inner.keywords = task.keywords.clone().merged_into(&scope.keywords);
    extend(&mut inner.vars, &task.vars);
    inner.notify.extend(task.notify.iter().cloned());
    inner
}
