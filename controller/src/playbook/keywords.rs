//! The keywords of the language: where each may stand, and what it takes.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::message::Method;
use convoy_protocol::{Kind, Value};

use super::ast::Keywords;
use super::template::is_template;

/// Where a keyword can stand.
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
    /// What a user calls it, with its article.
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

const EVERYWHERE: u16 = 1;
const PLAY: u16 = 2;
const BELOW: u16 = 4;
const BLOCK: u16 = 8;
const TASK: u16 = 16;
const HANDLER: u16 = 32;
const ROLE: u16 = 64;
const LOOP: u16 = 128;
const NOTIFIES: u16 = 256;

/// What a keyword takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Text, or a scalar that reads as one.
    Text,
    /// A program to become another user by.
    Method,
    /// Text or a list.
    Texts,
    /// A condition or a list of them.
    Condition,
    /// Anything, or something that is looked at where it is read.
    Any,
    /// Nothing yet: it is refused by name.
    Unsupported,
}

const TABLE: &[(&str, Want, u16)] = &[
    ("name", Want::Text, EVERYWHERE),
    ("connection", Want::Text, EVERYWHERE),
    ("port", Want::Int, EVERYWHERE),
    ("remote_user", Want::Text, EVERYWHERE),
    ("vars", Want::Any, EVERYWHERE),
    ("module_defaults", Want::Any, EVERYWHERE),
    ("environment", Want::Any, EVERYWHERE),
    ("no_log", Want::Bool, EVERYWHERE),
    ("run_once", Want::Bool, EVERYWHERE),
    ("ignore_errors", Want::Bool, EVERYWHERE),
    ("ignore_unreachable", Want::Bool, EVERYWHERE),
    ("check_mode", Want::Bool, EVERYWHERE),
    ("diff", Want::Bool, EVERYWHERE),
    ("any_errors_fatal", Want::Bool, EVERYWHERE),
    ("throttle", Want::Int, EVERYWHERE),
    ("timeout", Want::Int, EVERYWHERE),
    ("debugger", Want::Any, EVERYWHERE),
    ("become", Want::Bool, EVERYWHERE),
    ("become_method", Want::Method, EVERYWHERE),
    ("become_user", Want::Text, EVERYWHERE),
    ("become_flags", Want::Text, EVERYWHERE),
    ("become_exe", Want::Text, EVERYWHERE),
    ("tags", Want::Texts, EVERYWHERE),
    ("collections", Want::Any, EVERYWHERE),
    ("when", Want::Condition, BELOW),
    ("delegate_to", Want::Text, BELOW),
    ("delegate_facts", Want::Bool, BELOW),
    ("notify", Want::Texts, NOTIFIES),
    ("hosts", Want::Any, PLAY),
    ("user", Want::Text, PLAY),
    ("gather_facts", Want::Bool, PLAY),
    ("gather_subset", Want::Texts, PLAY),
    ("gather_timeout", Want::Int, PLAY),
    ("fact_path", Want::Unsupported, PLAY),
    ("vars_files", Want::Any, PLAY),
    ("vars_prompt", Want::Any, PLAY),
    ("roles", Want::Any, PLAY),
    ("handlers", Want::Any, PLAY),
    ("pre_tasks", Want::Any, PLAY),
    ("tasks", Want::Any, PLAY),
    ("post_tasks", Want::Any, PLAY),
    ("force_handlers", Want::Bool, PLAY),
    ("max_fail_percentage", Want::Number, PLAY),
    ("serial", Want::Any, PLAY),
    ("strategy", Want::Any, PLAY),
    ("order", Want::Any, PLAY),
    ("block", Want::Any, BLOCK),
    ("rescue", Want::Any, BLOCK),
    ("always", Want::Any, BLOCK),
    ("args", Want::Any, TASK),
    ("action", Want::Any, TASK),
    ("local_action", Want::Any, TASK),
    ("async", Want::Int, TASK),
    ("poll", Want::Int, TASK),
    ("loop", Want::Any, TASK),
    ("loop_control", Want::Any, TASK),
    ("register", Want::Any, TASK),
    ("until", Want::Condition, TASK),
    ("retries", Want::Int, TASK),
    ("delay", Want::Number, TASK),
    ("failed_when", Want::Condition, TASK),
    ("changed_when", Want::Condition, TASK),
    ("listen", Want::Texts, HANDLER),
    ("role", Want::Any, ROLE),
    ("loop_var", Want::Text, LOOP),
    ("index_var", Want::Text, LOOP),
    ("label", Want::Any, LOOP),
    ("pause", Want::Number, LOOP),
    ("extended", Want::Bool, LOOP),
    ("extended_allitems", Want::Bool, LOOP),
    ("break_when", Want::Condition, LOOP),
];

/// Returns what the keyword `name` takes in `place`; `None` if it may not stand there.
pub(super) fn want(name: &str, place: Place) -> Option<Want> {
    TABLE.iter().find(|(known, _, on)| *known == name && on & place.groups() != 0).map(|(_, want, _)| *want)
}

/// Returns the keywords that may stand in `place`.
pub(super) fn known(place: Place) -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(move |(_, _, on)| on & place.groups() != 0).map(|(name, ..)| *name)
}

impl Want {
    /// Returns what `value` should have been, if it is plainly something else. A template can become anything.
    pub(super) fn refuses(self, value: &Value) -> Option<&'static str> {
        if is_template(value) {
            return None;
        }
        let scalar = !matches!(value.kind, Kind::List(_) | Kind::Map(_));
        let (fits, wanted) = match self {
            Self::Bool => (bool::convert(value).is_ok(), "a boolean"),
            Self::Int => (i64::convert(value).is_ok(), "a whole number"),
            Self::Number => (number(value), "a number"),
            Self::Text => (scalar, "text"),
            Self::Method => {
                (value.as_str().is_some_and(|name| Method::named(name).is_some()), "sudo, su or doas")
            }
            Self::Texts => (texts(value), "text or a list of texts"),
            Self::Condition => (condition(value), "a condition or a list of conditions"),
            Self::Any | Self::Unsupported => (true, ""),
        };
        (!fits).then_some(wanted)
    }
}

fn number(value: &Value) -> bool {
    match &value.kind {
        Kind::Int(_) | Kind::Float(_) => true,
        Kind::Text(text) => text.trim().trim_end_matches('%').parse::<f64>().is_ok(),
        _ => false,
    }
}

fn texts(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => items.iter().all(texts),
        Kind::Map(_) => false,
        _ => true,
    }
}

fn condition(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => items.iter().all(|item| !matches!(item.kind, Kind::Map(_)) && condition(item)),
        Kind::Map(_) => false,
        _ => true,
    }
}

impl Keywords {
    /// Returns these keywords as they are within `outer`: conditions and the like after the outer ones, of all others the
    /// nearest wins.
    #[must_use]
    pub(super) fn within(self, outer: &Self) -> Self {
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

    /// Sets the keyword `name`; returns whether it is one that is handed down.
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

/// Returns the items of a list, or the one value that it is.
pub(super) fn list(value: Value) -> Vec<Value> {
    match value.kind {
        Kind::List(items) => items.iter().cloned().collect(),
        _ => vec![value],
    }
}

/// Returns the tags of `tags:`: a list, or text with commas between them.
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
    fn keywords_stand_only_where_they_may() {
        for (name, place, expected) in [
            ("when", Place::Play, None),
            ("when", Place::Block, Some(Want::Condition)),
            ("notify", Place::Role, None),
            ("notify", Place::Block, Some(Want::Texts)),
            ("listen", Place::Task, None),
            ("listen", Place::Handler, Some(Want::Texts)),
            ("loop", Place::Block, None),
            ("hosts", Place::Task, None),
            ("become", Place::LoopControl, None),
        ] {
            assert_eq!(want(name, place), expected, "{name} of {}", place.name());
        }
    }

    #[test]
    fn the_nearest_wins_but_lists_add_up() {
        let mut outer = Keywords::default();
        let mut inner = Keywords::default();
        for (name, value) in [("when", "a"), ("become", "yes"), ("become_user", "app"), ("tags", "x, y")] {
            assert!(outer.set(name, value.into()));
        }
        for (name, value) in [("when", "b"), ("become_user", "db"), ("tags", "y,z")] {
            assert!(inner.set(name, value.into()));
        }
        let merged = inner.within(&outer);
        assert_eq!(merged.when, ["a".into(), "b".into()]);
        assert_eq!(merged.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["x", "y", "z"]);
        assert_eq!(merged.become_user, Some("db".into()));
        assert_eq!(merged.r#become, Some("yes".into()));
        assert!(!outer.set("loop", "x".into()));
    }

    #[test]
    fn plain_mistakes_in_types_are_seen_and_templates_are_not_judged() {
        for (want, value, expected) in [
            (Want::Bool, Value::from("maybe"), Some("a boolean")),
            (Want::Bool, Value::from("yes"), None),
            (Want::Bool, Value::from("{{ x }}"), None),
            (Want::Int, Value::from("1o"), Some("a whole number")),
            (Want::Number, Value::from("30%"), None),
            (Want::Text, Value::from(vec![Value::null()]), Some("text")),
            (
                Want::Texts,
                Value::from(vec![Value::from(convoy_protocol::map! {})]),
                Some("text or a list of texts"),
            ),
            (
                Want::Condition,
                Value::from(convoy_protocol::map! {}),
                Some("a condition or a list of conditions"),
            ),
        ] {
            assert_eq!(want.refuses(&value), expected, "{want:?} {value:?}");
        }
    }
}
