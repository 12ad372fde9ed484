//! The outcome of one call: what an agent or action answered, as the playbook sees and registers it.

use std::sync::Arc;

use convoy_protocol::message::Order;
use convoy_protocol::{Diff, Key, Map, Outcome, Status, Taint, Value, map};

use super::redaction::OrderSecrets;
use crate::actions::{self, VariableLevel};
use crate::events::Verdict;
use crate::playbook::ast::{Action, Task};
use crate::prepare::keywords::CallKeywords;
use crate::prepare::{Call, View};
use crate::secrets::{Secrets, Vault};
use crate::services::host_error::HostError;
use crate::template::{Error, Kind as ErrorKind, unknown};

/// The message for a step that was started, and whose outcome is unknown.
pub const OUTCOME_UNKNOWN: &str = "this step was interrupted on the node; its outcome is unknown, so convoy does not repeat \
    it. Look at the node; then `convoy resume --in-doubt=again` runs it again, and `convoy resume --in-doubt=done` continues \
    after it";

/// The result of one call.
#[derive(Debug, Clone)]
pub struct CallOutcome {
    /// The values that are registered and shown.
    pub values: Map,
    /// Values that are secret, in words that can be shown.
    pub said: Map,
    /// What was, or would be, different.
    pub diff: Vec<Diff>,
    /// In one word.
    pub verdict: Verdict,
    /// Whether a node was, or may have been, changed, or the call waited: what was looked at ahead counts no more.
    pub invalidates: bool,
    /// Variables to be stored for the host, and where.
    pub variables: Option<(Map, VariableLevel)>,
    /// Whether it is shown in full at any verbosity.
    pub show: bool,
    /// What the module was asked, where that is shown; never registered.
    pub invocation: Option<Value>,
    /// What the journal is to know of it.
    pub record: Option<CallRecord>,
}

/// What the journal is to know of a call.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Its ticket, until its outcome is recorded.
    pub ticket: Option<u64>,
    /// Its ticket, once it is.
    pub recorded: Option<u64>,
    /// What the agent said.
    pub status: Status,
    /// The values that came with it.
    pub values: Map,
    /// Whether it may change something.
    pub writes: bool,
    /// Whether it was done before the run was resumed.
    pub before: bool,
}

impl CallOutcome {
    /// Returns what the next item of a loop sees of this one. Calls of modules are made before the first is done, so
    /// only actions can see it.
    pub fn set_for_the_next(&self, task: &Task) -> Map {
        if !matches!(task.action, Action::Controller(_)) {
            return Map::new();
        }
        let mut set = self.variables.as_ref().map(|(set, _)| set.clone()).unwrap_or_default();
        if let Some(name) = &task.register {
            set.insert(name.as_ref().into(), self.values.clone().into());
        }
        set
    }

    /// A call that was not done.
    pub fn skipped(condition: Value) -> Self {
        Self::plain(
            map! {
                "changed" => false,
                "skipped" => true,
                "skip_reason" => "Conditional result was False",
                "false_condition" => condition,
            },
            Verdict::Skipped,
        )
    }

    /// A call that could not be made ready.
    pub fn failed(msg: &str) -> Self {
        Self::plain(map! { "failed" => true, "msg" => msg, "changed" => false }, Verdict::Failed)
    }

    /// A call that could not be made ready, with a message that may be secret.
    pub fn unprepared(msg: &Value, vault: &Vault) -> Self {
        let values = map! { "failed" => true, "msg" => msg.clone(), "changed" => false };
        let said = if msg.taint.is_secret() {
            map! { "msg" => vault.known().scrubbed(msg) }
        } else {
            Map::new()
        };
        Self { said, ..Self::plain(values, Verdict::Failed) }
    }

    /// A host that could not be reached.
    pub fn unreachable(msg: String) -> Self {
        let values = map! { "unreachable" => true, "msg" => msg, "changed" => false };
        Self { invalidates: true, ..Self::plain(values, Verdict::Unreachable) }
    }

    /// A host on which the run may not work: whatever the playbook makes of failures.
    pub fn lost(lost: HostError) -> Self {
        match lost {
            HostError::Unreachable(msg) | HostError::Disconnected(msg) => Self::unreachable(msg),
            HostError::Refused(msg) => {
                let values = map! { "refused" => true, "msg" => msg, "changed" => false };
                Self { invalidates: true, ..Self::plain(values, Verdict::Refused) }
            }
        }
    }

    /// Check mode: a call of which only the run itself can tell what becomes of it.
    pub fn unknown(why: &Arc<str>) -> Self {
        let mut values = map! { "msg" => format!("decided at run time: {why}") };
        unknown::set_rest(&mut values, why);
        Self::plain(values, Verdict::Unknown)
    }

    /// Makes a result one that is unknown, where what was answered now may be answered otherwise in earnest.
    #[must_use]
    pub fn uncertain(self, why: &Arc<str>) -> Self {
        let mut doubtful = Self::unknown(why);
        if let (Verdict::Failed, Some(msg)) = (self.verdict, self.values.get("msg")) {
            let text =
                format!("decided at run time: {why}; as things are: {}", crate::text::python::str(msg));
            let msg = Value::from(text).tainted(Taint::UNSAFE | msg.taint);
            doubtful.values.insert("msg".into(), msg);
        }
        Self { diff: self.diff, invalidates: self.invalidates, ..doubtful }
    }

    /// Makes unknown all that a call would have answered which check mode left out.
    pub fn left_out(&mut self, why: &Arc<str>) {
        let known = ["skipped", "msg", "cmd", "warnings", "detached"];
        self.values.retain(|key, _| key.as_str().is_some_and(|name| known.contains(&name)));
        unknown::set_rest(&mut self.values, why);
    }

    /// A result is data, whatever it quotes; variables that an action of the controller sets are not.
    fn plain(values: Map, verdict: Verdict) -> Self {
        let values = values.into_iter().map(|(key, value)| (key, value.tainted(Taint::UNSAFE))).collect();
        let (diff, said) = Default::default();
        Self {
            values,
            said,
            diff,
            verdict,
            invalidates: false,
            variables: None,
            show: false,
            invocation: None,
            record: None,
        }
    }

    /// What a node answered. What came of secrets is secret too.
    pub fn of_outcome(outcome: Outcome, order: &Order, keywords: &CallKeywords, vault: &Vault) -> Self {
        let Outcome { status, mut values, mut diff, .. } = outcome;
        let given = OrderSecrets::of(order, keywords, vault);
        let status = if status == Status::Interrupted {
            values = map! { "msg" => OUTCOME_UNKNOWN };
            Status::Failed
        } else {
            status
        };
        // A failure's message may quote anything.
        let is_marked = status != Status::Failed && marks_secrets(&order.module);
        let hide = |diff: &Diff| {
            if is_marked { given.scrubbed(diff) } else { super::redaction::difference(diff) }
        };
        if given.secret {
            diff.iter_mut().for_each(|diff| *diff = hide(diff));
        }
        let changed = match status {
            // A command that failed has run.
            Status::Failed => values.get("changed").and_then(Value::as_bool).unwrap_or(false),
            status => matches!(status, Status::Changed | Status::WouldChange),
        };
        values.insert("changed".into(), changed.into());
        if status == Status::Unknown {
            values.insert("skipped".into(), true.into());
        }
        if keywords.diff && !diff.is_empty() {
            values.insert("diff".into(), diff_value(&diff));
        }
        let said = if is_marked { Map::new() } else { given.said(&values) };
        for (key, value) in &mut values {
            let told = std::mem::take(value);
            let is_secret = !given.tells(key, &told) && (!is_marked || is_digest(key));
            let told = if is_marked { given.marked(told) } else { told };
            let taint = if is_secret { Taint::UNSAFE | Taint::SECRET } else { Taint::UNSAFE };
            *value = told.tainted(taint);
        }
        values.insert("failed".into(), (status == Status::Failed).into());
        let verdict = verdict(&values);
        let invalidates = status != Status::Same && !order.check;
        Self {
            values,
            said,
            diff,
            verdict,
            invalidates,
            variables: None,
            show: false,
            invocation: None,
            record: None,
        }
    }

    /// Returns whether it was done before the run was resumed.
    pub fn is_of_before(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.before)
    }

    /// Returns its ticket, if the journal has its outcome.
    pub fn recorded_ticket(&self) -> Option<u64> {
        self.record.as_ref().and_then(|record| record.recorded)
    }

    /// Returns the values as they are shown.
    pub fn shown(&self) -> Map {
        let mut shown = self.values.clone();
        shown.extend(self.said.iter().map(|(key, value)| (key.clone(), value.clone())));
        shown.extend(self.invocation.iter().map(|asked| ("invocation".into(), asked.clone())));
        shown
    }

    /// What an action of the controller answered to these arguments.
    pub fn of_action(
        answer: Result<actions::ActionOutcome, convoy_agent::failure::Failure>,
        args: &Map,
        vault: &Vault,
    ) -> Self {
        match answer {
            Err(failure) => {
                if let Some(why) = unknown::rest(&failure.values) {
                    return Self::unknown(why);
                }
                let mut values = failure.values;
                if !values.contains_key("msg") {
                    values.insert("msg".into(), failure.msg.into());
                }
                // What it says may quote what it was given.
                let mut said = Map::new();
                if args.values().any(|value| value.deep_taint().is_secret()) {
                    let mut secrets = Secrets::of(args.values());
                    secrets.join(&vault.known());
                    said.extend(values.iter().map(|(key, value)| (key.clone(), secrets.scrubbed(value))));
                    values
                        .values_mut()
                        .for_each(|value| *value = std::mem::take(value).tainted(Taint::SECRET));
                }
                values.extend(map! { "failed" => true, "changed" => false });
                Self { said, ..Self::plain(values, Verdict::Failed) }
            }
            Ok(done) => {
                let mut values = done.values;
                values.insert("changed".into(), done.changed.into());
                if let Some(reason) = done.skipped {
                    values.extend(map! { "skipped" => true, "skipped_reason" => reason });
                }
                values.insert("failed".into(), done.failed.into());
                let verdict = verdict(&values);
                if done.variables.is_empty() {
                    return Self { show: done.show, ..Self::plain(values, verdict) };
                }
                let variables = Some((done.variables, done.level));
                Self { values, show: done.show, variables, ..Self::plain(Map::new(), verdict) }
            }
        }
    }

    /// Applies `changed_when` and `failed_when`.
    pub fn judge(&mut self, view: View<'_>, call: &Call) {
        if self.verdict.is_final() {
            return;
        }
        let task = view.task;
        for (name, condition) in [("changed", &task.changed_when), ("failed", &task.failed_when)] {
            let Some(condition) = condition else { continue };
            match self.condition(view, call, condition) {
                Ok(holds) => {
                    self.values.insert(name.into(), holds.into());
                    if name == "failed" {
                        self.values.insert("failed_when_result".into(), holds.into());
                    }
                }
                Err(error) if error.kind == ErrorKind::Unknown => {
                    *self = std::mem::replace(self, Self::skipped(Value::null()))
                        .uncertain(&error.message.into());
                    return;
                }
                Err(error) => {
                    self.values.insert("failed".into(), true.into());
                    let error = Value::from(error.to_string()).tainted(Taint::UNSAFE);
                    self.values.insert(format!("{name}_when_result").into(), error);
                }
            }
        }
        self.verdict = verdict(&self.values);
    }

    /// Decides a condition that may look at this result under its registered name.
    ///
    /// # Errors
    /// If the condition cannot be decided.
    pub fn condition(&self, view: View<'_>, call: &Call, condition: &Value) -> Result<bool, Error> {
        let scope = self.scope(view.task, call);
        View { scope: &scope, ..view }.condition(condition)
    }

    /// Returns what the call's task sees after the call.
    pub fn scope(&self, task: &Task, call: &Call) -> crate::vars::TaskScope {
        let mut more: Vec<(Key, Value)> = Vec::new();
        if let Some((variables, _)) = &self.variables {
            more.extend(variables.iter().map(|(key, value)| (key.clone(), value.clone())));
        } else if let Some(facts) = self.values.get("ansible_facts").and_then(Value::as_map) {
            more.extend(facts.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        if let Some(name) = &task.register {
            more.push((name.clone().into(), self.values.clone().into()));
        }
        call.scope.with(more)
    }
}

/// Returns whether a value tells of a whole file whether a guess at its secret is right.
fn is_digest(key: &Key) -> bool {
    matches!(key.as_str(), Some("checksum" | "md5sum"))
}

/// Returns whether a module marks what is secret in its answer, so that the rest can be shown.
fn marks_secrets(module: &str) -> bool {
    convoy_agent::modules::find(module).is_some_and(|module| module.spec.marks_secrets)
}

/// Reads the verdict off the values, as Ansible's callbacks do.
pub fn verdict(values: &Map) -> Verdict {
    let is = |name: &str| values.get(name).and_then(Value::as_bool) == Some(true);
    if is("unreachable") {
        Verdict::Unreachable
    } else if is("failed") {
        Verdict::Failed
    } else if is("skipped") {
        Verdict::Skipped
    } else if is("changed") {
        Verdict::Changed
    } else if unknown::rest(values).is_some() {
        Verdict::Unknown
    } else {
        Verdict::Ok
    }
}

/// Collects the results of a loop's items under `results`.
pub fn collect(items: Vec<Map>) -> Map {
    let is = |item: &Map, name: &str| item.get(name).and_then(Value::as_bool) == Some(true);
    let any = |name: &str| items.iter().any(|item| is(item, name));
    let (changed, failed, unreachable) = (any("changed"), any("failed"), any("unreachable"));
    let skipped = items.iter().all(|item| is(item, "skipped"));
    let msg = match (failed, skipped) {
        (true, _) => "One or more items failed",
        (_, true) => "All items skipped",
        _ => "All items completed",
    };
    let open = items.iter().find_map(unknown::rest).cloned();
    let results: Value = items.into_iter().map(Value::from).collect();
    let mut values = map! { "results" => results, "skipped" => skipped, "msg" => msg, "changed" => changed };
    if failed {
        values.insert("failed".into(), true.into());
    }
    if unreachable {
        values.insert("unreachable".into(), true.into());
    }
    if let Some(why) = open {
        // Of what is so as soon as one item is so, only that it is so can be known.
        values.retain(|key, value| match key.as_str() {
            Some("changed" | "failed") => value.as_bool() == Some(true),
            _ => true,
        });
        unknown::set_rest(&mut values, &why);
    }
    values
}

/// The differences as a playbook can look at them, in Ansible's form.
fn diff_value(diff: &[Diff]) -> Value {
    let value = |diff: &Diff| match diff {
        Diff::Prepared(text) => Value::from(map! { "prepared" => text.clone() }),
        Diff::Text { before, after } => map! {
            "before" => before.text.clone(),
            "after" => after.text.clone(),
            "before_header" => before.header.clone(),
            "after_header" => after.header.clone(),
        }
        .into(),
    };
    match diff {
        [one] => value(one),
        several => several.iter().map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_data_but_variables_are_not() {
        let is_unsafe = |result: &CallOutcome, name: &str| result.values[name].taint.is_unsafe();
        let failed = CallOutcome::failed("{{ x }} is undefined");
        let action = CallOutcome::of_action(
            Ok(actions::ActionOutcome {
                values: map! { "ansible_facts" => "{{ x }}" },
                variables: map! { "y" => "{{ x }}" },
                ..actions::ActionOutcome::default()
            }),
            &Map::new(),
            &Vault::default(),
        );
        assert!(is_unsafe(&failed, "msg") && !is_unsafe(&action, "ansible_facts"));
        let shown = actions::ActionOutcome {
            values: map! { "msg" => "{{ x }}" },
            ..actions::ActionOutcome::default()
        };
        assert!(is_unsafe(&CallOutcome::of_action(Ok(shown), &Map::new(), &Vault::default()), "msg"));
        let refused = convoy_agent::failure::Failure::new("{{ x }}");
        assert!(is_unsafe(&CallOutcome::of_action(Err(refused), &Map::new(), &Vault::default()), "msg"));
    }
}
