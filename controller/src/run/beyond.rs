//! Check mode: what `convoy undo` could not take back, or only by the tasks of a block's `undo:`, for `-v`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use convoy_agent::modules;

use super::engine::Engine;
use super::event::{RunEvent, Verdict};
use super::job::{Call, What};
use super::perform::Doing;
use super::result::CallResult;
use super::within::Within;

/// What could not be taken back, each with the hosts on which it would be so.
pub type Beyond = BTreeMap<Work, BTreeSet<Arc<str>>>;

/// Work of a task.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work {
    /// The block that undoes it.
    block: Option<Arc<str>>,
    task: Arc<str>,
    why: &'static str,
}

/// Notes a call that would do what cannot be undone.
pub(super) fn note(doing: &Doing<'_>, call: &Call, result: &CallResult) {
    let would = matches!(result.verdict, Verdict::Changed | Verdict::Unknown | Verdict::Skipped);
    let What::Order(order, _) = &call.what else { return };
    let Some(module) = modules::find(&order.module).filter(|_| call.flags.check && would) else { return };
    let is_secret = || order.args.values().any(|value| value.deep_taint().is_secret());
    let why = module.behavior.reversibility.why_irreversible(&order.args).or_else(|| {
        let writes = module.behavior.access.writes(&order.args);
        (writes && is_secret()).then_some("it has a secret, and what it replaces is not kept")
    });
    if let Some(why) = why {
        let title = |within: &Rc<Within>| within.title(doing.engine, doing.host, &doing.placed());
        let work = Work { block: doing.within.last().map(title), task: doing.title.clone(), why };
        doing.engine.beyond.borrow_mut().entry(work).or_default().insert(doing.host.clone());
    }
}

/// Tells what was noted.
pub(super) fn tell(engine: &Engine) {
    for (Work { block, task, why }, hosts) in engine.beyond.take() {
        let hosts = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let how = match block {
            None => "cannot be undone".to_owned(),
            Some(block) => format!("undone with block \"{block}\""),
        };
        let text = format!("{how}: \"{task}\" on {hosts}: {why}");
        engine.tell(RunEvent::Verbose { level: 1, host: None, text });
    }
}
