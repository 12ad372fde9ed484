//! Check mode: which calls would do work that `convoy undo` cannot take back by files alone.

use std::rc::Rc;
use std::sync::Arc;

use convoy_agent::modules;

use super::call::CallOutcome;
use super::task_run::TaskRun;
use crate::events::Verdict;
use crate::prepare::{Call, CallKind};
use crate::state::irreversible::Work;
use crate::state::request::Request;
use crate::state::undo_blocks::OpenUndoBlock;

/// Records a call that would do what cannot be undone.
pub(super) fn record_irreversible(run: &TaskRun<'_>, call: &Call, result: &CallOutcome) {
    let would = matches!(result.verdict, Verdict::Changed | Verdict::Unknown | Verdict::Skipped);
    let CallKind::Order(order, _) = &call.kind else { return };
    let Some(module) = modules::find(&order.module).filter(|_| call.keywords.check && would) else { return };
    let is_secret = || order.args.values().any(|value| value.deep_taint().is_secret());
    let why = module.behavior.reversibility.why_irreversible(&order.args).or_else(|| {
        let writes = module.behavior.access.writes(&order.args);
        (writes && is_secret()).then_some("it has a secret, and what it replaces is not kept")
    });
    if let Some(why) = why {
        let block = run.undo_blocks.last().map(|block| title(run, block));
        let work = Work { block, task: run.title.clone(), why };
        run.executor.requests.send(Request::Irreversible(work, run.host.clone()));
    }
}

/// Returns the name of a block as it is for this task.
fn title(run: &TaskRun<'_>, block: &Rc<OpenUndoBlock>) -> Arc<str> {
    let (snapshot, templar) = (&run.executor.snapshot, &run.executor.services.templar);
    block.title(snapshot, templar, run.host, run.task_ref.placed())
}
