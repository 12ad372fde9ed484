//! Sends orders, each with a ticket; in a resumed run, uses what the journal knows instead of repeating work.
//!
//! An order with a ticket and no outcome is sent again under that ticket: its node executes it once. One with an outcome is checked
//! again, and repeated only if its requested state no longer holds; the playbook sees the recorded outcome.

use std::collections::VecDeque;
use std::slice;
use std::sync::Arc;

use convoy_agent::modules;
use convoy_protocol::message::{Order, Step, Ticket};
use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::call::{CallOutcome, CallRecord, OUTCOME_UNKNOWN};
use super::collect::hidden;
use super::node::Node;
use super::task_run::TaskRun;
use crate::actions::{ActionOutcome, NodeAction};
use crate::events::{Note, RunEvent, Verdict};
use crate::prepare::Call;
use crate::services::endpoint::Endpoint;
use crate::services::host_error::HostError;
use crate::state::prefetched::{Lookahead, Prefetched};
use crate::state::request::{JournalTask, Request};
use crate::state::resume_log::{self, InDoubt, PriorOutcome, TaskKey};

/// What a node said of one order.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    /// Its ticket, if it has one and the answer is not noted yet.
    pub(super) ticket: Option<u64>,
    /// Whether that was before the run was resumed.
    pub(super) before: bool,
}

/// The answers to a task's orders that are there before its calls are made, in their order.
pub(super) type Answers = Option<Result<VecDeque<Reply>, HostError>>;

/// What is known of a job.
pub(super) enum KnownJob {
    /// It was done before the run was resumed.
    Done(Outcome),
    /// Its ticket, if it has one; it may have begun.
    Ticket(Option<u64>),
}

/// What is to be done about an order.
enum OrderPlan {
    /// This answer from before counts.
    Use(Outcome),
    /// It is looked at, and then decided.
    Look { ticket: u64, outcome: Outcome, exactly: bool, suspect: bool },
    /// It is done, or asked again; in the place of an earlier try.
    Ask { ticket: Option<u64>, instead: Option<u64>, then: Option<Outcome> },
}

impl OrderPlan {
    fn afresh(instead: Option<u64>) -> Self {
        Self::Ask { ticket: None, instead, then: None }
    }

    fn of(before: Option<PriorOutcome>, order: &Order, instead: Option<u64>) -> Self {
        let (ticket, outcome, exactly, suspect) = match before {
            None => return Self::afresh(instead),
            Some(PriorOutcome::Begun { ticket }) => {
                return Self::Ask { ticket: Some(ticket), instead: None, then: None };
            }
            Some(PriorOutcome::Done { ticket, outcome, exactly, suspect }) => {
                (ticket, outcome, exactly, suspect)
            }
        };
        match (modules::writes(order), outcome.status) {
            (_, Status::Failed) => Self::Use(outcome),
            (false, _) if suspect => Self::afresh(Some(ticket)),
            (false, _) => Self::Ask { ticket: None, instead: Some(ticket), then: Some(outcome) },
            (true, Status::Same) => Self::afresh(Some(ticket)),
            (true, _) => Self::Look { ticket, outcome, exactly, suspect },
        }
    }
}

/// Adds to a result what the journal is to know of it. What was done before disturbs nothing now.
pub(super) fn recorded(
    result: CallOutcome,
    order: &Order,
    status: Status,
    ticket: Option<u64>,
    before: bool,
) -> CallOutcome {
    let values = if ticket.is_some() { result.values.clone() } else { Map::new() };
    let record =
        CallRecord { ticket, recorded: None, status, values, writes: modules::writes(order), before };
    CallOutcome { invalidates: result.invalidates && !before, record: Some(record), ..result }
}

/// Returns whether what an order answers is of use when the run is resumed: facts are gathered again.
fn is_recorded(order: &Order) -> bool {
    !order.check && !modules::find(&order.module).is_some_and(|module| module.behavior.gathers_facts)
}

/// Returns the answer that counts where something is asked again that only looks, or that is as it was left.
fn recalled(now: Outcome, then: Option<Outcome>) -> Outcome {
    match then {
        _ if now.status == Status::Failed => now,
        // Of what was secret only the word is known.
        Some(then) if has_secrets(&then.values) => Outcome { status: then.status, ..now },
        // What is offered is offered by the agent of now.
        Some(then) if now.offer.is_none() => then,
        _ => now,
    }
}

fn has_secrets(values: &Map) -> bool {
    values.values().any(|value| value.deep_taint().is_secret())
}

/// The message for a step that the user knows to be done.
pub(super) const TAKEN_FOR_DONE: &str = "assumed to be done, by --in-doubt=done";

/// The message where a task registers a result that is secret, so that the journal does not have it.
const LOST: &str = "this was done before the run was resumed; its result is secret and was not recorded, so it cannot be \
    registered, and convoy does not repeat it; `convoy resume --in-doubt=again` runs it again";

/// The message for a step after which a rescue ran.
const SUSPECT: &str = "this was done before the run was resumed, but then a rescue ran, which may have undone it, and failed, \
    so convoy does not repeat it. Look at the node; then `convoy resume --in-doubt=again` runs it again, and `convoy resume \
    --in-doubt=done` continues after it";

impl TaskRun<'_> {
    fn key(&self) -> &TaskKey {
        self.key.get_or_init(|| TaskKey {
            play: self.executor.play_number,
            host: self.host.clone(),
            task: resume_log::task_digest(self.task()),
        })
    }

    fn journal_task(&self) -> JournalTask {
        JournalTask {
            key: self.key().clone(),
            task: self.task_ref.clone(),
            undo_blocks: self.undo_blocks.clone(),
        }
    }

    /// Returns whether the journal records this order.
    fn records(&self, order: &Order) -> bool {
        self.executor.resume.records && is_recorded(order)
    }

    /// Takes what the journal knows of these orders from before the run was resumed.
    pub(super) async fn before(&self, endpoint: &Endpoint, orders: &[Order]) -> Vec<Option<PriorOutcome>> {
        if !self.executor.resume.resumed {
            return vec![None; orders.len()];
        }
        self.recall(orders.iter().map(|order| resume_log::asked(order, endpoint)).collect()).await
    }

    async fn recall(&self, asked: Vec<Arc<str>>) -> Vec<Option<PriorOutcome>> {
        let task = self.journal_task();
        self.executor.requests.ask(|reply| Request::Recall(task, asked, reply)).await
    }

    /// Has it recorded that an order is about to be sent, and returns its ticket.
    pub(super) async fn start_order(&self, asked: Arc<str>, instead: Option<u64>) -> u64 {
        let task = self.journal_task();
        self.executor.requests.ask(|reply| Request::StartOrder(task, asked, instead, reply)).await
    }

    /// Makes replies of what was answered ahead of the task's turn: all is in the requested state.
    pub(super) async fn prefetched(
        &self,
        endpoint: &Endpoint,
        step: &Step,
        before: Vec<Option<PriorOutcome>>,
        outcomes: Vec<Outcome>,
    ) -> VecDeque<Reply> {
        let mut replies = VecDeque::new();
        for ((outcome, order), before) in outcomes.into_iter().zip(&step.orders).zip(before) {
            replies.push_back(match before {
                Some(PriorOutcome::Done { outcome: then, .. })
                    if then.status != Status::Same || !modules::writes(order) =>
                {
                    Reply { outcome: recalled(outcome, Some(then)), ticket: None, before: true }
                }
                None if self.records(order) && !modules::writes(order) => {
                    let ticket = self.start_order(resume_log::asked(order, endpoint), None).await;
                    Reply { outcome, ticket: Some(ticket), before: false }
                }
                _ => Reply { outcome, ticket: None, before: false },
            });
        }
        replies
    }

    /// Has a step done, with what is to be looked at along with it; or takes what was done before. `instead` is the ticket of
    /// an earlier try of the one order.
    ///
    /// # Errors
    /// Why the node is lost.
    pub(super) async fn exchange(
        &self,
        endpoint: &Arc<Endpoint>,
        step: Step,
        before: Vec<Option<PriorOutcome>>,
        instead: Option<u64>,
        mut ahead: Vec<Lookahead>,
        seen: &mut Vec<Prefetched>,
    ) -> Result<VecDeque<Reply>, HostError> {
        let orders = step.orders;
        let plans =
            before.into_iter().zip(&orders).map(|(before, order)| OrderPlan::of(before, order, instead));
        let mut plans: Vec<OrderPlan> = plans.collect();
        let looks: Vec<usize> =
            (0..plans.len()).filter(|index| matches!(plans[*index], OrderPlan::Look { .. })).collect();
        let asks = plans.iter().any(|plan| matches!(plan, OrderPlan::Ask { .. }));
        if !looks.is_empty() {
            let look = |index: &usize| Order { check: true, ..orders[*index].clone() };
            let step = Step { orders: looks.iter().map(look).collect() };
            // Only what stands behind the whole task can be used.
            let along = if asks { Vec::new() } else { std::mem::take(&mut ahead) };
            let looked = self.ask(endpoint, step, along, seen).await?;
            for (index, looked) in looks.into_iter().zip(looked) {
                plans[index] =
                    self.decide(std::mem::replace(&mut plans[index], OrderPlan::afresh(None)), looked);
            }
        }
        self.carry_out(endpoint, &orders, plans, ahead, seen).await
    }

    /// Decides what becomes of an order that was done before, now that it was looked at.
    fn decide(&self, plan: OrderPlan, looked: Outcome) -> OrderPlan {
        let OrderPlan::Look { ticket, outcome, exactly, suspect } = plan else { return plan };
        let (host, title) = (self.host, &self.title);
        match looked.status {
            Status::WouldChange => {
                let text = format!("{title}: it was done before and is different now; running it again");
                self.executor.requests.emit(RunEvent::Verbose { level: 1, host: Some(host.clone()), text });
                return OrderPlan::afresh(Some(ticket));
            }
            Status::Failed => {
                let why = looked.values.get("msg").map(crate::text::python::str).unwrap_or_default();
                self.executor.requests.warn(format!(
                    "{host}: {title}: it was done before, and the re-check failed: {why}; assuming it is done"
                ));
            }
            Status::Unknown if !exactly => self.executor.requests.warn(format!(
                "{host}: {title}: it was done before with other arguments; not running it again"
            )),
            Status::Same => return OrderPlan::Use(recalled(looked, Some(outcome))),
            _ => {}
        }
        let is_suspect = suspect && looked.status == Status::Unknown;
        let is_lost = self.task().register.is_some() && has_secrets(&outcome.values);
        match self.executor.resume.in_doubt {
            InDoubt::Again if is_lost || is_suspect => OrderPlan::afresh(Some(ticket)),
            InDoubt::Stop if is_suspect => OrderPlan::Use(Outcome {
                status: Status::Failed,
                values: map! { "msg" => SUSPECT },
                ..outcome
            }),
            _ if is_lost => {
                OrderPlan::Use(Outcome { status: Status::Failed, values: map! { "msg" => LOST }, ..outcome })
            }
            _ => OrderPlan::Use(outcome),
        }
    }

    /// Asks what is to be asked, and puts all together.
    async fn carry_out(
        &self,
        endpoint: &Arc<Endpoint>,
        orders: &[Order],
        plans: Vec<OrderPlan>,
        ahead: Vec<Lookahead>,
        seen: &mut Vec<Prefetched>,
    ) -> Result<VecDeque<Reply>, HostError> {
        let mut sent = Vec::new();
        let mut tickets = VecDeque::new();
        for (plan, order) in plans.iter().zip(orders) {
            let OrderPlan::Ask { ticket, instead, .. } = plan else { continue };
            let ticket = match ticket {
                _ if !self.records(order) => None,
                Some(ticket) => Some(*ticket),
                None => Some(self.start_order(resume_log::asked(order, endpoint), *instead).await),
            };
            tickets.push_back(ticket);
            sent.push(Order { ticket: ticket.map(|number| self.named(number, order)), ..order.clone() });
        }
        let mut answers: VecDeque<Outcome> = if sent.is_empty() {
            VecDeque::new()
        } else {
            self.ask(endpoint, Step { orders: sent.clone() }, ahead, seen).await?.into()
        };
        let mut replies = VecDeque::new();
        let mut sent = sent.into_iter();
        for plan in plans {
            let then = match plan {
                OrderPlan::Use(outcome) | OrderPlan::Look { outcome, .. } => {
                    replies.push_back(Reply { outcome, ticket: None, before: true });
                    continue;
                }
                OrderPlan::Ask { then, .. } => then,
            };
            let (Some(order), Some(ticket), Some(outcome)) =
                (sent.next(), tickets.pop_front(), answers.pop_front())
            else {
                return Err("the agent answered less than it was asked".to_owned().into());
            };
            let before = then.is_some() && outcome.status != Status::Failed;
            let (outcome, ticket) = match outcome.status {
                Status::Interrupted => self.resolve(endpoint, order, ticket, outcome).await?,
                _ => (recalled(outcome, then), ticket),
            };
            replies.push_back(Reply { outcome, ticket, before });
        }
        Ok(replies)
    }

    /// Does with a step of which nobody knows how far it came what the user has said.
    async fn resolve(
        &self,
        endpoint: &Arc<Endpoint>,
        order: Order,
        ticket: Option<u64>,
        outcome: Outcome,
    ) -> Result<(Outcome, Option<u64>), HostError> {
        match self.executor.resume.in_doubt {
            // Not noted: it stays in doubt.
            InDoubt::Stop => Ok((outcome, None)),
            InDoubt::Done => {
                let values = map! { "msg" => TAKEN_FOR_DONE };
                Ok((Outcome { status: Status::Changed, values, ..outcome }, ticket))
            }
            InDoubt::Again => {
                let number = self.start_order(resume_log::asked(&order, endpoint), ticket).await;
                let order = Order { ticket: Some(self.named(number, &order)), ..order };
                let step = Step { orders: vec![order] };
                let outcomes = self.ask(endpoint, step, Vec::new(), &mut Vec::new()).await?;
                let outcome =
                    outcomes.into_iter().next().ok_or_else(|| "the agent answered nothing".to_owned())?;
                Ok((outcome, Some(number)))
            }
        }
    }

    pub(super) fn named(&self, number: u64, order: &Order) -> Ticket {
        let quiet = self.quiet || order.args.values().any(|value| value.deep_taint().is_secret());
        Ticket { number, quiet, once: order.job.is_none() }
    }

    /// Sends a step, with what is to be looked at along with it.
    async fn ask(
        &self,
        endpoint: &Arc<Endpoint>,
        step: Step,
        ahead: Vec<Lookahead>,
        seen: &mut Vec<Prefetched>,
    ) -> Result<Vec<Outcome>, HostError> {
        let count = step.orders.len();
        // A window goes to one node; what is delegated elsewhere is asked there when its turn comes.
        let ahead: Vec<Lookahead> = ahead.into_iter().filter(|ahead| ahead.endpoint == *endpoint).collect();
        let once = |order: &Order| order.ticket.is_some() || order.check || !modules::writes(order);
        let may_be_asked_again = step.orders.iter().all(once);
        let steps = std::iter::once(step).chain(ahead.iter().map(|ahead| ahead.step.clone())).collect();
        let (connections, screen) = (&self.executor.services.connections, &self.executor.requests);
        let answer = match may_be_asked_again {
            true => connections.ask_once(endpoint, steps, screen).await?,
            false => connections.ask(endpoint, steps, screen).await?,
        };
        let mut answered = answer.steps.into_iter();
        let outcomes = answered.next().unwrap_or_default();
        if outcomes.len() != count {
            return Err(format!("the agent answered {} of {count} orders", outcomes.len()).into());
        }
        for (ahead, outcomes) in ahead.into_iter().zip(answered) {
            if outcomes.iter().any(|outcome| outcome.status != Status::Same) {
                break;
            }
            seen.push(Prefetched { task: ahead.task, step: ahead.step, endpoint: ahead.endpoint, outcomes });
        }
        Ok(outcomes)
    }

    /// Takes the answer that is there already, or asks.
    pub(super) async fn answer(
        &self,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        answers: &mut Answers,
        instead: Option<u64>,
    ) -> Result<Reply, HostError> {
        match answers {
            Some(Ok(replies)) => {
                if let Some(reply) = replies.pop_front() {
                    return Ok(reply);
                }
            }
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        let step = Step { orders: vec![order.clone()] };
        // What was done before was so after the last of its tries.
        let before = if instead.is_none() { self.before(endpoint, &step.orders).await } else { vec![None] };
        let mut replies = self.exchange(endpoint, step, before, instead, Vec::new(), &mut Vec::new()).await?;
        replies.pop_front().ok_or_else(|| "the agent answered nothing".to_owned().into())
    }

    /// Finds out what is known of a job: what came of it, or else its ticket.
    pub(super) async fn job_before(
        &self,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        instead: Option<u64>,
    ) -> Result<KnownJob, HostError> {
        let known =
            if instead.is_none() { self.before(endpoint, slice::from_ref(order)).await.pop() } else { None };
        let mut plan = OrderPlan::of(known.flatten(), order, instead);
        if matches!(plan, OrderPlan::Look { .. }) {
            let step = Step { orders: vec![Order { check: true, ..order.clone() }] };
            let looked = self.ask(endpoint, step, Vec::new(), &mut Vec::new()).await?;
            let looked = looked.into_iter().next().ok_or_else(|| "the agent answered nothing".to_owned())?;
            plan = self.decide(plan, looked);
        }
        Ok(match plan {
            OrderPlan::Use(outcome) | OrderPlan::Look { outcome, .. } => KnownJob::Done(outcome),
            OrderPlan::Ask { ticket: Some(ticket), .. } => KnownJob::Ticket(Some(ticket)),
            OrderPlan::Ask { instead, .. } => {
                let asked = resume_log::asked(order, endpoint);
                KnownJob::Ticket(if self.records(order) {
                    Some(self.start_order(asked, instead).await)
                } else {
                    None
                })
            }
        })
    }

    /// Runs an action that changes its node: it is not run twice either.
    pub(super) async fn run_action_once(
        &self,
        call: &Call,
        name: &str,
        action: NodeAction,
        args: &Map,
    ) -> CallOutcome {
        let records = self.executor.resume.records && !call.keywords.check;
        let asked = resume_log::asked_of_action(name, args, &call.keywords.endpoint);
        let before = if records { self.recall(vec![asked.clone()]).await } else { Vec::new() };
        let in_doubt = self.executor.resume.in_doubt;
        let instead = match before.into_iter().next().flatten() {
            Some(PriorOutcome::Done { outcome, .. }) => return self.was_done(outcome.values),
            Some(PriorOutcome::Begun { .. }) if in_doubt == InDoubt::Stop => {
                return CallOutcome::failed(OUTCOME_UNKNOWN);
            }
            Some(PriorOutcome::Begun { .. }) if in_doubt == InDoubt::Done => {
                return self.was_done(map! { "changed" => true });
            }
            Some(PriorOutcome::Begun { ticket }) => Some(ticket),
            None => None,
        };
        let ticket = if records { Some(self.start_order(asked, instead).await) } else { None };
        let result = Node::new(self.executor, &call.keywords).run_action(name, action, args).await;
        if result.verdict.is_lost() {
            return result;
        }
        let (status, values) = (Status::Changed, result.values.clone());
        let record = CallRecord { ticket, recorded: None, status, values, writes: true, before: false };
        CallOutcome { record: Some(record), ..result }
    }

    /// Returns the result of an action that was done before.
    pub(super) fn was_done(&self, values: Map) -> CallOutcome {
        let changed = values.get("changed").and_then(Value::as_bool).unwrap_or(true);
        let vault = self.executor.services.templar.vault();
        let done = ActionOutcome { changed, values, ..ActionOutcome::default() };
        let (status, values) = (Status::Changed, Map::new());
        let record = CallRecord { ticket: None, recorded: None, status, values, writes: true, before: true };
        CallOutcome { record: Some(record), ..CallOutcome::of_action(Ok(done), &Map::new(), vault) }
    }

    /// Has the outcome of a call recorded, now that it is judged.
    pub(super) fn record_answer(&self, call: &Call, result: &mut CallOutcome, failed: bool) {
        let changed = result.verdict == Verdict::Changed;
        let Some(record) = &mut result.record else { return };
        let Some(ticket) = record.ticket.take() else { return };
        let values = std::mem::take(&mut record.values);
        let values = match record.status {
            // It will be asked again, and answer again.
            Status::Same if record.writes => Map::new(),
            _ if call.keywords.no_log => hidden(values),
            _ => values,
        };
        let note = Note::Answered { ticket, status: record.status, values, failed, changed };
        self.executor.requests.send(Request::Record(note));
        self.executor.services.connections.acknowledge(&call.keywords.endpoint, ticket);
        record.recorded = Some(ticket);
    }
}
