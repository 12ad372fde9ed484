//! Reads the action of a task and its arguments, in all forms of the language: `copy: …`, `action: copy …`, `args:`,
//! `key=value`.

use std::sync::Arc;

use convoy_protocol::{Key, Map, Origin, Value};

use super::action_name::{ActionKind, RAW_PARAMS, find, names, short};
use super::kv;
use super::reader::{Field, Reader};
use super::template::{has_delimiter, is_template};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::yaml::{Data, Node, Style};

/// An argument and its location.
#[derive(Debug, Clone)]
pub(super) struct Argument {
    pub(super) key: Key,
    pub(super) value: Value,
    pub(super) at: Arc<Origin>,
    /// The text of the value, if it is a plain scalar without a tag.
    pub(super) plain: Option<String>,
}

/// The arguments of an action.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    pub(super) entries: Vec<Argument>,
    /// Text that renders to a map of more arguments.
    pub(super) variable: Option<Value>,
}

impl Arguments {
    /// Returns the argument `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Argument> {
        self.entries.iter().find(|argument| argument.key.as_str() == Some(name))
    }

    /// Removes and returns the argument `name`.
    pub(super) fn take(&mut self, name: &str) -> Option<Argument> {
        let at = self.entries.iter().position(|argument| argument.key.as_str() == Some(name))?;
        Some(self.entries.remove(at))
    }

    fn insert(&mut self, argument: Argument) {
        match self.entries.iter_mut().find(|other| other.key == argument.key) {
            Some(other) => *other = argument,
            None => self.entries.push(argument),
        }
    }

    /// Returns the arguments as they are stored in a task.
    pub(super) fn to_value(&self) -> Value {
        match &self.variable {
            Some(text) if self.entries.is_empty() => text.clone(),
            variable => {
                let mut map: Map = self.entries.iter().map(|a| (a.key.clone(), a.value.clone())).collect();
                if let Some(text) = variable {
                    map.insert("_variable_params".into(), text.clone());
                }
                map.into()
            }
        }
    }
}

/// The action of a task, with its arguments.
#[derive(Clone)]
pub(super) struct Call {
    /// The name, as the user wrote it.
    pub(super) name: Arc<str>,
    /// The location of the name.
    pub(super) at: Arc<Origin>,
    pub(super) kind: ActionKind,
    pub(super) arguments: Arguments,
    /// Whether `local_action` was used.
    pub(super) local: bool,
}

impl Reader<'_> {
    /// Reads the action of a task: the one field that is not a keyword (among `candidates`), or `action:`.
    pub(super) fn action_call(
        &mut self,
        node: &Node,
        fields: &[Field<'_>],
        candidates: &[Field<'_>],
    ) -> Option<Call> {
        let mut actions: Vec<(String, Field<'_>)> = Vec::new();
        for field in fields.iter().filter(|field| matches!(field.name, "action" | "local_action")) {
            let name = self.old_style_name(field.value)?;
            actions.push((name, *field));
        }
        actions.extend(
            candidates.iter().filter(|field| find(field.name).is_some()).map(|f| (f.name.to_owned(), *f)),
        );
        if actions.len() > 1 {
            let names: Vec<&str> = actions.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("conflicting action statements: {}", names.join(", "));
            self.problem_hint(&actions[1].1.key.at, message, "split it into two tasks");
            return None;
        }
        let Some((name, field)) = actions.pop() else {
            if candidates.is_empty() {
                self.problem_hint(
                    &node.at,
                    "no module/action detected in task",
                    "name a module, such as `debug:`",
                );
            }
            return None;
        };
        let template = || has_delimiter(&name).then_some(ActionKind::Template);
        let Some(kind) = find(&name).or_else(template) else {
            self.unknown_module(&name, &field.value.at);
            return None;
        };
        let mut arguments = self.args_keyword(fields);
        let own = if matches!(field.name, "action" | "local_action") {
            self.old_style_arguments(&name, field.value)
        } else {
            self.arguments(&name, field.value)
        };
        own?.into_iter().for_each(|argument| arguments.insert(argument));
        self.free_text(&name, kind, &mut arguments)?;
        let at =
            if matches!(field.name, "action" | "local_action") { &field.value.at } else { &field.key.at };
        Some(Call { name: name.into(), at: at.clone(), kind, arguments, local: field.name == "local_action" })
    }

    /// Reports that there is no such module.
    pub(super) fn unknown_module(&mut self, name: &str, at: &Arc<Origin>) {
        let mut problem = Diagnostic::user(format!("unknown module `{name}`")).at(at.clone());
        if short(name) == "include" {
            problem = problem.hint(Some(
                "`include` has been removed: use include_tasks or import_tasks instead".to_owned(),
            ));
        } else if short(name).contains('.') {
            problem = problem.note("only the modules of `ansible.builtin` are built in");
        } else {
            problem = problem.hint(did_you_mean(short(name), names()));
        }
        self.problems.push(problem);
    }

    fn old_style_name(&mut self, node: &Node) -> Option<String> {
        let text = match &node.data {
            Data::Map(_) => node.get("module").and_then(Node::scalar),
            _ => node.as_str(),
        };
        let words = text.and_then(|text| kv::split(text).ok());
        let name = words.and_then(|words| Some(words.first()?.trim().to_owned()));
        if name.is_none() {
            self.problem_hint(
                &node.at,
                "`action` does not name a module",
                "write `action: MODULE key=value …`",
            );
        }
        name
    }

    fn old_style_arguments(&mut self, name: &str, node: &Node) -> Option<Vec<Argument>> {
        let text = match &node.data {
            Data::Map(_) => node.get("module")?,
            _ => node,
        };
        let rest = text.scalar()?.trim_start().strip_prefix(name)?.trim_start_matches([' ', '\n']).to_owned();
        let mut arguments = Vec::new();
        if let Some(entries) = node.as_map() {
            for (key, value) in entries.iter().filter(|(key, _)| key.scalar() != Some("module")) {
                if key.scalar() == Some("args") {
                    arguments.extend(self.arguments("", value)?);
                } else {
                    arguments.push(self.argument(key, value)?);
                }
            }
        }
        arguments.extend(self.key_value_pairs(name, &rest, text)?);
        Some(arguments)
    }

    /// Reads `args:`.
    fn args_keyword(&mut self, fields: &[Field<'_>]) -> Arguments {
        let mut arguments = Arguments::default();
        let Some(field) = fields.iter().find(|field| field.name == "args" && !field.value.is_null()) else {
            return arguments;
        };
        match &field.value.data {
            Data::Map(_) => arguments.entries = self.arguments("", field.value).unwrap_or_default(),
            Data::Scalar(text, _) if has_delimiter(text) => arguments.variable = self.value(field.value),
            _ => {
                let message =
                    format!("`args` must be a map or a template of one, got {}", field.value.kind_name());
                self.problem_hint(&field.value.at, message, "write a variable as `\"{{ name }}\"`");
            }
        }
        arguments
    }

    fn arguments(&mut self, name: &str, node: &Node) -> Option<Vec<Argument>> {
        match &node.data {
            Data::Map(entries) => entries
                .iter()
                .map(|(key, value)| self.argument(key, value))
                .collect::<Vec<_>>()
                .into_iter()
                .collect(),
            _ if node.is_null() => Some(Vec::new()),
            Data::Scalar(text, _) => self.key_value_pairs(name, text, node),
            Data::List(_) => {
                self.problem(
                    &node.at,
                    format!("the arguments of `{name}` must be a map or text, got a list"),
                );
                None
            }
        }
    }

    pub(super) fn argument(&mut self, key: &Node, value: &Node) -> Option<Argument> {
        let plain = match &value.data {
            Data::Scalar(text, Style::Plain) if value.tag.is_none() => Some(text.clone()),
            _ => None,
        };
        let at = key.at.clone();
        let (key, value) = (self.ok_or_report(key.to_key()), self.value(value));
        Some(Argument { key: key?, value: value?, at, plain })
    }

    fn key_value_pairs(&mut self, name: &str, text: &str, node: &Node) -> Option<Vec<Argument>> {
        match kv::parse(text, find(name).is_some_and(ActionKind::takes_command)) {
            Ok(map) => {
                let entry = |(key, value): (Key, Value)| Argument {
                    key,
                    value: value.at(node.at.clone()).tainted(node.taint()),
                    at: node.at.clone(),
                    plain: None,
                };
                Some(map.into_iter().map(entry).collect())
            }
            Err(why) => {
                self.problem_hint(
                    &node.at,
                    format!("cannot split the arguments of `{name}`: {why}"),
                    "quote the whole value",
                );
                None
            }
        }
    }

    /// Handles free text: a command, a file name, a template that renders to arguments, or an error.
    fn free_text(&mut self, name: &str, kind: ActionKind, arguments: &mut Arguments) -> Option<()> {
        if kind.has_cmd()
            && let Some(command) = arguments.get("cmd").cloned()
        {
            if arguments.get(RAW_PARAMS).is_some() {
                let message =
                    format!("`cmd` of `{name}` cannot be used when the command is also given as text");
                self.problem_hint(&command.at, message, "give the command only once");
                return None;
            }
            arguments.take("cmd");
            arguments.insert(Argument { key: RAW_PARAMS.into(), ..command });
        }
        if kind.takes_text() {
            return Some(());
        }
        let Some(text) = arguments.take(RAW_PARAMS) else { return Some(()) };
        if is_template(&text.value) {
            arguments.variable = Some(text.value);
            return Some(());
        }
        let shown = text.value.as_str().unwrap_or_default().trim();
        let problem = Diagnostic::user(format!("`{name}` takes no free text, got `{shown}`"))
            .at(text.at)
            .note(format!(
                "this task '{name}' has extra params, which is only allowed in commands and includes"
            ))
            .hint(Some(format!("write `{name}: key=value`, or the arguments as a map below it")));
        self.problems.push(problem);
        None
    }
}
