//! One task on one host: its calls, tries and items, up to the result.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use convoy_agent::args::Arg;
use convoy_agent::failure::Failure;
use convoy_protocol::message::Order;
use convoy_protocol::{Map, Outcome, Status, Taint, Value, map};

use super::ahead::Ahead;
use super::batch::Placed;
use super::beyond;
use super::collected::{Collected, censored, hidden};
use super::doubt;
use super::endpoint::Endpoint;
use super::engine::Engine;
use super::event::{HostName, RunEvent, TaskResult, Verdict};
use super::follow::planned;
use super::free::Heading;
use super::host_result::HostResult;
use super::invocation::invocation;
use super::job::{Call, Item, Job, View, What};
use super::land::land;
use super::lost::Lost;
use super::memory::{Before, TaskKey};
use super::node::Node;
use super::pause;
use super::replay::{Reply, asked};
use super::result::CallResult;
use super::section::TaskRef;
use super::within::Within;
use crate::actions::pause::Pause;
use crate::actions::{Done, Run, Scene};
use crate::playbook::ast::Task;
use crate::secrets::Secrets;
use crate::template::{Context, Kind as ErrorKind};
use crate::vars::magic::search_path;

/// What is to be done on one host.
#[derive(Debug)]
pub struct Perform {
    /// The task, made ready.
    pub job: Job,
    /// What was seen of it ahead.
    pub seen: Option<Vec<Outcome>>,
    /// What is looked at along with it.
    pub ahead: Vec<Ahead>,
    /// What its results are told under, where they come in any order.
    pub heading: Option<Heading>,
    /// The blocks with `undo:` that it is in, the outermost first.
    pub within: Vec<Rc<Within>>,
}

/// One task on one host, under way.
pub(super) struct Doing<'a> {
    pub(super) engine: &'a Engine,
    pub(super) host: &'a Arc<str>,
    task: &'a TaskRef,
    /// Whether what is asked, or answered, is not to be kept on the node's disk.
    pub(super) quiet: bool,
    /// By what the journal knows the task on this host; made once, where it is needed.
    pub(super) key: OnceCell<TaskKey>,
    pub(super) title: Arc<str>,
    context: Context,
    heading: Option<Heading>,
    pub(super) within: Vec<Rc<Within>>,
}

/// Does a task on a host.
pub async fn perform(
    engine: &Engine,
    host: &Arc<str>,
    task: &TaskRef,
    title: Arc<str>,
    plan: Perform,
) -> HostResult {
    let play = engine.play.borrow().play.clone();
    let context = engine.context(search_path(&task.task, play.as_deref()), true);
    let Perform { job, seen, ahead, heading, within } = plan;
    let quiet = job.calls().iter().any(|call| call.flags.no_log);
    let doing = Doing { engine, host, task, quiet, key: OnceCell::new(), title, context, heading, within };
    // How often it is tried must be known before it is tried.
    let ready = !one_by_one(&task.task) && job.calls().iter().all(|call| doing.tries(call).is_ok());
    let mut seen_ahead = Vec::new();
    let mut answers = match job.step() {
        Some((endpoint, step)) if ready || seen.is_some() => {
            let before = doing.before(&endpoint, &step.orders);
            let begun = before.iter().flatten().any(|before| matches!(before, Before::Begun { .. }));
            Some(match seen.filter(|_| !begun) {
                Some(outcomes) => Ok(doing.seen(&endpoint, &step, before, outcomes)),
                None => doing.exchange(&endpoint, step, before, None, ahead, &mut seen_ahead).await,
            })
        }
        _ => None,
    };
    let mut result = match job {
        Job::Nothing(values) => doing.nothing(values),
        Job::Single(call) => doing.single(*call, &mut answers).await,
        Job::Loop(items) => doing.every(items, &mut answers).await,
    };
    result.seen = seen_ahead;
    result
}

pub(super) type Answers = Option<Result<VecDeque<Reply>, Lost>>;

/// Returns whether each item of a task's loop waits for the one before: because it may be tried again, is a job, or a pause
/// or a check stands between.
pub fn one_by_one(task: &Task) -> bool {
    let waits = task.repeat.as_ref().is_some_and(|repeat| {
        let control = &repeat.control;
        let tried_again = task.until.is_some() || task.retries.is_some();
        tried_again || control.pause.is_some() || control.break_when.is_some()
    });
    waits || task.limit.is_some()
}

impl Doing<'_> {
    pub(super) fn task(&self) -> &Arc<Task> {
        &self.task.task
    }

    pub(super) fn placed(&self) -> Placed<'_> {
        Placed { task: &self.task.task, params: &self.task.params }
    }

    pub(super) fn view<'v>(&'v self, call: &'v Call) -> View<'v> {
        View { engine: self.engine, task: self.task(), scope: &call.scope, context: &self.context }
    }

    pub(super) fn name_of(&self, call: &Call) -> HostName {
        call.flags.endpoint.name(self.host, call.flags.delegate.as_ref())
    }

    fn nothing(&self, values: Map) -> HostResult {
        HostResult { looped: true, ..HostResult::of(self.host, values, Verdict::Skipped) }
    }

    async fn single(&self, call: Call, answers: &mut Answers) -> HostResult {
        let result = self.call(&call, answers).await;
        self.remember(&call, &result);
        let effects = self.effects(&call, &result);
        let secret = call.flags.no_log;
        let failed = result.noted().filter(|_| result.verdict == Verdict::Failed);
        let ignored = match result.verdict {
            Verdict::Unreachable => call.flags.ignore_unreachable,
            Verdict::Refused => false,
            _ => call.flags.ignore_errors,
        };
        HostResult {
            shown: if secret { censored(&result.values) } else { result.shown() },
            diff: if secret { Vec::new() } else { result.diff },
            verdict: result.verdict,
            looped: false,
            ignored,
            host: self.name_of(&call),
            disturbed: result.disturbed,
            calls: vec![effects],
            seen: Vec::new(),
            show: result.show && !secret,
            action: call.action,
            before: result.asked.as_ref().is_some_and(|asked| asked.before),
            failed: failed.into_iter().collect(),
            values: if secret { hidden(result.values) } else { result.values },
        }
    }

    /// Remembers the texts of a result that is hidden: what later tasks say may quote them.
    fn remember(&self, call: &Call, result: &CallResult) {
        if call.flags.no_log {
            let secrets = Secrets::of(hidden(result.values.clone()).values());
            secrets.texts().for_each(|text| self.engine.templar.vault().remember(text));
        }
    }

    async fn every(&self, items: Vec<Item>, answers: &mut Answers) -> HostResult {
        let mut all = Collected::of(HostName::of(self.host));
        let last = items.len();
        let mut set = Map::new();
        for (index, mut item) in items.into_iter().enumerate() {
            if !set.is_empty() {
                item.call = item.again(self.view(&item.call), &set);
            }
            let mut result = self.call(&item.call, answers).await;
            self.remember(&item.call, &result);
            let label = self.label(&item, &mut result);
            for (name, value) in &item.vars {
                result.values.insert(name.clone(), value.clone());
            }
            self.show_item(&item.call, &result, label);
            let stop = self.breaks(&item.call, &result);
            all.host = self.name_of(&item.call);
            set.extend(result.set_for_the_next(self.task()));
            all.add(self.effects(&item.call, &result), &item.call, result);
            if stop || self.engine.interrupted.get() && one_by_one(self.task()) {
                break;
            }
            if index + 1 < last {
                self.pause(&item.call).await;
            }
        }
        all.finish()
    }

    /// Waits between two items, if the loop says so.
    async fn pause(&self, call: &Call) {
        let Some(pause) = self.task().repeat.as_ref().and_then(|repeat| repeat.control.pause.as_ref()) else {
            return;
        };
        let seconds = self.view(call).render(pause).ok().and_then(|value| f64::convert(&value).ok());
        tokio::time::sleep(Duration::from_secs_f64(seconds.unwrap_or(0.0).clamp(0.0, 1e6))).await;
    }

    fn breaks(&self, call: &Call, result: &CallResult) -> bool {
        let condition = self.task().repeat.as_ref().and_then(|repeat| repeat.control.break_when.as_ref());
        condition.is_some_and(|condition| result.condition(self.view(call), call, condition).unwrap_or(false))
    }

    fn label(&self, item: &Item, result: &mut CallResult) -> Value {
        let Some(label) = self.task().repeat.as_ref().and_then(|repeat| repeat.control.label.as_ref()) else {
            return item.item.clone();
        };
        let scope = result.scope(self.task(), &item.call);
        match (View { scope: &scope, ..self.view(&item.call) }).render(label) {
            Ok(label) => label,
            Err(error) => {
                let msg = Value::from(format!("Failed to template loop_control.label: {error}"));
                result.values.extend(map! { "failed" => true, "msg" => msg.tainted(Taint::UNSAFE) });
                result.verdict = Verdict::Failed;
                item.item.clone()
            }
        }
    }

    fn show_item(&self, call: &Call, result: &CallResult, label: Value) {
        let secret = call.flags.no_log;
        self.engine.head(self.heading.as_ref());
        self.engine.tell(RunEvent::Item(TaskResult {
            host: self.name_of(call),
            verdict: result.verdict,
            action: call.action.clone().unwrap_or_else(|| self.task().action_name.clone()),
            values: Arc::new(if secret { censored(&result.values) } else { result.shown() }),
            diff: if secret { Vec::new() } else { result.diff.clone() },
            label: (!secret).then_some(label),
            looped: true,
            ignored: false,
            show: result.show && !secret,
            before: result.is_of_before(),
            task: self.title.clone(),
        }));
    }

    /// Does one call, with its tries.
    async fn call(&self, call: &Call, answers: &mut Answers) -> CallResult {
        let view = self.view(call);
        let tries = match self.tries(call) {
            Ok(tries) => tries,
            Err(error) => return CallResult::failed(&error),
        };
        let mut attempt = 1;
        let mut instead = None;
        loop {
            let mut result = self.once(call, answers, instead).await;
            if tries > 1 {
                result.values.insert("attempts".into(), attempt.into());
                result.disturbed |= attempt > 1;
            }
            result.judge(view, call);
            beyond::note(self, call, &result);
            if let (Verdict::Failed, Some(why)) = (result.verdict, self.doubt_of_failure(call)) {
                return result.in_doubt(&why);
            }
            let failed = result.verdict == Verdict::Failed;
            if tries == 1 || result.verdict.is_final() {
                self.note_answer(call, &mut result, failed);
                return result;
            }
            let satisfied = match &self.task().until {
                Some(until) => result.condition(view, call, until),
                None => Ok(!failed),
            };
            self.note_answer(call, &mut result, !matches!(satisfied, Ok(true)));
            instead = result.noted();
            match satisfied {
                Ok(true) => return result,
                Err(error) if error.kind == ErrorKind::Unknown => {
                    return result.in_doubt(&error.message.into());
                }
                Err(error) => {
                    return CallResult {
                        disturbed: result.disturbed,
                        ..CallResult::failed(&error.to_string())
                    };
                }
                Ok(false) if attempt >= tries || self.engine.interrupted.get() => {
                    result.values.extend(map! { "attempts" => tries - 1, "failed" => true });
                    let result = CallResult { verdict: Verdict::Failed, disturbed: true, ..result };
                    return match self.doubt_of_failure(call) {
                        Some(why) => result.in_doubt(&why),
                        None => result,
                    };
                }
                Ok(false) => self.wait(call, &mut result, tries, attempt).await,
            }
            attempt += 1;
        }
    }

    /// Returns how often a call is tried at most: once, or as `retries` says after it.
    fn tries(&self, call: &Call) -> Result<i64, String> {
        let task = self.task();
        match &task.retries {
            Some(retries) => {
                let value = self.view(call).render(retries).map_err(|error| error.to_string())?;
                Ok(1 + i64::convert(&value)?.max(0))
            }
            None if task.until.is_some() => Ok(4),
            None => Ok(1),
        }
    }

    async fn wait(&self, call: &Call, result: &mut CallResult, tries: i64, attempt: i64) {
        result.values.insert("retries".into(), tries.into());
        let values = if call.flags.no_log { censored(&result.values) } else { result.shown() };
        self.engine.tell(RunEvent::Retry {
            host: self.name_of(call),
            task: self.title.clone(),
            left: u32::try_from(tries - attempt).unwrap_or(0),
            values: Arc::new(values),
        });
        let delay = self.task().delay.as_ref().and_then(|delay| self.view(call).render(delay).ok());
        let seconds = delay.and_then(|delay| f64::convert(&delay).ok()).unwrap_or(5.0);
        tokio::time::sleep(Duration::from_secs_f64(if seconds < 0.0 { 1.0 } else { seconds.min(1e6) })).await;
    }

    /// Does one call once.
    async fn once(&self, call: &Call, answers: &mut Answers, instead: Option<u64>) -> CallResult {
        let vault = self.engine.templar.vault();
        match &call.what {
            What::Skip { condition } => CallResult::skipped(condition.clone()),
            What::Fail { msg, .. } => CallResult::refused(msg, vault),
            What::Unknown { why, might } => {
                let doubts = &self.engine.doubts;
                doubts.note_possible(self.host, self.task(), might.as_ref(), &self.title);
                CallResult::unknown(why)
            }
            What::Action(action, args) => match action.run {
                Run::Here(run) => {
                    let (templar, verbosity) = (&self.engine.templar, self.engine.options.verbosity);
                    let scene = Scene { scope: &call.scope, templar, context: &self.context, verbosity };
                    let done = run(args, &scene).and_then(|done| self.add(done));
                    match done.as_ref().ok().and_then(|done| done.pause.as_ref()) {
                        Some(asked) => self.pauses(asked).await,
                        None => CallResult::of_action(done, args, vault),
                    }
                }
                Run::Talk { talk, harmless: true } => {
                    Node::new(self.engine, &call.flags).hear(action.name, talk, args).await
                }
                Run::Talk { talk, harmless: false } => self.talk(call, action.name, talk, args).await,
            },
            What::Order(order, endpoint) if !order.check && call.flags.job.is_some() => {
                self.as_job(call, order, endpoint, instead).await
            }
            What::Order(order, endpoint) => match self.answer(order, endpoint, answers, instead).await {
                Ok(Reply { outcome, ticket, before }) => {
                    match land(self.engine, self.host, order, endpoint, outcome).await {
                        Ok(outcome) => {
                            let status = outcome.status;
                            let result = self.answered(order, endpoint, outcome, call);
                            let invocation = (self.engine.options.verbosity > 2).then(|| invocation(order));
                            CallResult { invocation, ..asked(result, order, status, ticket, before) }
                        }
                        Err(error) => CallResult::unreachable(error),
                    }
                }
                Err(lost) => CallResult::lost(lost),
            },
        }
    }

    /// Adds to the inventory what an action found to be added.
    fn add(&self, done: Done) -> Result<Done, Failure> {
        let Some(addition) = done.addition.clone() else { return Ok(done) };
        Ok(Done { changed: self.engine.add(addition)?, ..done })
    }

    /// Waits; whatever was looked at ahead may be different afterwards.
    async fn pauses(&self, asked: &Pause) -> CallResult {
        let vault = self.engine.templar.vault();
        let waited = pause::pause(self.engine, &self.title, asked).await;
        let result = match waited {
            Ok(values) => CallResult::of_action(Ok(Done { values, ..Done::default() }), &Map::new(), vault),
            Err(msg) => CallResult::failed(&msg),
        };
        CallResult { disturbed: true, ..result }
    }

    /// Makes a result of what a node answered; in check mode an answer may be in doubt.
    fn answered(&self, order: &Order, endpoint: &Endpoint, outcome: Outcome, call: &Call) -> CallResult {
        let vault = self.engine.templar.vault();
        // A task that only ever looks is asked the same in earnest.
        let looks = self.task().keywords.check_mode.is_some() && order.check;
        if !self.engine.options.check {
            return CallResult::of_outcome(outcome, order, &call.flags, vault);
        }
        let outcome = match call.flags.job {
            Some(job) if job.poll == 0 && order.check => planned(outcome),
            _ => outcome,
        };
        let doubts = &self.engine.doubts;
        let doubt = doubts.of_answer(endpoint, order, &outcome);
        let (status, left_out) = (outcome.status, outcome.status == Status::Unknown);
        if !looks && (doubt.is_some() || matches!(status, Status::WouldChange | Status::Unknown)) {
            doubts.note(endpoint, order, &outcome.values, &self.title);
        }
        let mut result = CallResult::of_outcome(outcome, order, &call.flags, vault);
        if left_out && !looks {
            result.left_out(&doubt::result_of(&self.title));
        }
        // What was left out is unknown anyway.
        match doubt.filter(|_| looks || !left_out) {
            Some(why) => result.in_doubt(&why),
            None => result,
        }
    }

    /// Returns why a failure may be none in earnest.
    fn doubt_of_failure(&self, call: &Call) -> Option<Arc<str>> {
        let doubts = self.engine.options.check.then_some(&self.engine.doubts)?;
        match &call.what {
            What::Fail { certain: true, .. } => None,
            What::Order(_, endpoint) => doubts.of_node(endpoint),
            _ => doubts.anywhere(),
        }
    }
}
