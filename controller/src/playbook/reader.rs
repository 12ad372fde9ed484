//! The state of reading one set of files, and the methods that all parts of the language share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Key, Map, Origin, Value};

use super::ast::{Entry, Inherited, Keywords, Role};
use super::files::ProjectFiles;
use super::keywords::{self, Place, ValueType};
use super::template::is_template;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::text::python::is_identifier;
use crate::yaml::Node;

/// Renders the name of a file or role, or a tag, while files are read (`import_tasks: "{{ x }}.yml"`). The function uses
/// the given variables, and the extra variables, which take precedence.
pub type Render<'a> = &'a dyn Fn(&Value, &Map) -> Result<Value, Diagnostic>;

/// Reads files, and continues after each problem.
pub(super) struct Reader<'a> {
    pub(super) files: &'a ProjectFiles,
    pub(super) render: Render<'a>,
    /// Errors.
    pub(super) problems: Vec<Diagnostic>,
    /// Warnings.
    pub(super) warnings: Vec<Diagnostic>,
    /// Roles that were imported by tasks, with their dependencies.
    pub(super) roles: Vec<Arc<Role>>,
    /// Handlers of these roles.
    pub(super) handlers: Vec<Entry>,
    /// Literal names that tasks notify.
    pub(super) notified: Vec<Value>,
}

/// An entry of a map whose key is text.
#[derive(Clone, Copy)]
pub(super) struct Field<'n> {
    pub(super) name: &'n str,
    pub(super) key: &'n Node,
    pub(super) value: &'n Node,
}

impl<'a> Reader<'a> {
    pub(super) fn new(files: &'a ProjectFiles, render: Render<'a>) -> Self {
        Self {
            files,
            render,
            problems: Vec::new(),
            warnings: Vec::new(),
            roles: Vec::new(),
            handlers: Vec::new(),
            notified: Vec::new(),
        }
    }

    /// Reports an error at `at`.
    pub(super) fn problem(&mut self, at: &Arc<Origin>, message: impl Into<String>) {
        self.problems.push(Diagnostic::user(message).at(at.clone()));
    }

    /// Reports an error at `at`, with a hint on what to do.
    pub(super) fn problem_hint(
        &mut self,
        at: &Arc<Origin>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems.push(Diagnostic::user(message).at(at.clone()).hint(Some(hint.into())));
    }

    /// Returns the value of a result, or reports its error.
    pub(super) fn ok_or_report<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// Returns the value of a node.
    pub(super) fn value(&mut self, node: &Node) -> Option<Value> {
        let value = node.to_value();
        self.ok_or_report(value)
    }

    /// Reads a file; `None` if it is empty or cannot be read.
    pub(super) fn file(&mut self, path: &Path) -> Option<Arc<Node>> {
        let read = self.files.read(path);
        self.ok_or_report(read).flatten()
    }

    /// Returns the entries of a map; reports keys that are not text.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, what: &str) -> Option<Vec<Field<'n>>> {
        let Some(entries) = node.as_map() else {
            self.problem(&node.at, format!("{what} must be a map, got {}", node.kind_name()));
            return None;
        };
        let mut fields = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key.scalar() {
                Some(name) => fields.push(Field { name, key, value }),
                None => self.problem(&key.at, format!("a keyword of {what} must be text")),
            }
        }
        Some(fields)
    }

    /// Returns the items of a list; null is an empty list.
    pub(super) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if node.is_null() {
            return &[];
        }
        node.as_list().unwrap_or_else(|| {
            self.problem(&node.at, format!("{what} must be a list, got {}", node.kind_name()));
            &[]
        })
    }

    /// Reports a key that is not a keyword of `place`.
    pub(super) fn unknown_keyword(&mut self, field: Field<'_>, place: Place) {
        let hint = did_you_mean(field.name, keywords::names(place));
        let message = format!("unknown keyword `{}` of {}", field.name, place.name());
        self.problems.push(Diagnostic::user(message).at(field.key.at.clone()).hint(hint));
    }

    /// Returns the value of a keyword; `None` if it is null, and if it or its value is not allowed in `place`.
    pub(super) fn keyword(&mut self, field: Field<'_>, place: Place) -> Option<Value> {
        let Some(expected) = keywords::value_type(field.name, place) else {
            self.unknown_keyword(field, place);
            return None;
        };
        if field.value.is_null() {
            return None;
        }
        if expected == ValueType::Unsupported {
            self.problem(&field.key.at, format!("`{}` is not supported yet", field.name));
            return None;
        }
        let value = self.value(field.value)?;
        if let Some(expected) = expected.mismatch(&value) {
            let got = value.as_str().map_or_else(|| value.kind_name().to_owned(), |text| format!("`{text}`"));
            self.problem(&field.value.at, format!("`{}` must be {expected}, got {got}", field.name));
            return None;
        }
        if expected == ValueType::Condition {
            self.warn_about_delimiters(field.name, &value);
        }
        Some(value)
    }

    /// Checks and sets a keyword that tasks inherit. Returns whether it is one.
    pub(super) fn inherited_keyword(
        &mut self,
        field: Field<'_>,
        value: Value,
        keywords: &mut Keywords,
    ) -> bool {
        match field.name {
            "debugger" if value.as_str() != Some("never") => {
                self.problem_hint(
                    &field.key.at,
                    "there is no debugger: `debugger` can only be `never`",
                    "remove it; -vvv shows the arguments of each task, --step asks before each task",
                );
                true
            }
            "collections" => {
                self.collections(&value);
                true
            }
            "debugger" => true,
            "environment" | "module_defaults" => {
                if field.name == "module_defaults" {
                    self.check_defaults(field.value);
                }
                for item in keywords::list(value) {
                    if item.as_map().is_some() || is_template(&item) {
                        keywords.set(field.name, item);
                    } else if !item.is_null() {
                        let message = format!(
                            "`{}` must be a map or a list of maps, got {}",
                            field.name,
                            item.kind_name()
                        );
                        self.problem(&field.value.at, message);
                    }
                }
                true
            }
            name => keywords.set(name, value),
        }
    }

    /// Reports other collections than the built-in one: convoy could not use their modules.
    fn collections(&mut self, value: &Value) {
        for item in keywords::list(value.clone()) {
            if !matches!(item.as_str(), Some("ansible.builtin" | "ansible.legacy")) {
                let name =
                    item.as_str().map_or_else(|| item.kind_name().to_owned(), |text| format!("`{text}`"));
                let problem = Diagnostic::user(format!("the collection {name} is not supported"))
                    .hint(Some("only `ansible.builtin` is built in".to_owned()))
                    .at(item.origin.clone());
                self.problems.push(problem);
            }
        }
    }

    fn warn_about_delimiters(&mut self, name: &str, value: &Value) {
        for item in keywords::list(value.clone()) {
            if is_template(&item) {
                let warning = Diagnostic::user(format!("`{name}` contains template delimiters"))
                    .note("a condition is already an expression")
                    .hint(Some("remove {{ }} and {% %}".to_owned()))
                    .at(item.origin.clone());
                self.warnings.push(warning);
            }
        }
    }

    /// Reads `vars:`: a map, or a list of maps.
    pub(super) fn vars(&mut self, node: &Node) -> Map {
        let mut vars = Map::new();
        let maps = match node.as_list() {
            Some(items) => items,
            None => std::slice::from_ref(node),
        };
        for map in maps.iter().filter(|map| !map.is_null()) {
            let Some(entries) = map.as_map() else {
                self.problem(&map.at, format!("`vars` must be a map, got {}", map.kind_name()));
                continue;
            };
            for (key, value) in entries {
                let (Some(name), Some(value)) = (self.ok_or_report(key.to_key()), self.value(value)) else {
                    continue;
                };
                match name {
                    Key::Text(text) if is_identifier(&text) => {
                        vars.insert(Key::Text(text), value);
                    }
                    other => self.invalid_name(&key.at, &other.to_string()),
                }
            }
        }
        vars
    }

    /// Reports that `name` cannot be the name of a variable.
    pub(super) fn invalid_name(&mut self, at: &Arc<Origin>, name: &str) {
        let message = format!("`{name}` is not a valid variable name");
        self.problem_hint(
            at,
            message,
            "names consist of letters, digits and underscores, do not start with a digit, and are not keywords of Python",
        );
    }

    /// Renders the name of a file or role that is read now (`import_tasks: "{{ x }}.yml"`).
    pub(super) fn render_name(&mut self, value: &Value, scope: &Inherited, what: &str) -> Option<String> {
        let rendered = if is_template(value) {
            let rendered = (self.render)(value, &scope.static_vars()).map_err(|problem| {
                problem.note(format!(
                    "{what} is read before hosts are known; its name can use extra vars, `vars` and `vars_files`, \
                     but neither facts nor the inventory"
                ))
            });
            self.ok_or_report(rendered)?
        } else {
            value.clone()
        };
        match rendered.as_str() {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            _ => {
                let message = format!("the name of {what} must be text, got {}", rendered.kind_name());
                self.problems.push(Diagnostic::user(message).at(value.origin.clone()));
                None
            }
        }
    }

    /// Returns whether `path` is already being read, and reports it if so.
    pub(super) fn is_recursive(
        &mut self,
        at: &Arc<Origin>,
        path: &Path,
        scope: &Inherited,
        hint: &str,
    ) -> bool {
        let Some(first) = scope.import_chain.iter().position(|known| known == path) else { return false };
        let chain: Vec<String> = scope.import_chain[first..]
            .iter()
            .map(PathBuf::as_path)
            .chain([path])
            .map(|path| path.display().to_string())
            .collect();
        let problem = Diagnostic::user("recursive import")
            .at(at.clone())
            .note(format!("import chain: {}", chain.join(" -> ")))
            .hint(Some(hint.to_owned()));
        self.problems.push(problem);
        true
    }
}
