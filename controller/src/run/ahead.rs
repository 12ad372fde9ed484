//! Look-ahead: what follows a task is sent along with it, to be looked at and not to be done.
//!
//! What was seen is used only if nothing at all happened since it was looked at, on any host, and only if the task,
//! when its turn comes, asks for exactly what was looked at. So look-ahead can only ever spare a *same*.

use std::collections::VecDeque;
use std::sync::Arc;

use convoy_protocol::message::Step;
use convoy_protocol::{Key, Outcome};

use super::batch::{Batch, Placed};
use super::connect::Endpoint;
use super::cursor::{Cursor, Item, TaskRef};
use super::job::{self, Job, View};
use crate::playbook::ast::{Action, Task};
use crate::vars::magic::search_path;
use crate::vars::scope::Pending;

/// The most tasks in one window.
const WIDEST: usize = 256;

/// A task that was looked at ahead and found to be as asked.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The task.
    pub task: TaskRef,
    /// What was asked.
    pub step: Step,
    /// Of whom.
    pub endpoint: Arc<Endpoint>,
    /// What was answered: all *same*.
    pub outcomes: Vec<Outcome>,
}

/// A task to be looked at.
#[derive(Debug, Clone)]
pub struct Ahead {
    /// The task.
    pub task: TaskRef,
    /// What is asked.
    pub step: Step,
    /// Of whom.
    pub endpoint: Arc<Endpoint>,
}

/// How far is looked ahead: as far as possible at first, one task after a change, then twice as far each time.
#[derive(Debug)]
pub struct Lookahead {
    width: usize,
    enabled: bool,
}

impl Lookahead {
    /// Starts with the widest window.
    pub fn new(enabled: bool) -> Self {
        Self { width: WIDEST, enabled }
    }

    /// What was seen did not hold.
    pub fn broken(&mut self) {
        self.width = 1;
    }

    /// Returns how many tasks after the current one are looked at in the next window.
    fn take_width(&mut self) -> usize {
        if !self.enabled {
            return 0;
        }
        let width = self.width;
        self.width = (width * 2).min(WIDEST);
        width - 1
    }
}

/// Returns whether the job was seen already, or needs no node at all.
pub fn is_seen(seen: &VecDeque<Seen>, task: &TaskRef, job: &Job) -> bool {
    match job.step() {
        Some((endpoint, step)) => seen.iter().any(|seen| matches(seen, task, &endpoint, &step)),
        None => job.calls().iter().all(|call| !matches!(call.what, job::What::Order(..))),
    }
}

fn matches(seen: &Seen, task: &TaskRef, endpoint: &Endpoint, step: &Step) -> bool {
    seen.task.same(task) && *seen.endpoint == *endpoint && seen.step == *step
}

/// Takes what was seen of a job; what was seen before it is passed and gone.
pub fn take(seen: &mut VecDeque<Seen>, task: &TaskRef, job: &Job) -> Option<Vec<Outcome>> {
    let (endpoint, step) = job.step()?;
    let at = seen.iter().position(|seen| matches(seen, task, &endpoint, &step))?;
    let found = seen.drain(..=at).next_back();
    found.map(|seen| seen.outcomes)
}

impl Batch<'_> {
    /// Returns for each host of the group the tasks that are to be looked at along with `task`.
    pub fn look_ahead(&mut self, task: &TaskRef, group: &[usize]) -> Vec<Vec<Ahead>> {
        let width = self.ahead.take_width();
        if width == 0 || !plain(&task.task) {
            return Vec::new();
        }
        group.iter().map(|&index| self.ahead_of(task, index, width)).collect()
    }

    fn ahead_of(&self, first: &TaskRef, index: usize, width: usize) -> Vec<Ahead> {
        let selected = self.selected();
        let mut cursor: Cursor = self.hosts[index].cursor.clone();
        let mut pending = Pending::default();
        let mut found = Vec::new();
        will_set(&first.task, &mut pending);
        loop {
            cursor.advance(&selected);
            let task = match cursor.current() {
                Some(Item::Task(task)) => task.clone(),
                // Nothing is notified as long as everything is as asked.
                Some(Item::Flush { .. }) if self.hosts[index].notified.is_empty() => continue,
                _ => return found,
            };
            if found.len() == width || !plain(&task.task) {
                return found;
            }
            let Some(job) = self.prepare_ahead(&task, index, &pending) else { return found };
            will_set(&task.task, &mut pending);
            match job.step() {
                Some((endpoint, step)) => found.push(Ahead { task, step, endpoint }),
                // Skipped, or done here: nothing to ask, nothing in the way; unless it will fail.
                None if job.calls().iter().any(|call| matches!(call.what, job::What::Fail(_))) => {
                    return found;
                }
                None => {}
            }
        }
    }

    fn prepare_ahead(&self, task: &TaskRef, index: usize, pending: &Pending) -> Option<Job> {
        let engine = self.engine;
        let placed = Placed { task: &task.task, params: &task.params };
        let scope = engine.scope(&self.hosts[index].name, Some(&placed)).ahead(pending.clone());
        let context = engine.context(search_path(&task.task, Some(&self.play)), false);
        job::prepare(View { engine, task: &task.task, scope: &scope, context: &context }).ok()
    }
}

/// Returns whether a task asks its node once, without waiting between and without further questions here.
fn plain(task: &Task) -> bool {
    let waits = task.repeat.as_ref().is_some_and(|repeat| {
        let control = &repeat.control;
        control.pause.is_some() || control.break_when.is_some()
    });
    let call = matches!(task.action, Action::Module(_) | Action::Controller(_));
    call && !waits && task.until.is_none() && task.retries.is_none() && task.keywords.run_once.is_none()
}

/// Notes the names that a task will set.
fn will_set(task: &Task, pending: &mut Pending) {
    pending.names.extend(task.register.clone());
    match &task.action {
        Action::Controller(action) if action.any_argument => {
            let keys = task.args.as_map().into_iter().flat_map(|map| map.keys());
            pending.names.extend(keys.filter_map(Key::as_str).map(std::sync::Arc::from));
        }
        Action::Module(module) if module.name == "setup" => pending.facts = true,
        _ => {}
    }
}
