//! Telling what is taken back, as results of tasks are told.

use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use crate::events::{HostName, RunEvent, TaskKind, TaskResult, Verdict};
use crate::execute::call::CallResult;
use crate::schedule::engine::Engine;
use crate::services::host_error::Lost;
use crate::undo::looked::Item;

/// Tells what happens, and counts it.
pub(super) struct Teller<'e> {
    pub(super) engine: &'e Engine,
}

/// Returns the values of an item.
fn values(item: &Item) -> Map {
    map! { "changed" => true, "path" => item.path.as_str(), "what" => item.what.as_str(), "item" => label(item).as_str() }
}

/// Returns what is shown of an item.
fn label(item: &Item) -> String {
    let what = match (item.what.as_str(), item.within) {
        ("attributes", _) => ": mode and owner restored".to_owned(),
        (what, 0) => format!(": {what}"),
        (what, count) => format!(": {what}, with {count} below it"),
    };
    format!("{}{what}", item.path)
}

impl Teller<'_> {
    /// Tells the heading of a part.
    pub(super) fn play(&self, name: String) {
        self.engine.tell(RunEvent::PlayStart { name: name.into(), check: self.engine.options.check });
    }

    /// Tells the heading of a task.
    pub(super) fn task(&self, name: &str) {
        let check = self.engine.options.check;
        self.engine.tell(RunEvent::TaskStart {
            kind: TaskKind::Task,
            name: name.into(),
            path: "".into(),
            check,
        });
    }

    fn result(
        &self,
        host: &Arc<str>,
        verdict: Verdict,
        values: Map,
        label: Option<Value>,
        looped: bool,
    ) -> TaskResult {
        TaskResult {
            host: HostName::of(host),
            verdict,
            action: "undo".into(),
            values: Arc::new(values),
            diff: Vec::new(),
            label,
            looped,
            ignored: false,
            show: false,
            before: false,
            task: "".into(),
        }
    }

    /// A host is as the run left it.
    pub(super) fn ok(&self, host: &Arc<str>) {
        let values = map! { "changed" => false };
        self.engine.tell(RunEvent::Result(self.result(host, Verdict::Ok, values, None, false)));
        self.engine.count(host, |stats| stats.ok += 1);
    }

    /// A host is not, or what was to be done could not be.
    pub(super) fn failed(&self, host: &Arc<str>, mut values: Map) {
        values.insert("changed".into(), false.into());
        self.engine.tell(RunEvent::Result(self.result(host, Verdict::Failed, values, None, false)));
        self.engine.count(host, |stats| stats.failed += 1);
    }

    /// A host cannot be reached, or the run may not work there.
    pub(super) fn lost(&self, host: &Arc<str>, lost: Lost) {
        let CallResult { verdict, values, .. } = CallResult::lost(lost);
        self.engine.tell(RunEvent::Result(self.result(host, verdict, values, None, false)));
        self.engine.count(host, |stats| match verdict {
            Verdict::Refused => stats.refused += 1,
            _ => stats.unreachable += 1,
        });
        self.engine.lost.borrow_mut().insert(host.clone());
    }

    /// These were taken back.
    pub(super) fn items(&self, host: &Arc<str>, items: &[Item]) {
        for item in items {
            let label = Some(label(item).into());
            self.engine.tell(RunEvent::Item(self.result(host, Verdict::Changed, values(item), label, false)));
        }
    }

    /// All was.
    pub(super) fn changed(&self, host: &Arc<str>, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let results: Vec<Value> = items.iter().map(|item| values(item).into()).collect();
        let values = map! { "changed" => true, "msg" => "All items completed", "results" => results };
        self.engine.tell(RunEvent::Result(self.result(host, Verdict::Changed, values, None, true)));
        self.engine.count(host, |stats| {
            stats.ok += 1;
            stats.changed += 1;
        });
    }
}
