//! The keywords of the language: where each is allowed, what type of value it takes, and how it is inherited.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::message::Method;
use convoy_protocol::{Kind, Value};

use super::ast::Keywords;
use super::template::is_template;

/// A construct of the language that has keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A play.
    Play,
    /// A block.
    Block,
    /// A task.
    Task,
    /// A handler.
    Handler,
    /// An entry of `roles:` or of a role's dependencies.
    Role,
    /// `loop_control:`.
    LoopControl,
}

impl Place {
    /// Returns its name with an article, for messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Play => "a play",
            Self::Block => "a block",
            Self::Task => "a task",
            Self::Handler => "a handler",
            Self::Role => "a role entry",
            Self::LoopControl => "loop_control",
        }
    }

    /// Returns the groups of keywords that it accepts.
    fn groups(self) -> u16 {
        match self {
            Self::Play => EVERYWHERE | PLAY,
            Self::Block => EVERYWHERE | BELOW | NOTIFIES | BLOCK,
            Self::Task => EVERYWHERE | BELOW | NOTIFIES | TASK,
            Self::Handler => EVERYWHERE | BELOW | NOTIFIES | TASK | HANDLER,
            Self::Role => EVERYWHERE | BELOW | ROLE,
            Self::LoopControl => LOOP,
        }
    }
}

// Groups of keywords; `BELOW` is everywhere but on plays.
const EVERYWHERE: u16 = 1;
const PLAY: u16 = 2;
const BELOW: u16 = 4;
const BLOCK: u16 = 8;
const TASK: u16 = 16;
const HANDLER: u16 = 32;
const ROLE: u16 = 64;
const LOOP: u16 = 128;
const NOTIFIES: u16 = 256;

/// The type of value that a keyword takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Text, or another scalar.
    Text,
    /// A `become` method.
    Method,
    /// Text or a list.
    Texts,
    /// A condition or a list of them.
    Condition,
    /// Anything; checked where it is read, if at all.
    Any,
    /// None: the keyword is known, but not supported.
    Unsupported,
}

const TABLE: &[(&str, ValueType, u16)] = &[
    ("name", ValueType::Text, EVERYWHERE),
    ("connection", ValueType::Text, EVERYWHERE),
    ("port", ValueType::Int, EVERYWHERE),
    ("remote_user", ValueType::Text, EVERYWHERE),
    ("vars", ValueType::Any, EVERYWHERE),
    ("module_defaults", ValueType::Any, EVERYWHERE),
    ("environment", ValueType::Any, EVERYWHERE),
    ("no_log", ValueType::Bool, EVERYWHERE),
    ("run_once", ValueType::Bool, EVERYWHERE),
    ("ignore_errors", ValueType::Bool, EVERYWHERE),
    ("ignore_unreachable", ValueType::Bool, EVERYWHERE),
    ("check_mode", ValueType::Bool, EVERYWHERE),
    ("diff", ValueType::Bool, EVERYWHERE),
    ("any_errors_fatal", ValueType::Bool, EVERYWHERE),
    ("throttle", ValueType::Int, EVERYWHERE),
    ("timeout", ValueType::Int, EVERYWHERE),
    ("debugger", ValueType::Any, EVERYWHERE),
    ("become", ValueType::Bool, EVERYWHERE),
    ("become_method", ValueType::Method, EVERYWHERE),
    ("become_user", ValueType::Text, EVERYWHERE),
    ("become_flags", ValueType::Text, EVERYWHERE),
    ("become_exe", ValueType::Text, EVERYWHERE),
    ("tags", ValueType::Texts, EVERYWHERE),
    ("collections", ValueType::Any, EVERYWHERE),
    ("when", ValueType::Condition, BELOW),
    ("delegate_to", ValueType::Text, BELOW),
    ("delegate_facts", ValueType::Bool, BELOW),
    ("notify", ValueType::Texts, NOTIFIES),
    ("hosts", ValueType::Any, PLAY),
    ("user", ValueType::Text, PLAY),
    ("gather_facts", ValueType::Bool, PLAY),
    ("gather_subset", ValueType::Texts, PLAY),
    ("gather_timeout", ValueType::Int, PLAY),
    ("fact_path", ValueType::Unsupported, PLAY),
    ("vars_files", ValueType::Any, PLAY),
    ("vars_prompt", ValueType::Any, PLAY),
    ("roles", ValueType::Any, PLAY),
    ("handlers", ValueType::Any, PLAY),
    ("pre_tasks", ValueType::Any, PLAY),
    ("tasks", ValueType::Any, PLAY),
    ("post_tasks", ValueType::Any, PLAY),
    ("force_handlers", ValueType::Bool, PLAY),
    ("max_fail_percentage", ValueType::Number, PLAY),
    ("serial", ValueType::Any, PLAY),
    ("strategy", ValueType::Any, PLAY),
    ("order", ValueType::Any, PLAY),
    ("block", ValueType::Any, BLOCK),
    ("rescue", ValueType::Any, BLOCK),
    ("always", ValueType::Any, BLOCK),
    ("args", ValueType::Any, TASK),
    ("action", ValueType::Any, TASK),
    ("local_action", ValueType::Any, TASK),
    ("async", ValueType::Int, TASK),
    ("poll", ValueType::Int, TASK),
    ("loop", ValueType::Any, TASK),
    ("loop_control", ValueType::Any, TASK),
    ("register", ValueType::Any, TASK),
    ("until", ValueType::Condition, TASK),
    ("retries", ValueType::Int, TASK),
    ("delay", ValueType::Number, TASK),
    ("failed_when", ValueType::Condition, TASK),
    ("changed_when", ValueType::Condition, TASK),
    ("listen", ValueType::Texts, HANDLER),
    ("role", ValueType::Any, ROLE),
    ("loop_var", ValueType::Text, LOOP),
    ("index_var", ValueType::Text, LOOP),
    ("label", ValueType::Any, LOOP),
    ("pause", ValueType::Number, LOOP),
    ("extended", ValueType::Bool, LOOP),
    ("extended_allitems", ValueType::Bool, LOOP),
    ("break_when", ValueType::Condition, LOOP),
];

/// Returns the type of value that the keyword `name` takes in `place`; `None` if it is not allowed there.
pub(super) fn value_type(name: &str, place: Place) -> Option<ValueType> {
    let allowed =
        |(known, _, groups): &&(&str, ValueType, u16)| *known == name && groups & place.groups() != 0;
    TABLE.iter().find(allowed).map(|(_, value_type, _)| *value_type)
}

/// Returns the keywords that are allowed in `place`.
pub(super) fn names(place: Place) -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(move |(_, _, groups)| groups & place.groups() != 0).map(|(name, ..)| *name)
}

impl ValueType {
    /// Returns the name of this type if `value` is of another one. Templates are accepted, since they may render to it.
    pub(super) fn mismatch(self, value: &Value) -> Option<&'static str> {
        if is_template(value) {
            return None;
        }
        let scalar = !matches!(value.kind, Kind::List(_) | Kind::Map(_));
        let (matches, name) = match self {
            Self::Bool => (bool::convert(value).is_ok(), "a boolean"),
            Self::Int => (i64::convert(value).is_ok(), "a whole number"),
            Self::Number => (is_number(value), "a number"),
            Self::Text => (scalar, "text"),
            Self::Method => {
                (value.as_str().is_some_and(|name| Method::named(name).is_some()), "sudo, su or doas")
            }
            Self::Texts => (is_texts(value), "text or a list of texts"),
            Self::Condition => (is_condition(value), "a condition or a list of conditions"),
            Self::Any | Self::Unsupported => (true, ""),
        };
        (!matches).then_some(name)
    }
}

fn is_number(value: &Value) -> bool {
    match &value.kind {
        Kind::Int(_) | Kind::Float(_) => true,
        Kind::Text(text) => text.trim().trim_end_matches('%').parse::<f64>().is_ok(),
        _ => false,
    }
}

fn is_texts(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => items.iter().all(is_texts),
        Kind::Map(_) => false,
        _ => true,
    }
}

fn is_condition(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => {
            items.iter().all(|item| !matches!(item.kind, Kind::Map(_)) && is_condition(item))
        }
        Kind::Map(_) => false,
        _ => true,
    }
}

impl Keywords {
    /// Returns these keywords merged with inherited ones: lists are appended to those of `outer`, other keywords replace
    /// them.
    #[must_use]
    pub(super) fn merged_into(self, outer: &Self) -> Self {
        let mut tags = outer.tags.clone();
        tags.extend(self.tags.iter().filter(|tag| !outer.tags.contains(tag)).cloned());
        let both =
            |outer: &[Value], inner: Vec<Value>| outer.iter().cloned().chain(inner).collect::<Vec<_>>();
        Self {
            when: both(&outer.when, self.when),
            tags,
            environment: both(&outer.environment, self.environment),
            module_defaults: both(&outer.module_defaults, self.module_defaults),
            r#become: self.r#become.or_else(|| outer.r#become.clone()),
            become_user: self.become_user.or_else(|| outer.become_user.clone()),
            become_method: self.become_method.or_else(|| outer.become_method.clone()),
            become_flags: self.become_flags.or_else(|| outer.become_flags.clone()),
            become_exe: self.become_exe.or_else(|| outer.become_exe.clone()),
            connection: self.connection.or_else(|| outer.connection.clone()),
            remote_user: self.remote_user.or_else(|| outer.remote_user.clone()),
            port: self.port.or_else(|| outer.port.clone()),
            ignore_errors: self.ignore_errors.or_else(|| outer.ignore_errors.clone()),
            ignore_unreachable: self.ignore_unreachable.or_else(|| outer.ignore_unreachable.clone()),
            any_errors_fatal: self.any_errors_fatal.or_else(|| outer.any_errors_fatal.clone()),
            check_mode: self.check_mode.or_else(|| outer.check_mode.clone()),
            diff: self.diff.or_else(|| outer.diff.clone()),
            no_log: self.no_log.or_else(|| outer.no_log.clone()),
            run_once: self.run_once.or_else(|| outer.run_once.clone()),
            delegate_to: self.delegate_to.or_else(|| outer.delegate_to.clone()),
            delegate_facts: self.delegate_facts.or_else(|| outer.delegate_facts.clone()),
            throttle: self.throttle.or_else(|| outer.throttle.clone()),
            timeout: self.timeout.or_else(|| outer.timeout.clone()),
        }
    }

    /// Sets the keyword `name`; returns whether it is one that tasks inherit.
    pub(super) fn set(&mut self, name: &str, value: Value) -> bool {
        let slot = match name {
            "when" => {
                self.when.extend(list(value));
                return true;
            }
            "tags" => {
                self.tags.extend(tags(&value));
                return true;
            }
            "environment" => {
                self.environment.extend(list(value));
                return true;
            }
            "module_defaults" => {
                self.module_defaults.extend(list(value));
                return true;
            }
            "become" => &mut self.r#become,
            "become_user" => &mut self.become_user,
            "become_method" => &mut self.become_method,
            "become_flags" => &mut self.become_flags,
            "become_exe" => &mut self.become_exe,
            "connection" => &mut self.connection,
            "remote_user" | "user" => &mut self.remote_user,
            "port" => &mut self.port,
            "ignore_errors" => &mut self.ignore_errors,
            "ignore_unreachable" => &mut self.ignore_unreachable,
            "any_errors_fatal" => &mut self.any_errors_fatal,
            "check_mode" => &mut self.check_mode,
            "diff" => &mut self.diff,
            "no_log" => &mut self.no_log,
            "run_once" => &mut self.run_once,
            "delegate_to" => &mut self.delegate_to,
            "delegate_facts" => &mut self.delegate_facts,
            "throttle" => &mut self.throttle,
            "timeout" => &mut self.timeout,
            _ => return false,
        };
        *slot = Some(value);
        true
    }
}

/// Returns the items of a list, or the value itself as the only item.
pub(super) fn list(value: Value) -> Vec<Value> {
    match value.kind {
        Kind::List(items) => items.iter().cloned().collect(),
        _ => vec![value],
    }
}

/// Returns the tags of `tags:`: a list, or text with commas between the tags.
pub(super) fn tags(value: &Value) -> Vec<Arc<str>> {
    match &value.kind {
        Kind::List(items) => items.iter().flat_map(tags).collect(),
        Kind::Text(text) if is_template(value) => vec![text.clone()],
        Kind::Text(text) => {
            text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Arc::from).collect()
        }
        _ => String::convert(value).map(|tag| vec![tag.into()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_allowed_only_in_their_places() {
        for (name, place, expected) in [
            ("when", Place::Play, None),
            ("when", Place::Block, Some(ValueType::Condition)),
            ("notify", Place::Role, None),
            ("notify", Place::Block, Some(ValueType::Texts)),
            ("listen", Place::Task, None),
            ("listen", Place::Handler, Some(ValueType::Texts)),
            ("loop", Place::Block, None),
            ("hosts", Place::Task, None),
            ("become", Place::LoopControl, None),
        ] {
            assert_eq!(value_type(name, place), expected, "{name} of {}", place.name());
        }
    }

    #[test]
    fn inner_keywords_replace_outer_ones_but_lists_are_joined() {
        let mut outer = Keywords::default();
        let mut inner = Keywords::default();
        for (name, value) in [("when", "a"), ("become", "yes"), ("become_user", "app"), ("tags", "x, y")] {
            assert!(outer.set(name, value.into()));
        }
        for (name, value) in [("when", "b"), ("become_user", "db"), ("tags", "y,z")] {
            assert!(inner.set(name, value.into()));
        }
        let merged = inner.merged_into(&outer);
        assert_eq!(merged.when, ["a".into(), "b".into()]);
        assert_eq!(merged.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["x", "y", "z"]);
        assert_eq!(merged.become_user, Some("db".into()));
        assert_eq!(merged.r#become, Some("yes".into()));
        assert!(!outer.set("loop", "x".into()));
    }

    #[test]
    fn literal_values_of_the_wrong_type_are_detected() {
        for (value_type, value, expected) in [
            (ValueType::Bool, Value::from("maybe"), Some("a boolean")),
            (ValueType::Bool, Value::from("yes"), None),
            (ValueType::Bool, Value::from("{{ x }}"), None),
            (ValueType::Int, Value::from("1o"), Some("a whole number")),
            (ValueType::Number, Value::from("30%"), None),
            (ValueType::Text, Value::from(vec![Value::null()]), Some("text")),
            (
                ValueType::Texts,
                Value::from(vec![Value::from(convoy_protocol::map! {})]),
                Some("text or a list of texts"),
            ),
            (
                ValueType::Condition,
                Value::from(convoy_protocol::map! {}),
                Some("a condition or a list of conditions"),
            ),
        ] {
            assert_eq!(value_type.mismatch(&value), expected, "{value_type:?} {value:?}");
        }
    }
}
