//! Shows what is taken back, as outcomes of tasks are shown.

use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use super::looked::Item;
use crate::events::{HostName, RunEvent, TaskKind, TaskResult, Verdict};
use crate::execute::call::CallOutcome;
use crate::schedule::Scheduler;
use crate::services::host_error::HostError;

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

/// Shows the heading of a part.
pub(super) fn play(scheduler: &mut Scheduler, name: String) {
    let check = scheduler.services.options.check;
    scheduler.emit(RunEvent::PlayStart { name: name.into(), check });
}

/// Shows the heading of a task.
pub(super) fn task(scheduler: &mut Scheduler, name: &str) {
    let check = scheduler.services.options.check;
    scheduler.emit(RunEvent::TaskStart { kind: TaskKind::Task, name: name.into(), path: "".into(), check });
}

fn result(host: &Arc<str>, verdict: Verdict, values: Map, label: Option<Value>, looped: bool) -> TaskResult {
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
pub(super) fn ok(scheduler: &mut Scheduler, host: &Arc<str>) {
    let values = map! { "changed" => false };
    scheduler.emit(RunEvent::Result(result(host, Verdict::Ok, values, None, false)));
    scheduler.count(host, |stats| stats.ok += 1);
}

/// A host is not, or what was to be done could not be.
pub(super) fn failed(scheduler: &mut Scheduler, host: &Arc<str>, mut values: Map) {
    values.insert("changed".into(), false.into());
    scheduler.emit(RunEvent::Result(result(host, Verdict::Failed, values, None, false)));
    scheduler.count(host, |stats| stats.failed += 1);
}

/// A host cannot be reached, or the run may not work there.
pub(super) fn lost(scheduler: &mut Scheduler, host: &Arc<str>, lost: HostError) {
    let CallOutcome { verdict, values, .. } = CallOutcome::lost(lost);
    scheduler.emit(RunEvent::Result(result(host, verdict, values, None, false)));
    scheduler.count(host, |stats| match verdict {
        Verdict::Refused => stats.refused += 1,
        _ => stats.unreachable += 1,
    });
    scheduler.world.progress.lost.insert(host.clone());
}

/// These were taken back.
pub(super) fn items(scheduler: &mut Scheduler, host: &Arc<str>, items: &[Item]) {
    for item in items {
        let label = Some(label(item).into());
        scheduler.emit(RunEvent::Item(result(host, Verdict::Changed, values(item), label, false)));
    }
}

/// All was.
pub(super) fn changed(scheduler: &mut Scheduler, host: &Arc<str>, items: &[Item]) {
    if items.is_empty() {
        return;
    }
    let results: Vec<Value> = items.iter().map(|item| values(item).into()).collect();
    let values = map! { "changed" => true, "msg" => "All items completed", "results" => results };
    scheduler.emit(RunEvent::Result(result(host, Verdict::Changed, values, None, true)));
    scheduler.count(host, |stats| {
        stats.ok += 1;
        stats.changed += 1;
    });
}
