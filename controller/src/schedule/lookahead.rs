//! Look-ahead: what follows a task is sent along with it, to be looked at and not to be done.
//!
//! What was seen is used only if nothing at all happened since it was looked at, on any host; only if the task, when
//! its turn comes, asks for exactly what was looked at; and only if that is so on every host that does the task, since
//! what one of them does another may see. So look-ahead can only ever spare a *same*.

use std::sync::Arc;

use convoy_protocol::message::Step;
use convoy_protocol::{Key, Outcome};

use crate::actions::Run;
use crate::execute::run::one_by_one;
use crate::playbook::ast::{Action, Meta, Task};
use crate::prepare::task::{self, Job, View};
use crate::schedule::batch::{Batch, Placed};
use crate::services::endpoint::Endpoint;
use crate::state::cursor::Cursor;
use crate::state::section::{Item, TaskRef};
use crate::template::{Error, Kind as ErrorKind, Templar};
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

    /// Something was changed, or failed: what follows will need to be done, too, as it seems.
    pub fn broken(&mut self) {
        self.width = 1;
    }

    /// Returns how many tasks after `task` are looked at along with it.
    pub fn width(&mut self, task: &Task) -> usize {
        if !self.enabled || !can_be_passed(task) {
            return 0;
        }
        let width = self.width;
        self.width = (width * 2).min(WIDEST);
        width - 1
    }
}

/// Returns whether the job was seen already, or needs no node at all.
pub fn is_seen(seen: &[Seen], task: &TaskRef, job: &Job) -> bool {
    match job.step() {
        Some((endpoint, step)) => seen.iter().any(|seen| matches(seen, task, &endpoint, &step)),
        None => job.calls().iter().all(|call| !matches!(call.what, task::What::Order(..))),
    }
}

fn matches(seen: &Seen, task: &TaskRef, endpoint: &Endpoint, step: &Step) -> bool {
    seen.task.same(task) && *seen.endpoint == *endpoint && seen.step == *step
}

/// Takes what was seen of a job.
pub fn take(seen: &mut Vec<Seen>, task: &TaskRef, job: &Job) -> Option<Vec<Outcome>> {
    let (endpoint, step) = job.step()?;
    let at = seen.iter().position(|seen| matches(seen, task, &endpoint, &step))?;
    Some(seen.remove(at).outcomes)
}

impl Batch<'_> {
    /// Returns up to `width` tasks of a host of the group that are to be looked at along with `first`.
    pub fn look_ahead(&self, first: &TaskRef, index: usize, group: &[usize], width: usize) -> Vec<Ahead> {
        let selected = self.selected();
        let mut cursor: Cursor = self.hosts[index].cursor.clone();
        let mut pending = Pending::default();
        let mut found = Vec::new();
        will_set(&first.task, &mut pending);
        while found.len() < width {
            cursor.advance(&selected);
            let task = match cursor.current() {
                Some(Item::Task(task)) => task.clone(),
                // Nothing is notified as long as everything is as asked.
                Some(Item::Flush { .. }) if self.hosts[index].notified.is_empty() => continue,
                _ => break,
            };
            if self.does_nothing(&task.task, index) {
                continue;
            }
            if !can_be_passed(&task.task) {
                break;
            }
            // A task that runs once is looked at where it will run, as far as can be told now.
            let elsewhere = task.task.keywords.run_once.is_some() && group.first() != Some(&index);
            if !elsewhere {
                match self.prepare_ahead(&task, index, &pending) {
                    Ok(job)
                        if job.calls().iter().any(|call| matches!(call.what, task::What::Fail { .. })) =>
                    {
                        break;
                    }
                    Ok(job) => found.extend(self.not_seen(task.clone(), index, &job)),
                    // It is asked when its turn comes; if then it is as asked, what follows it has been seen already.
                    Err(error) if error.kind == ErrorKind::NotYet => {}
                    Err(_) => break,
                }
            }
            will_set(&task.task, &mut pending);
        }
        found
    }

    /// Returns whether it is known that a meta task will do nothing.
    fn does_nothing(&self, task: &Task, index: usize) -> bool {
        let nothing = match task.action {
            Action::Meta(Meta::Noop) => true,
            Action::Meta(Meta::FlushHandlers) => self.hosts[index].notified.is_empty(),
            _ => false,
        };
        nothing && task.keywords.when.is_empty()
    }

    /// Returns what is to be asked to look at a job; nothing if there is nothing to ask, or it was seen already.
    fn not_seen(&self, task: TaskRef, index: usize, job: &Job) -> Option<Ahead> {
        let (endpoint, step) = job.step()?;
        let seen = self.hosts[index].seen.iter().any(|seen| matches(seen, &task, &endpoint, &step));
        (!seen).then_some(Ahead { task, step, endpoint })
    }

    fn prepare_ahead(&self, task: &TaskRef, index: usize, pending: &Pending) -> Result<Job, Error> {
        let engine = self.engine;
        let placed = Placed { task: &task.task, params: &task.params };
        let scope = engine.scope(&self.hosts[index].name, Some(&placed)).with_pending(pending.clone());
        let context = engine.context(search_path(&task.task, Some(&self.play)), false);
        task::prepare(View { engine, task: &task.task, scope: &scope, context: &context })
    }
}

/// Returns whether what follows a task can be looked at before the task is done.
fn can_be_passed(task: &Task) -> bool {
    is_call(task)
        && !one_by_one(task)
        && !talks(task)
        && !follows(task)
        && names_are_known(task)
        && !changes_inventory(task)
}

/// Returns whether a task asks for what goes on meanwhile: each time it may be answered otherwise.
fn follows(task: &Task) -> bool {
    matches!(task.action, Action::Module(module) if module.name == "async_status")
}

/// Returns whether a task is an action that talks with its node: the link may be another one afterwards.
fn talks(task: &Task) -> bool {
    matches!(task.action, Action::Controller(action) if matches!(action.run, Run::OnNode { .. }))
}

/// Returns whether a task is a call that may be among others: no include, nothing about the run itself or its user.
pub(crate) fn is_call(task: &Task) -> bool {
    match task.action {
        Action::Module(_) => true,
        // Nobody knows what is done while it waits.
        Action::Controller(action) => !action.pauses_run,
        // It may be any.
        Action::Named(_) | Action::Meta(_) | Action::IncludeTasks { .. } | Action::IncludeRole(_) => false,
    }
}

/// Returns whether what follows may see other groups and variables.
fn changes_inventory(task: &Task) -> bool {
    matches!(task.action, Action::Controller(action) if action.changes_inventory)
}

/// Returns whether the names of the variables that a task sets are known before it is done.
pub(crate) fn names_are_known(task: &Task) -> bool {
    match &task.action {
        Action::Named(_) => false,
        Action::Controller(action) if action.sets_unknown_names => false,
        Action::Controller(action) if action.any_argument => task.args.as_map().is_some_and(|args| {
            args.keys().all(|key| {
                key.as_str().is_none_or(|name| name != "_variable_params" && !Templar::is_template(name))
            })
        }),
        _ => true,
    }
}

/// Notes the names that a task will set.
fn will_set(task: &Task, pending: &mut Pending) {
    pending.names.extend(task.register.clone());
    match &task.action {
        Action::Controller(action) if action.any_argument => {
            let keys = task.args.as_map().into_iter().flat_map(|map| map.keys());
            pending.names.extend(keys.filter_map(Key::as_str).map(std::sync::Arc::from));
        }
        Action::Module(module) if matches!(module.name, "setup" | "gather_facts") => pending.facts = true,
        _ => {}
    }
}
