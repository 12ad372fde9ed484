//! One task on one host: its calls, tries and items, up to the outcome.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use convoy_agent::args::Arg;
use convoy_agent::failure::Failure;
use convoy_protocol::message::Order;
use convoy_protocol::{Map, Outcome, Status, Taint, Value, map};

use super::Executor;
use super::async_job::planned;
use super::call::CallOutcome;
use super::collect::{Collected, censored, hidden};
use super::download::download;
use super::invocation::invocation;
use super::irreversible::record_irreversible;
use super::node::Node;
use super::outcome::TaskOutcome;
use super::pause;
use super::replay::{Answers, Reply, recorded};
use super::task_run::{TaskPlan, TaskRun};
use crate::actions::{ActionContext, ActionOutcome, Pause, Run};
use crate::events::{HostName, RunEvent, TaskResult, Verdict};
use crate::playbook::ast::Task;
use crate::prepare::{Call, CallKind, Item, PreparedTask, View, prepare_item_again};
use crate::secrets::Secrets;
use crate::services::context;
use crate::services::endpoint::Endpoint;
use crate::state::pending;
use crate::state::request::{CheckedAnswer, Request};
use crate::state::resume_log::PriorOutcome;
use crate::state::section::TaskRef;
use crate::template::Kind as ErrorKind;
use crate::vars::magic::search_path;

impl Executor<'_> {
    /// Executes a task on a host.
    pub async fn run(&self, host: &Arc<str>, task: &TaskRef, title: Arc<str>, plan: TaskPlan) -> TaskOutcome {
        let play = self.snapshot.play.play.as_deref();
        let context = context(search_path(&task.task, play), true);
        let TaskPlan { task: prepared, prefetched, ahead, heading, undo_blocks } = plan;
        let quiet = prepared.calls().iter().any(|call| call.keywords.no_log);
        let key = OnceCell::new();
        let run = TaskRun {
            executor: self,
            host,
            task_ref: task,
            quiet,
            key,
            title,
            context,
            heading,
            undo_blocks,
        };
        // How often it is tried must be known before it is tried.
        let ready = !one_by_one(&task.task) && prepared.calls().iter().all(|call| run.tries(call).is_ok());
        let mut fetched_ahead = Vec::new();
        let mut answers = match prepared.step() {
            Some((endpoint, step)) if ready || prefetched.is_some() => {
                let before = run.before(&endpoint, &step.orders).await;
                let begun =
                    before.iter().flatten().any(|before| matches!(before, PriorOutcome::Begun { .. }));
                Some(match prefetched.filter(|_| !begun) {
                    Some(outcomes) => Ok(run.prefetched(&endpoint, &step, before, outcomes).await),
                    None => run.exchange(&endpoint, step, before, None, ahead, &mut fetched_ahead).await,
                })
            }
            _ => None,
        };
        let mut outcome = match prepared {
            PreparedTask::Nothing(values) => run.nothing(values),
            PreparedTask::Single(call) => run.single(*call, &mut answers).await,
            PreparedTask::Loop(items) => run.every(items, &mut answers).await,
        };
        outcome.prefetched = fetched_ahead;
        outcome
    }
}

/// Returns whether each item of a task's loop waits for the one before: because it may be tried again, is a job, or a pause
/// or a check stands between.
pub fn one_by_one(task: &Task) -> bool {
    let waits = task.repeat.as_ref().is_some_and(|repeat| {
        let control = &repeat.control;
        let tried_again = task.until.is_some() || task.retries.is_some();
        tried_again || control.pause.is_some() || control.break_when.is_some()
    });
    waits || task.async_limit.is_some()
}

impl TaskRun<'_> {
    fn nothing(&self, values: Map) -> TaskOutcome {
        TaskOutcome { looped: true, ..TaskOutcome::of(self.host, values, Verdict::Skipped) }
    }

    async fn single(&self, call: Call, answers: &mut Answers) -> TaskOutcome {
        let result = self.call(&call, answers).await;
        self.remember(&call, &result);
        let effects = self.effects(&call, &result);
        let secret = call.keywords.no_log;
        let failed = result.recorded_ticket().filter(|_| result.verdict == Verdict::Failed);
        let before = result.is_of_before();
        let ignored = match result.verdict {
            Verdict::Unreachable => call.keywords.ignore_unreachable,
            Verdict::Refused => false,
            _ => call.keywords.ignore_errors,
        };
        TaskOutcome {
            shown: if secret { censored(&result.values) } else { result.shown() },
            diff: if secret { Vec::new() } else { result.diff },
            verdict: result.verdict,
            looped: false,
            ignored,
            host: self.host_name(&call),
            invalidates: result.invalidates,
            effects: vec![effects],
            prefetched: Vec::new(),
            show: result.show && !secret,
            action: call.action,
            before,
            failed: failed.into_iter().collect(),
            values: if secret { hidden(result.values) } else { result.values },
        }
    }

    /// Remembers the texts of a result that is hidden: what later tasks say may quote them.
    fn remember(&self, call: &Call, result: &CallOutcome) {
        if call.keywords.no_log {
            let secrets = Secrets::of(hidden(result.values.clone()).values());
            secrets.texts().for_each(|text| self.executor.vault().remember(text));
        }
    }

    async fn every(&self, items: Vec<Item>, answers: &mut Answers) -> TaskOutcome {
        let mut all = Collected::of(HostName::of(self.host));
        let last = items.len();
        let mut set = Map::new();
        for (index, mut item) in items.into_iter().enumerate() {
            if !set.is_empty() {
                item.call = prepare_item_again(&item, self.view(&item.call), &set);
            }
            let mut result = self.call(&item.call, answers).await;
            self.remember(&item.call, &result);
            let label = self.label(&item, &mut result);
            for (name, value) in &item.vars {
                result.values.insert(name.clone(), value.clone());
            }
            self.show_item(&item.call, &result, label);
            let stop = self.breaks(&item.call, &result);
            all.host = self.host_name(&item.call);
            set.extend(result.set_for_the_next(self.task()));
            all.add(self.effects(&item.call, &result), &item.call, result);
            if stop || self.executor.is_interrupted() && one_by_one(self.task()) {
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

    fn breaks(&self, call: &Call, result: &CallOutcome) -> bool {
        let condition = self.task().repeat.as_ref().and_then(|repeat| repeat.control.break_when.as_ref());
        condition.is_some_and(|condition| result.condition(self.view(call), call, condition).unwrap_or(false))
    }

    fn label(&self, item: &Item, result: &mut CallOutcome) -> Value {
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

    fn show_item(&self, call: &Call, result: &CallOutcome, label: Value) {
        let secret = call.keywords.no_log;
        let event = RunEvent::Item(TaskResult {
            host: self.host_name(call),
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
        });
        self.executor.requests.send(Request::Emit(self.heading.clone(), event));
    }

    /// Does one call, with its tries.
    async fn call(&self, call: &Call, answers: &mut Answers) -> CallOutcome {
        let view = self.view(call);
        let tries = match self.tries(call) {
            Ok(tries) => tries,
            Err(error) => return CallOutcome::failed(&error),
        };
        let mut attempt = 1;
        let mut instead = None;
        loop {
            let mut result = self.once(call, answers, instead).await;
            if tries > 1 {
                result.values.insert("attempts".into(), attempt.into());
                result.invalidates |= attempt > 1;
            }
            result.judge(view, call);
            record_irreversible(self, call, &result);
            if let (Verdict::Failed, Some(why)) = (result.verdict, self.why_failure_is_uncertain(call).await)
            {
                return result.uncertain(&why);
            }
            let failed = result.verdict == Verdict::Failed;
            if tries == 1 || result.verdict.is_final() {
                self.record_answer(call, &mut result, failed);
                return result;
            }
            let satisfied = match &self.task().until {
                Some(until) => result.condition(view, call, until),
                None => Ok(!failed),
            };
            self.record_answer(call, &mut result, !matches!(satisfied, Ok(true)));
            instead = result.recorded_ticket();
            match satisfied {
                Ok(true) => return result,
                Err(error) if error.kind == ErrorKind::Unknown => {
                    return result.uncertain(&error.message.into());
                }
                Err(error) => {
                    return CallOutcome {
                        invalidates: result.invalidates,
                        ..CallOutcome::failed(&error.to_string())
                    };
                }
                Ok(false) if attempt >= tries || self.executor.is_interrupted() => {
                    result.values.extend(map! { "attempts" => tries - 1, "failed" => true });
                    let result = CallOutcome { verdict: Verdict::Failed, invalidates: true, ..result };
                    return match self.why_failure_is_uncertain(call).await {
                        Some(why) => result.uncertain(&why),
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

    async fn wait(&self, call: &Call, result: &mut CallOutcome, tries: i64, attempt: i64) {
        result.values.insert("retries".into(), tries.into());
        let values = if call.keywords.no_log { censored(&result.values) } else { result.shown() };
        self.executor.requests.emit(RunEvent::Retry {
            host: self.host_name(call),
            task: self.title.clone(),
            left: u32::try_from(tries - attempt).unwrap_or(0),
            values: Arc::new(values),
        });
        let delay = self.task().delay.as_ref().and_then(|delay| self.view(call).render(delay).ok());
        let seconds = delay.and_then(|delay| f64::convert(&delay).ok()).unwrap_or(5.0);
        tokio::time::sleep(Duration::from_secs_f64(if seconds < 0.0 { 1.0 } else { seconds.min(1e6) })).await;
    }

    /// Makes one call once.
    async fn once(&self, call: &Call, answers: &mut Answers, instead: Option<u64>) -> CallOutcome {
        let vault = self.executor.vault();
        match &call.kind {
            CallKind::Skip { condition } => CallOutcome::skipped(condition.clone()),
            CallKind::Fail { msg, .. } => CallOutcome::unprepared(msg, vault),
            CallKind::Unknown { why, might } => {
                let (host, task, title) = (self.host.clone(), self.task().clone(), self.title.clone());
                self.executor.requests.send(Request::MayChange(host, task, might.clone(), title));
                CallOutcome::unknown(why)
            }
            CallKind::Action(action, args) => match action.run {
                Run::OnController(run) => {
                    let context = ActionContext {
                        scope: &call.scope,
                        templar: &self.executor.services.templar,
                        template_context: &self.context,
                        verbosity: self.executor.services.options.verbosity,
                    };
                    self.apply_action(run(args, &context), args).await
                }
                Run::OnNode { run, repeatable: true } => {
                    Node::new(self.executor, &call.keywords).run_action(action.name, run, args).await
                }
                Run::OnNode { run, repeatable: false } => {
                    self.run_action_once(call, action.name, run, args).await
                }
            },
            CallKind::Order(order, endpoint) if !order.check && call.keywords.run_async.is_some() => {
                self.run_as_job(call, order, endpoint, instead).await
            }
            CallKind::Order(order, endpoint) => match self.answer(order, endpoint, answers, instead).await {
                Ok(reply) => self.take_reply(call, order, endpoint, reply).await,
                Err(error) => CallOutcome::lost(error),
            },
        }
    }

    /// Makes a result of what a node answered, after the download of what it offers.
    async fn take_reply(
        &self,
        call: &Call,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        reply: Reply,
    ) -> CallOutcome {
        let Reply { outcome, ticket, before } = reply;
        let outcome = match download(self.executor, self.host, order, endpoint, outcome).await {
            Ok(outcome) => outcome,
            Err(error) => return CallOutcome::unreachable(error),
        };
        let status = outcome.status;
        let result = self.answered(order, endpoint, outcome, call).await;
        let invocation = (self.executor.services.options.verbosity > 2).then(|| invocation(order));
        CallOutcome { invocation, ..recorded(result, order, status, ticket, before) }
    }

    /// Makes a result of what an action returned: adds to the inventory, or waits, if it asks for that.
    async fn apply_action(&self, done: Result<ActionOutcome, Failure>, args: &Map) -> CallOutcome {
        let done = match done {
            Ok(done) => self.add_to_inventory(done).await,
            failed => failed,
        };
        match done.as_ref().ok().and_then(|done| done.pause.as_ref()) {
            Some(asked) => self.pauses(asked).await,
            None => CallOutcome::of_action(done, args, self.executor.vault()),
        }
    }

    async fn add_to_inventory(&self, done: ActionOutcome) -> Result<ActionOutcome, Failure> {
        let Some(addition) = done.addition.clone() else { return Ok(done) };
        let added = self.executor.requests.ask(|reply| Request::AddToInventory(addition, reply)).await;
        Ok(ActionOutcome { changed: added?, ..done })
    }

    /// Waits for a time or for the user. What was checked ahead may be different afterwards.
    async fn pauses(&self, asked: &Pause) -> CallOutcome {
        let result = match pause::pause(self.executor, &self.title, asked).await {
            Ok(values) => CallOutcome::of_action(
                Ok(ActionOutcome { values, ..ActionOutcome::default() }),
                &Map::new(),
                self.executor.vault(),
            ),
            Err(msg) => CallOutcome::failed(&msg),
        };
        CallOutcome { invalidates: true, ..result }
    }

    /// Makes a result of what a node answered; in check mode an answer may be uncertain.
    async fn answered(
        &self,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        outcome: Outcome,
        call: &Call,
    ) -> CallOutcome {
        let vault = self.executor.vault();
        if !self.executor.services.options.check {
            return CallOutcome::of_outcome(outcome, order, &call.keywords, vault);
        }
        // A task that only ever looks asks the same when the run is not in check mode.
        let looks = self.task().keywords.check_mode.is_some() && order.check;
        let outcome = match call.keywords.run_async {
            Some(job) if job.poll == 0 && order.check => planned(outcome),
            _ => outcome,
        };
        let left_out = outcome.status == Status::Unknown;
        let answer = Box::new(CheckedAnswer {
            endpoint: endpoint.clone(),
            order: order.clone(),
            status: outcome.status,
            values: outcome.values.clone(),
            title: self.title.clone(),
            looks,
        });
        let uncertain = self.executor.requests.ask(|reply| Request::ExplainAnswer(answer, reply)).await;
        let mut result = CallOutcome::of_outcome(outcome, order, &call.keywords, vault);
        if left_out && !looks {
            result.left_out(&pending::result_of(&self.title));
        }
        // What was left out is unknown anyway.
        match uncertain.filter(|_| looks || !left_out) {
            Some(why) => result.uncertain(&why),
            None => result,
        }
    }

    /// Check mode: returns why there may be no failure when the run is not in check mode.
    async fn why_failure_is_uncertain(&self, call: &Call) -> Option<Arc<str>> {
        if !self.executor.services.options.check {
            return None;
        }
        let node = match &call.kind {
            CallKind::Fail { certain: true, .. } => return None,
            CallKind::Order(_, endpoint) => Some(endpoint.clone()),
            _ => None,
        };
        self.executor.requests.ask(|reply| Request::ExplainFailure(node, reply)).await
    }
}
