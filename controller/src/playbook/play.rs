//! Reads playbooks and plays.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Kind, Map, Origin, Value};

use super::action_name;
use super::ast::{Entry, Inherited, Keywords, Play};
use super::inherited::extend;
use super::keywords::{Place, list};
use super::kv;
use super::reader::{Field, Reader};
use super::search::{self, not_found};
use super::template::{contains_template, is_template, title};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::paths::normalize;
use crate::yaml::Node;

const STRATEGIES: [&str; 3] = ["linear", "free", "host_pinned"];
const ORDERS: [&str; 5] = ["inventory", "sorted", "reverse_inventory", "reverse_sorted", "shuffle"];

/// What plays inherit from the `import_playbook:` statements that import their file.
#[derive(Debug, Clone, Default)]
struct ImportScope {
    when: Vec<Value>,
    tags: Vec<Arc<str>>,
    vars: Map,
    import_chain: Vec<PathBuf>,
}

impl Reader<'_> {
    /// Reads a playbook and those that it imports.
    pub(super) fn playbook(&mut self, path: &Path) -> Vec<Arc<Play>> {
        self.plays(path, &ImportScope::default())
    }

    fn plays(&mut self, path: &Path, imported: &ImportScope) -> Vec<Arc<Play>> {
        let read = self.files.read(path);
        let Some(read) = self.ok_or_report(read) else { return Vec::new() };
        let name = path.display().to_string();
        let Some(node) = read else {
            self.problems.push(Diagnostic::user(format!("the playbook {name} is empty")));
            return Vec::new();
        };
        let Some(items) = node.as_list() else {
            self.problem(&node.at, format!("a playbook must be a list of plays, got {}", node.kind_name()));
            return Vec::new();
        };
        if items.is_empty() {
            self.problem(&node.at, "a playbook must contain at least one play");
        }
        let mut scope = imported.clone();
        scope.import_chain.push(normalize(path));
        let mut plays = Vec::new();
        for item in items {
            let Some(fields) = self.fields(item, Place::Play.name()) else { continue };
            match fields.iter().find(|field| action_name::short(field.name) == "import_playbook") {
                Some(import) => plays.extend(self.import_playbook(path, *import, &fields, &scope)),
                None => plays.extend(self.play(path, item, &fields, &scope).map(Arc::new)),
            }
        }
        plays
    }

    fn import_playbook(
        &mut self,
        path: &Path,
        import: Field<'_>,
        fields: &[Field<'_>],
        outer: &ImportScope,
    ) -> Vec<Arc<Play>> {
        let mut keywords = Keywords::default();
        let mut inner = outer.clone();
        for field in fields.iter().filter(|field| field.name != import.name && field.name != "name") {
            let Some(value) = self.keyword(*field, Place::Role) else { continue };
            match field.name {
                "vars" => extend(&mut inner.vars, &self.vars(field.value)),
                "when" | "tags" => {
                    keywords.set(field.name, value);
                }
                other => {
                    let message = format!("`{other}` has no effect on import_playbook");
                    let hint = Some("valid keywords: `when`, `vars`, `tags`".to_owned());
                    self.warnings.push(Diagnostic::user(message).at(field.key.at.clone()).hint(hint));
                }
            }
        }
        extend(&mut inner.vars, &outer.vars);
        inner.when.extend(keywords.when);
        inner.tags.extend(keywords.tags);
        let Some(value) = self.value(import.value) else { return Vec::new() };
        let scope = Inherited { play_vars: inner.vars.clone(), ..Inherited::default() };
        let Some(text) = self.render_name(&value, &scope, "a playbook") else { return Vec::new() };
        let parts = kv::split(&text).unwrap_or_default();
        let Some(name) = parts.first().map(|name| name.trim()) else { return Vec::new() };
        let file = normalize(&path.parent().unwrap_or(Path::new("")).join(name));
        if !file.is_file() {
            self.problems.push(not_found(&format!("the playbook `{name}`"), &value, &[file]));
            return Vec::new();
        }
        let scope = Inherited { import_chain: inner.import_chain.clone(), ..Inherited::default() };
        if self.is_recursive(&import.key.at, &file, &scope, "remove one of the imports") {
            return Vec::new();
        }
        self.plays(&file, &inner)
    }

    fn play(
        &mut self,
        path: &Path,
        node: &Node,
        fields: &[Field<'_>],
        imported: &ImportScope,
    ) -> Option<Play> {
        let dir = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut play = empty(node, dir.clone());
        for field in fields {
            if let Some(value) = self.keyword(*field, Place::Play) {
                self.play_keyword(*field, value, &mut play);
            }
        }
        let of = |name: &str| fields.iter().find(|field| field.name == name);
        if of("hosts").is_none() {
            let hint = match fields.iter().find(|field| action_name::find(field.name).is_some()) {
                Some(task) => format!(
                    "`{}` is a task: a playbook is a list of plays, tasks go under `tasks:`",
                    task.name
                ),
                None => "set `hosts:` to the hosts of the play".to_owned(),
            };
            self.problem_hint(&node.at, "a play needs `hosts`", hint);
        }
        if let (Some(user), true) = (of("user"), of("remote_user").is_some()) {
            let message = "both 'user' and 'remote_user' are set for this play";
            self.problem_hint(&user.key.at, message, "keep `remote_user`");
        }
        extend(&mut play.vars, &imported.vars);
        play.import_when.clone_from(&imported.when);
        play.keywords.tags.extend(imported.tags.iter().cloned());
        let file_vars = self.vars_files(&play);
        let mut scope = Inherited {
            keywords: play.keywords.clone(),
            dir: dir.clone(),
            playbook_dir: dir,
            play_vars: play.vars.clone(),
            ..Inherited::default()
        };
        extend(&mut scope.play_vars, &file_vars);
        scope.keywords.when.splice(0..0, imported.when.iter().cloned());
        self.contents(fields, &scope, &mut play);
        Some(play)
    }

    /// Reads roles, tasks and handlers.
    fn contents(&mut self, fields: &[Field<'_>], scope: &Inherited, play: &mut Play) {
        let before = self.problems.len();
        self.notified.clear();
        let field = |name: &str| fields.iter().find(|field| field.name == name);
        let mut role_handlers = Vec::new();
        if let Some(field) = field("roles") {
            for item in self.items(field.value, "`roles`") {
                let Some((used, inner)) = self.role_entry(item, scope) else { continue };
                let Some(loaded) = self.role(&used, &inner) else { continue };
                play.sections[1].extend(loaded.tasks);
                play.roles.extend(loaded.roles);
                role_handlers.extend(loaded.handlers);
            }
        }
        for (section, name) in ["pre_tasks", "tasks", "post_tasks"].into_iter().enumerate() {
            if let Some(field) = field(name) {
                let entries = self.entries(field.value, &format!("`{name}`"), scope, false);
                play.sections[section].extend(entries);
            }
        }
        let own: Vec<Entry> = match field("handlers") {
            Some(field) => self.entries(field.value, "`handlers`", scope, true),
            None => Vec::new(),
        };
        play.handlers = role_handlers.into_iter().chain(own).chain(self.handlers.drain(..)).collect();
        play.roles.append(&mut self.roles);
        // A handler that could not be read must not be reported as missing, too.
        if self.problems.len() == before {
            self.check_notified(play);
        }
    }

    fn play_keyword(&mut self, field: Field<'_>, value: Value, play: &mut Play) {
        match field.name {
            "name" => play.name = Some(title(value)),
            "hosts" => {
                self.check_hosts(field, &value);
                play.hosts = value;
            }
            "vars" => play.vars = self.vars(field.value),
            "vars_prompt" => play.vars_prompt = self.vars_prompt(field.value),
            "vars_files" => play.vars_files = list(value),
            "gather_facts" => play.gather_facts = Some(value),
            "gather_subset" => play.gather_subset = Some(value),
            "serial" => play.serial = Some(value),
            "max_fail_percentage" => play.max_fail_percentage = Some(value),
            "force_handlers" => play.force_handlers = Some(value),
            "order" => {
                self.one_of(field, &value, &ORDERS);
                play.order = Some(value);
            }
            "strategy" => {
                self.one_of(field, &value, &STRATEGIES);
                play.strategy = Some(value);
            }
            // `gather_timeout` has no effect: the agent limits the time for facts.
            "gather_timeout" | "roles" | "handlers" | "pre_tasks" | "tasks" | "post_tasks" => {}
            _ => {
                self.inherited_keyword(field, value, &mut play.keywords);
            }
        }
    }

    fn check_hosts(&mut self, field: Field<'_>, value: &Value) {
        let error = match &value.kind {
            Kind::Text(text) if text.is_empty() => Some("hosts list cannot be empty".to_owned()),
            Kind::Text(_) => None,
            Kind::List(items) if items.is_empty() => Some("hosts list cannot be empty".to_owned()),
            Kind::List(items) => items
                .iter()
                .find(|item| item.as_str().is_none())
                .map(|item| format!("hosts list must contain only text, got {}", item.kind_name())),
            _ => Some(format!("`hosts` must be text or a list of texts, got {}", value.kind_name())),
        };
        if let Some(message) = error {
            self.problem(&field.value.at, message);
        }
    }

    fn one_of(&mut self, field: Field<'_>, value: &Value, known: &[&'static str]) {
        let word = value.as_str().map(action_name::short);
        if is_template(value) || word.is_some_and(|word| known.contains(&word)) {
            return;
        }
        let shown = word.unwrap_or(value.kind_name());
        let problem = Diagnostic::user(format!("`{}` cannot be `{shown}`", field.name))
            .at(field.value.at.clone())
            .note(format!("valid values: {}", known.join(", ")))
            .hint(word.and_then(|word| did_you_mean(word, known.iter().copied())));
        self.problems.push(problem);
    }

    /// Finds the files of `vars_files:` with literal names, and returns their variables, which names can use.
    fn vars_files(&mut self, play: &Play) -> Map {
        let mut vars = Map::new();
        for entry in &play.vars_files {
            let names = list(entry.clone());
            if contains_template(entry) {
                continue;
            }
            let mut searched = Vec::new();
            let file = names.iter().find_map(|name| {
                search::vars_file(name.as_str()?, &play.dir).map_err(|places| searched.extend(places)).ok()
            });
            match file {
                Some(file) => extend(&mut vars, &self.readable_vars(&file)),
                None => {
                    let shown: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
                    let what = format!("the vars file `{}`", shown.join("`, `"));
                    self.problems.push(not_found(&what, entry, &searched));
                }
            }
        }
        vars
    }

    /// Returns the variables of a file, as far as they can be read. The run reads it again and reports errors.
    fn readable_vars(&self, file: &Path) -> Map {
        let Ok(Some(node)) = self.files.read(file) else { return Map::new() };
        let entries = node.as_map().unwrap_or_default().iter();
        entries.filter_map(|(key, value)| Some((key.to_key().ok()?, value.to_value().ok()?))).collect()
    }
}

fn empty(node: &Node, dir: PathBuf) -> Play {
    let at: Arc<Origin> = node.at.clone();
    Play {
        at,
        name: None,
        hosts: Value::null(),
        dir,
        keywords: Keywords::default(),
        vars: Map::new(),
        import_when: Vec::new(),
        vars_prompt: Vec::new(),
        vars_files: Vec::new(),
        gather_facts: None,
        gather_subset: None,
        serial: None,
        max_fail_percentage: None,
        force_handlers: None,
        order: None,
        strategy: None,
        sections: Default::default(),
        handlers: Vec::new(),
        roles: Vec::new(),
    }
}
