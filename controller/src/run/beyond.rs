//! Check mode: what `convoy undo` could not take back, for `-v`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use convoy_agent::modules;

use super::engine::Engine;
use super::event::{RunEvent, Verdict};
use super::job::{Call, What};
use super::result::CallResult;

/// Tasks and reasons, each with the hosts on which it would be so.
pub type Beyond = BTreeMap<(Arc<str>, &'static str), BTreeSet<Arc<str>>>;

/// Notes a call that would do what cannot be undone.
pub(super) fn note(engine: &Engine, host: &Arc<str>, task: &Arc<str>, call: &Call, result: &CallResult) {
    let would = matches!(result.verdict, Verdict::Changed | Verdict::Unknown | Verdict::Skipped);
    let What::Order(order, _) = &call.what else { return };
    let Some(module) = modules::find(&order.module).filter(|_| call.flags.check && would) else { return };
    let is_secret = || order.args.values().any(|value| value.deep_taint().is_secret());
    let why = module.undo.why_not(&order.args).or_else(|| {
        let writes = module.reach.writes(&order.args);
        (writes && is_secret()).then_some("it has a secret, and what it replaces is not kept")
    });
    if let Some(why) = why {
        engine.beyond.borrow_mut().entry((task.clone(), why)).or_default().insert(host.clone());
    }
}

/// Tells what was noted.
pub(super) fn tell(engine: &Engine) {
    for ((task, why), hosts) in engine.beyond.take() {
        let hosts = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = format!("cannot be undone: \"{task}\" on {hosts}: {why}");
        engine.tell(RunEvent::Verbose { level: 1, host: None, text });
    }
}
