//! Reads roles: their files, dependencies, tasks and handlers.

use std::path::Path;
use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::{Map, Origin, Value};

use super::ast::{Entry, Inherited, Keywords, Role};
use super::inherited::extend;
use super::keywords::{self, Place, value_type};
use super::reader::Reader;
use super::role_use::{RoleFiles, RoleIdentity, RoleUse};
use super::search::{self, not_found};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::yaml::Node;

/// A role that was read.
#[derive(Debug)]
pub struct LoadedRole {
    /// The role itself.
    pub role: Arc<Role>,
    /// All roles in the order in which they run: dependencies first, the role itself last.
    pub roles: Vec<Arc<Role>>,
    /// The tasks; those of dependencies come first.
    pub tasks: Vec<Entry>,
    /// The handlers; those of dependencies come first.
    pub handlers: Vec<Entry>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl LoadedRole {
    /// Returns a role with the tasks and handlers of its dependencies, without its own.
    fn from_dependencies(role: &Arc<Role>, dependencies: Vec<Self>) -> Self {
        let mut all = Self {
            role: role.clone(),
            roles: Vec::new(),
            tasks: Vec::new(),
            handlers: Vec::new(),
            warnings: Vec::new(),
        };
        for loaded in dependencies {
            all.roles.extend(loaded.roles);
            all.tasks.extend(loaded.tasks);
            all.handlers.extend(loaded.handlers);
        }
        all
    }
}

/// `meta/main.yml`.
#[derive(Default)]
struct Metadata {
    allow_duplicates: bool,
    dependencies: Vec<Node>,
}

impl Reader<'_> {
    /// Reads an entry of `roles:` or `dependencies:`. Returns the use of the role, and what its tasks inherit.
    pub(super) fn role_entry(&mut self, node: &Node, scope: &Inherited) -> Option<(RoleUse, Inherited)> {
        let mut inner = scope.clone();
        let mut used = RoleUse {
            at: Some(node.at.clone()),
            name: String::new(),
            files: RoleFiles::default(),
            own: Keywords::default(),
            vars: Map::new(),
            params: Map::new(),
            included: false,
            public: true,
            allow_duplicates: None,
            validated: true,
            parent: scope.role.clone(),
        };
        let name =
            if node.as_map().is_none() { self.value(node)? } else { self.role_fields(node, &mut used)? };
        used.name = match name.as_int() {
            Some(number) => number.to_string(),
            None => self.render_name(&name, scope, "a role")?,
        };
        if used.name.contains(',') {
            let message = format!("invalid old style role requirement: `{}`", used.name);
            self.problems.push(Diagnostic::user(message).at(used.at.clone()));
            return None;
        }
        inner.keywords = used.own.clone().merged_into(&scope.keywords);
        Some((used, inner))
    }

    fn role_fields(&mut self, node: &Node, used: &mut RoleUse) -> Option<Value> {
        let (mut role, mut name) = (None, None);
        for field in self.fields(node, Place::Role.name())? {
            if value_type(field.name, Place::Role).is_none() {
                used.params.extend(self.param(field.name, field.key, field.value));
                continue;
            }
            let Some(value) = self.keyword(field, Place::Role) else { continue };
            match field.name {
                "role" => role = Some(value),
                "name" => name = Some(value),
                "vars" => used.vars = self.vars(field.value),
                _ => {
                    self.inherited_keyword(field, value, &mut used.own);
                }
            }
        }
        let name = role.or(name);
        if name.is_none() {
            self.problem_hint(&node.at, "a role entry must name its role", "add `role:`");
        }
        name
    }

    /// Reads a key of a role entry that is not a keyword: a parameter. Warns if it looks like a misspelled keyword.
    fn param(&mut self, name: &str, key: &Node, value: &Node) -> Option<(convoy_protocol::Key, Value)> {
        if let Some(hint) = did_you_mean(name, keywords::names(Place::Role)).filter(|_| name.len() > 2) {
            let warning = Diagnostic::user(format!(
                "`{name}` is not a keyword of a role entry; it becomes a variable of the role"
            ))
            .at(key.at.clone())
            .hint(Some(hint));
            self.warnings.push(warning);
        }
        Some((self.ok_or_report(key.to_key())?, self.value(value)?))
    }

    /// Reads a role and its dependencies. `scope` is what its tasks inherit.
    pub(super) fn role(&mut self, used: &RoleUse, scope: &Inherited) -> Option<LoadedRole> {
        let parent = used.parent.as_deref();
        let parent_dir = parent.and_then(|role| role.path.parent());
        let origin = Value::from(used.name.as_str());
        let origin = match &used.at {
            Some(at) => origin.at(at.clone()),
            None => origin,
        };
        let path =
            match search::role(&used.name, &scope.playbook_dir, &self.files.options.roles_path, parent_dir) {
                Ok(path) => path,
                Err(places) => {
                    self.problems.push(not_found(&format!("the role `{}`", used.name), &origin, &places));
                    return None;
                }
            };
        let at =
            used.at.clone().unwrap_or_else(|| Arc::new(Origin { file: "<role>".into(), line: 1, column: 1 }));
        let entry_point = path.join("tasks").join(used.files.tasks.as_deref().unwrap_or("main"));
        if self.is_recursive(
            &at,
            &entry_point,
            scope,
            "remove one of the roles, or use include_role with a condition that ends the recursion",
        ) {
            return None;
        }
        let name = if used.name.contains('/') { base_name(&path) } else { used.name.clone() };
        let meta = self.metadata(&path);
        let mut role = self.without_dependencies(used, name, &path, meta.allow_duplicates, &at);
        let mut inner = scope.clone();
        inner.import_chain.push(entry_point);
        inner.role = Some(Arc::new(role.clone()));
        let dependencies = self.dependencies(&meta.dependencies, &inner);
        role.dependencies = dependencies.iter().map(|loaded| loaded.role.clone()).collect();
        let role = Arc::new(role);
        inner.role = Some(role.clone());
        let mut loaded = LoadedRole::from_dependencies(&role, dependencies);
        inner.dir = path.join("tasks");
        let tasks = self.role_entries(&path, "tasks", used.files.tasks.as_deref(), &at, &inner);
        let validation = self.validation(&path, used, &inner);
        loaded.tasks.extend(validation.map(|task| Entry::Task(Arc::new(task))));
        loaded.tasks.extend(tasks);
        let handlers = self.role_entries(&path, "handlers", used.files.handlers.as_deref(), &at, &inner);
        loaded.handlers.extend(handlers);
        loaded.roles.push(role);
        Some(loaded)
    }

    fn dependencies(&mut self, nodes: &[Node], scope: &Inherited) -> Vec<LoadedRole> {
        let mut dependencies = Vec::new();
        for node in nodes {
            if let Some((used, inner)) = self.role_entry(node, scope) {
                dependencies.extend(self.role(&used, &inner));
            }
        }
        dependencies
    }

    /// Returns the role itself, with its variables.
    fn without_dependencies(
        &mut self,
        used: &RoleUse,
        name: String,
        path: &Path,
        allow_duplicates: bool,
        at: &Arc<Origin>,
    ) -> Role {
        let parent = used.parent.as_deref();
        let mut parents = Vec::new();
        let (mut defaults, mut vars, mut params) = (Map::new(), Map::new(), Map::new());
        if let Some(parent) = parent {
            parents.push((parent.name.clone(), parent.path.clone()));
            parents.extend(parent.parents.iter().cloned());
            (defaults, vars, params) = (parent.defaults.clone(), parent.vars.clone(), parent.params.clone());
        }
        extend(&mut defaults, &self.role_variables(path, "defaults", used.files.defaults.as_deref(), at));
        extend(&mut vars, &self.role_variables(path, "vars", used.files.vars.as_deref(), at));
        extend(&mut params, &used.params);
        extend(&mut params, &used.vars);
        let identity = self.files.identity_number(RoleIdentity {
            path: path.to_owned(),
            params: used.params.clone(),
            vars: used.vars.clone(),
            when: used.own.when.clone(),
            tags: used.own.tags.clone(),
            files: used.files.clone(),
            included: used.included,
        });
        Role {
            name: name.into(),
            identity,
            path: path.to_owned(),
            defaults,
            vars,
            params,
            dependencies: Vec::new(),
            parents,
            allow_duplicates: used.allow_duplicates.unwrap_or(allow_duplicates),
            public: used.public,
        }
    }

    fn role_variables(&mut self, role: &Path, folder: &str, from: Option<&str>, at: &Arc<Origin>) -> Map {
        let files = search::role_vars(&role.join(folder), from);
        if files.is_empty() && from.is_some() {
            self.no_such_file(role, folder, from, at);
        }
        let mut vars = Map::new();
        for file in files {
            if self.is_outside(role, folder, &file, at) {
                continue;
            }
            let Some(node) = self.file(&file) else { continue };
            let Some(value) = self.value(&node) else { continue };
            // Names are not checked: existing roles have invalid ones, which Ansible accepts.
            match value.as_map() {
                Some(map) => extend(&mut vars, map),
                None => {
                    let message = format!("variables of a role must be a map, got {}", node.kind_name());
                    self.problem(&node.at, message);
                }
            }
        }
        vars
    }

    fn role_entries(
        &mut self,
        role: &Path,
        folder: &str,
        from: Option<&str>,
        at: &Arc<Origin>,
        scope: &Inherited,
    ) -> Vec<Entry> {
        let Some(file) = search::role_file(&role.join(folder), from) else {
            if from.is_some() {
                self.no_such_file(role, folder, from, at);
            }
            return Vec::new();
        };
        if self.is_outside(role, folder, &file, at) {
            return Vec::new();
        }
        self.task_file(&file, scope, folder == "handlers")
    }

    /// Returns whether a file that `tasks_from:` or the like names is outside the role, and reports it if so.
    fn is_outside(&mut self, role: &Path, folder: &str, file: &Path, at: &Arc<Origin>) -> bool {
        let expected = role.join(folder);
        let outside = !crate::paths::normalize(file).starts_with(&expected);
        if outside {
            let (file, expected) = (file.display(), expected.display());
            let message =
                format!("failed loading `{file}` as it is not inside the expected role path `{expected}`");
            self.problem(at, message);
        }
        outside
    }

    fn no_such_file(&mut self, role: &Path, folder: &str, from: Option<&str>, at: &Arc<Origin>) {
        let message = format!("the role has no file `{folder}/{}`", from.unwrap_or("main"));
        let problem = Diagnostic::user(message)
            .at(at.clone())
            .note(format!("searched {}", role.join(folder).display()));
        self.problems.push(problem);
    }

    fn metadata(&mut self, role: &Path) -> Metadata {
        let mut meta = Metadata::default();
        let Some(file) = search::role_file(&role.join("meta"), None) else { return meta };
        let Some(node) = self.file(&file) else { return meta };
        for field in self.fields(&node, "the metadata of a role").unwrap_or_default() {
            match field.name {
                "allow_duplicates" => {
                    let value = self.value(field.value);
                    match value.map(|value| bool::convert(&value)) {
                        Some(Ok(allow)) => meta.allow_duplicates = allow,
                        Some(Err(why)) => self
                            .problem(&field.value.at, format!("`allow_duplicates` must be a boolean: {why}")),
                        None => {}
                    }
                }
                "dependencies" => meta.dependencies = self.items(field.value, "`dependencies`").to_vec(),
                "galaxy_info" | "argument_specs" => {}
                "collections" => {
                    if let Some(value) = self.value(field.value) {
                        self.inherited_keyword(field, value, &mut Keywords::default());
                    }
                }
                other => {
                    let known =
                        ["allow_duplicates", "dependencies", "galaxy_info", "argument_specs", "collections"];
                    let message = format!("unknown keyword `{other}` of a role's metadata");
                    let problem =
                        Diagnostic::user(message).at(field.key.at.clone()).hint(did_you_mean(other, known));
                    self.problems.push(problem);
                }
            }
        }
        meta
    }
}

fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
