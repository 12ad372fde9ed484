//! Look-ahead: the tasks that follow are sent along with a task, to be checked and not to be applied.
//!
//! An answer from ahead is used only if nothing happened on any host since it was given; only if the task asks for exactly what was
//! checked when its turn comes; and only if both are so on every host that executes the task, since one host may see what another
//! does. So look-ahead can only ever save a *same*. `window.rs` says how far it goes and which tasks may be passed;
//! `docs/architecture.md` has a picture.

use convoy_protocol::message::Step;
use convoy_protocol::{Key, Outcome};

use super::Scheduler;
use super::batch::Batch;
use super::window::can_be_passed;
use crate::playbook::ast::{Action, Meta, Task};
use crate::prepare::{CallKind, PreparedTask, prepare};
use crate::services::endpoint::Endpoint;
use crate::state::cursor::Cursor;
use crate::state::prefetched::{Lookahead, Prefetched};
use crate::state::section::{Item, TaskRef};
use crate::template::{Error, Kind as ErrorKind};
use crate::vars::scope::Pending;

/// Returns whether the task was checked ahead, or needs no node at all.
fn is_prefetched(prefetched: &[Prefetched], task: &TaskRef, prepared: &PreparedTask) -> bool {
    match prepared.step() {
        Some((endpoint, step)) => prefetched.iter().any(|known| matches(known, task, &endpoint, &step)),
        None => prepared.calls().iter().all(|call| !matches!(call.kind, CallKind::Order(..))),
    }
}

fn matches(known: &Prefetched, task: &TaskRef, endpoint: &Endpoint, step: &Step) -> bool {
    known.task.same(task) && *known.endpoint == *endpoint && known.step == *step
}

/// Takes what was answered when the task was checked ahead.
pub(super) fn take(
    prefetched: &mut Vec<Prefetched>,
    task: &TaskRef,
    prepared: &PreparedTask,
) -> Option<Vec<Outcome>> {
    let (endpoint, step) = prepared.step()?;
    let at = prefetched.iter().position(|known| matches(known, task, &endpoint, &step))?;
    Some(prefetched.remove(at).outcomes)
}

impl Scheduler {
    /// Returns whether the task was checked ahead on all hosts of the group, and else for each of them what is to be checked along
    /// with it.
    pub(super) fn look_ahead(
        &self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
        prepared: &[(usize, PreparedTask)],
    ) -> (bool, Vec<Vec<Lookahead>>) {
        let is_hit = |(index, prepared): &(usize, PreparedTask)| {
            is_prefetched(&batch.hosts[*index].prefetched, task, prepared)
        };
        let hit = prepared.iter().all(is_hit);
        let width = if hit { 0 } else { batch.ahead.width(&task.task) };
        let of_host = |(index, prepared): &(usize, PreparedTask)| {
            let asks = width > 0 && prepared.step().is_some();
            if asks { self.window(batch, task, *index, group, width) } else { Vec::new() }
        };
        (hit, prepared.iter().map(of_host).collect())
    }

    /// Returns up to `width` tasks of a host of the group that are to be checked along with `first`.
    fn window(
        &self,
        batch: &Batch,
        first: &TaskRef,
        index: usize,
        group: &[usize],
        width: usize,
    ) -> Vec<Lookahead> {
        let selected = self.selected();
        let mut cursor: Cursor = batch.hosts[index].cursor.clone();
        let mut pending = Pending::default();
        let mut found = Vec::new();
        will_set(&first.task, &mut pending);
        while found.len() < width {
            cursor.advance(&selected);
            let task = match cursor.current() {
                Some(Item::Task(task)) => task.clone(),
                // Nothing is notified as long as everything is in the requested state.
                Some(Item::Flush { .. }) if batch.hosts[index].notified.is_empty() => continue,
                _ => break,
            };
            if does_nothing(batch, &task.task, index) {
                continue;
            }
            if !can_be_passed(&task.task) {
                break;
            }
            // A task that runs once is checked where it will run, as far as can be told now.
            let elsewhere = task.task.keywords.run_once.is_some() && group.first() != Some(&index);
            if !elsewhere {
                match self.prepare_ahead(batch, &task, index, &pending) {
                    Ok(prepared) if cannot_be_prepared(&prepared) => break,
                    Ok(prepared) => found.extend(not_prefetched(batch, task.clone(), index, &prepared)),
                    // It is asked when its turn comes; if it is in the requested state then, what follows it was checked already.
                    Err(error) if error.kind == ErrorKind::NotYet => {}
                    Err(_) => break,
                }
            }
            will_set(&task.task, &mut pending);
        }
        found
    }

    fn prepare_ahead(
        &self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
        pending: &Pending,
    ) -> Result<PreparedTask, Error> {
        let mut seen = self.prepared(batch, task, index, false);
        seen.scope = seen.scope.with_pending(pending.clone());
        prepare(self.view(&task.task, &seen))
    }
}

fn cannot_be_prepared(prepared: &PreparedTask) -> bool {
    prepared.calls().iter().any(|call| matches!(call.kind, CallKind::Fail { .. }))
}

/// Returns whether it is known that a meta task will do nothing.
fn does_nothing(batch: &Batch, task: &Task, index: usize) -> bool {
    let nothing = match task.action {
        Action::Meta(Meta::Noop) => true,
        Action::Meta(Meta::FlushHandlers) => batch.hosts[index].notified.is_empty(),
        _ => false,
    };
    nothing && task.keywords.when.is_empty()
}

/// Returns what is to be asked to check a task; nothing if there is nothing to ask, or it was checked already.
fn not_prefetched(batch: &Batch, task: TaskRef, index: usize, prepared: &PreparedTask) -> Option<Lookahead> {
    let (endpoint, step) = prepared.step()?;
    let known = &batch.hosts[index].prefetched;
    let is_known = known.iter().any(|known| matches(known, &task, &endpoint, &step));
    (!is_known).then_some(Lookahead { task, step, endpoint })
}

/// Notes the names that a task will set.
fn will_set(task: &Task, pending: &mut Pending) {
    pending.names.extend(task.register.clone());
    match &task.action {
        Action::Controller(action) if action.any_argument => {
            let keys = task.args.as_map().into_iter().flat_map(|map| map.keys());
            pending.names.extend(keys.filter_map(Key::as_str).map(std::sync::Arc::from));
        }
        Action::Module(module) if module.behavior.gathers_facts => pending.facts = true,
        _ => {}
    }
}
