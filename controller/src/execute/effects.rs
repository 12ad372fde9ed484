//! The effects of a call on the run: variables, facts, notifications.

use std::sync::Arc;

use convoy_protocol::{Kind, Map, Value};

use super::call::CallOutcome;
use super::task_run::TaskRun;
use crate::actions::VariableLevel;
use crate::events::Verdict;
use crate::playbook::ast::Action;
use crate::prepare::names::names_are_known;
use crate::prepare::{Call, View};
use crate::state::batch::Notification;
use crate::state::pending;
use crate::template::unknown;

/// What a call leaves behind at the controller.
#[derive(Debug, Default)]
pub struct Effects {
    /// Variables of `set_fact` and `include_vars`, and where they are stored.
    pub variables: Option<(Map, VariableLevel)>,
    /// Facts that a module reported.
    pub facts: Option<Map>,
    /// The host that facts go to, if that is another.
    pub facts_host: Option<Arc<str>>,
    /// What is collected for the end of the run.
    pub stats: Option<Map>,
    /// What is notified, if the task changed something.
    pub notify: Vec<Notification>,
    /// Check mode: why further variables may be set in earnest.
    pub unknown_rest: Option<Arc<str>>,
}

impl TaskRun<'_> {
    /// Returns what a call leaves behind.
    pub(super) fn effects(&self, call: &Call, result: &CallOutcome) -> Effects {
        let well = matches!(result.verdict, Verdict::Ok | Verdict::Changed);
        let facts = result.values.get("ansible_facts").and_then(Value::as_map);
        let mut effects = Effects {
            variables: result.variables.clone().filter(|_| well),
            facts: facts.filter(|_| well && result.variables.is_none()).cloned(),
            facts_host: call.keywords.delegate.clone().filter(|_| call.keywords.delegate_facts),
            stats: result.values.get("ansible_stats").and_then(Value::as_map).filter(|_| well).cloned(),
            notify: self.notices(call, result),
            unknown_rest: None,
        };
        if result.verdict == Verdict::Unknown {
            self.set_unknown(&mut effects);
        }
        effects
    }

    /// Notes the variables that an action may set in earnest.
    fn set_unknown(&self, effects: &mut Effects) {
        let why = pending::set_by(&self.title);
        let action = match self.task().action {
            Action::Controller(action) => action,
            Action::Named(_) => {
                effects.unknown_rest = Some(why);
                return;
            }
            _ => return,
        };
        let unknown = Value::from(Kind::Unknown(why.clone()));
        match self.task().args.as_map() {
            Some(args) if names_are_known(self.task()) && action.any_argument => {
                let names = args.keys().map(|name| (name.clone(), unknown.clone()));
                effects.variables = Some((names.collect(), VariableLevel::SetFact));
            }
            _ if action.any_argument || action.sets_unknown_names => effects.unknown_rest = Some(why),
            _ => {}
        }
    }

    /// Returns which handlers a call notifies, or may notify.
    fn notices(&self, call: &Call, result: &CallOutcome) -> Vec<Notification> {
        let task = self.task();
        let uncertain = match result.verdict {
            Verdict::Changed => None,
            Verdict::Unknown | Verdict::Skipped if unknown::rest(&result.values).is_some() => {
                let changed = task.changed_when.as_ref();
                let never = changed.is_some_and(|when| matches!(self.view(call).condition(when), Ok(false)));
                if never {
                    return Vec::new();
                }
                Some(pending::notified_by(&self.title))
            }
            _ => return Vec::new(),
        };
        let scope = result.scope(task, call);
        let view = View { scope: &scope, ..self.view(call) };
        let named = task.notify.iter().filter_map(|name| view.render(name).ok());
        named
            .flat_map(|value| names(&value))
            .map(|name| Notification { name, uncertain: uncertain.clone() })
            .collect()
    }
}

fn names(value: &Value) -> Vec<Arc<str>> {
    match value.as_list() {
        Some(list) => list.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        None => value.as_str().map(Arc::from).into_iter().collect(),
    }
}
