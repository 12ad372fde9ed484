//! Orders sent, each with a ticket, and in a run that is resumed what was done before instead of doing it again.
//!
//! An answer from before is looked at again: what can be compared and is different now is done again, what cannot be known
//! without doing it is not. The playbook sees the answer from before, and decides as it did.

use std::collections::VecDeque;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use convoy_agent::modules;
use convoy_protocol::message::{Order, Step, Ticket};
use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::ahead::{Ahead, Seen};
use super::collected::hidden;
use super::endpoint::Endpoint;
use super::event::{Note, RunEvent, Verdict};
use super::job::Call;
use super::lost::Lost;
use super::memory::{self, Before, InDoubt, TaskKey};
use super::node::Node;
use super::perform::{Answers, Doing};
use super::result::{Asked, BROKEN, CallResult};
use super::within::Within;
use crate::actions::{Conversation, Done};

/// What a node said of one order.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    /// Its ticket, if it has one and the answer is not noted yet.
    pub(super) ticket: Option<u64>,
    /// Whether that was before the run was resumed.
    pub(super) before: bool,
}

/// What is known of a job.
pub(super) enum Known {
    /// It was done before the run was resumed.
    Done(Outcome),
    /// Its ticket, if it has one; it may have begun.
    Ticket(Option<u64>),
}

/// What is to be done about an order.
enum Plan {
    /// This answer from before counts.
    Use(Outcome),
    /// It is looked at, and then decided.
    Look { ticket: u64, outcome: Outcome, exactly: bool, suspect: bool },
    /// It is done, or asked again; in the place of an earlier try.
    Ask { ticket: Option<u64>, instead: Option<u64>, then: Option<Outcome> },
}

impl Plan {
    fn afresh(instead: Option<u64>) -> Self {
        Self::Ask { ticket: None, instead, then: None }
    }

    fn of(before: Option<Before>, order: &Order, instead: Option<u64>) -> Self {
        let (ticket, outcome, exactly, suspect) = match before {
            None => return Self::afresh(instead),
            Some(Before::Begun { ticket }) => {
                return Self::Ask { ticket: Some(ticket), instead: None, then: None };
            }
            Some(Before::Done { ticket, outcome, exactly, suspect }) => (ticket, outcome, exactly, suspect),
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
pub(super) fn asked(
    result: CallResult,
    order: &Order,
    status: Status,
    ticket: Option<u64>,
    before: bool,
) -> CallResult {
    let values = if ticket.is_some() { result.values.clone() } else { Map::new() };
    let asked = Asked { ticket, noted: None, status, values, writes: modules::writes(order), before };
    CallResult { disturbed: result.disturbed && !before, asked: Some(asked), ..result }
}

/// Returns whether what an order answers is of use when the run is resumed: facts are gathered again.
fn is_noted(order: &Order) -> bool {
    !order.check && !matches!(&*order.module, "setup" | "gather_facts")
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

/// What is said of a step that the user knows to be done.
pub(super) const TAKEN_FOR_DONE: &str = "taken for done, as --in-doubt=done says";

/// What is said where a task registers a result that is secret, so that the journal does not have it.
const LOST: &str = "this was done before the run was resumed, and its result, which is secret, was not kept: it cannot be \
    registered, and is not done again by itself; `convoy resume --in-doubt=again` does it again";

/// What is said of a step after which a rescue ran.
const SUSPECT: &str = "this was done before the run was resumed, but then a rescue ran, which may have undone it, and failed: \
    it is not done again by itself. Look at the node; then `convoy resume --in-doubt=again` does it again, and `convoy resume \
    --in-doubt=done` goes on behind it";

impl Doing<'_> {
    fn key(&self) -> &TaskKey {
        self.key.get_or_init(|| TaskKey {
            play: self.engine.play_number.get(),
            host: self.host.clone(),
            task: memory::task(self.task()),
        })
    }

    /// Takes what is known of orders from before.
    pub(super) fn before(&self, endpoint: &Endpoint, orders: &[Order]) -> Vec<Option<Before>> {
        if self.engine.memory.is_empty() {
            return vec![None; orders.len()];
        }
        let asked: Vec<Arc<str>> = orders.iter().map(|order| memory::asked(order, endpoint)).collect();
        self.recall(&asked)
    }

    /// Takes what is known of what would be asked now. Where it was asked in a block, the journal learns of that block again: what
    /// is set in it from now on is noted.
    fn recall(&self, asked: &[Arc<str>]) -> Vec<Option<Before>> {
        let known = self.engine.memory.take(self.key(), asked);
        if known.iter().any(Option::is_some) {
            self.blocks();
        }
        known
    }

    /// Returns the numbers of the blocks with `undo:` that the task is in.
    fn blocks(&self) -> Vec<u64> {
        let placed = self.placed();
        let begin = |within: &Rc<Within>| within.begin(self.engine, self.host, &placed);
        self.within.iter().map(begin).collect()
    }

    /// Notes that something is about to be asked, and returns its ticket.
    pub(super) fn begin(&self, asked: Arc<str>, instead: Option<u64>) -> u64 {
        let ticket = self.engine.memory.ticket();
        let TaskKey { play, host, task } = self.key().clone();
        let blocks = self.blocks();
        self.engine.note(Note::Begun { ticket, host, play, task, asked, instead, blocks });
        ticket
    }

    /// Makes replies of what was seen ahead: all as asked.
    pub(super) fn seen(
        &self,
        endpoint: &Endpoint,
        step: &Step,
        before: Vec<Option<Before>>,
        outcomes: Vec<Outcome>,
    ) -> VecDeque<Reply> {
        let reply = |((outcome, order), before): ((Outcome, &Order), Option<Before>)| match before {
            Some(Before::Done { outcome: then, .. })
                if then.status != Status::Same || !modules::writes(order) =>
            {
                Reply { outcome: recalled(outcome, Some(then)), ticket: None, before: true }
            }
            None if self.engine.memory.keeps && is_noted(order) && !modules::writes(order) => {
                let ticket = self.begin(memory::asked(order, endpoint), None);
                Reply { outcome, ticket: Some(ticket), before: false }
            }
            _ => Reply { outcome, ticket: None, before: false },
        };
        outcomes.into_iter().zip(&step.orders).zip(before).map(reply).collect()
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
        before: Vec<Option<Before>>,
        instead: Option<u64>,
        mut ahead: Vec<Ahead>,
        seen: &mut Vec<Seen>,
    ) -> Result<VecDeque<Reply>, Lost> {
        let orders = step.orders;
        let plans = before.into_iter().zip(&orders).map(|(before, order)| Plan::of(before, order, instead));
        let mut plans: Vec<Plan> = plans.collect();
        let looks: Vec<usize> =
            (0..plans.len()).filter(|index| matches!(plans[*index], Plan::Look { .. })).collect();
        let asks = plans.iter().any(|plan| matches!(plan, Plan::Ask { .. }));
        if !looks.is_empty() {
            let look = |index: &usize| Order { check: true, ..orders[*index].clone() };
            let step = Step { orders: looks.iter().map(look).collect() };
            // Only what stands behind the whole task can be used.
            let along = if asks { Vec::new() } else { std::mem::take(&mut ahead) };
            let looked = self.ask(endpoint, step, along, seen).await?;
            for (index, looked) in looks.into_iter().zip(looked) {
                plans[index] = self.decide(std::mem::replace(&mut plans[index], Plan::afresh(None)), looked);
            }
        }
        self.carry_out(endpoint, &orders, plans, ahead, seen).await
    }

    /// Decides what becomes of an order that was done before, now that it was looked at.
    fn decide(&self, plan: Plan, looked: Outcome) -> Plan {
        let Plan::Look { ticket, outcome, exactly, suspect } = plan else { return plan };
        let (host, title) = (self.host, &self.title);
        match looked.status {
            Status::WouldChange => {
                let text = format!("{title}: it was done before, and is different now: it is done again");
                self.engine.tell(RunEvent::Verbose { level: 1, host: Some(host.clone()), text });
                return Plan::afresh(Some(ticket));
            }
            Status::Failed => {
                let why = looked.values.get("msg").map(crate::python::str).unwrap_or_default();
                self.engine.warn(format!(
                    "{host}: {title}: it was done before, and cannot be looked at again: {why}; it is taken for done"
                ));
            }
            Status::Unknown if !exactly => self.engine.warn(format!(
                "{host}: {title}: it was done before, with other arguments than it has now; it is not done again"
            )),
            Status::Same => return Plan::Use(recalled(looked, Some(outcome))),
            _ => {}
        }
        let is_suspect = suspect && looked.status == Status::Unknown;
        let is_lost = self.task().register.is_some() && has_secrets(&outcome.values);
        match self.engine.memory.in_doubt {
            InDoubt::Again if is_lost || is_suspect => Plan::afresh(Some(ticket)),
            InDoubt::Stop if is_suspect => {
                Plan::Use(Outcome { status: Status::Failed, values: map! { "msg" => SUSPECT }, ..outcome })
            }
            _ if is_lost => {
                Plan::Use(Outcome { status: Status::Failed, values: map! { "msg" => LOST }, ..outcome })
            }
            _ => Plan::Use(outcome),
        }
    }

    /// Asks what is to be asked, and puts all together.
    async fn carry_out(
        &self,
        endpoint: &Arc<Endpoint>,
        orders: &[Order],
        plans: Vec<Plan>,
        ahead: Vec<Ahead>,
        seen: &mut Vec<Seen>,
    ) -> Result<VecDeque<Reply>, Lost> {
        let mut sent = Vec::new();
        let mut tickets = VecDeque::new();
        for (plan, order) in plans.iter().zip(orders) {
            let Plan::Ask { ticket, instead, .. } = plan else { continue };
            let noted = self.engine.memory.keeps && is_noted(order);
            let ticket =
                noted.then(|| ticket.unwrap_or_else(|| self.begin(memory::asked(order, endpoint), *instead)));
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
                Plan::Use(outcome) | Plan::Look { outcome, .. } => {
                    replies.push_back(Reply { outcome, ticket: None, before: true });
                    continue;
                }
                Plan::Ask { then, .. } => then,
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
    ) -> Result<(Outcome, Option<u64>), Lost> {
        match self.engine.memory.in_doubt {
            // Not noted: it stays in doubt.
            InDoubt::Stop => Ok((outcome, None)),
            InDoubt::Done => {
                let values = map! { "msg" => TAKEN_FOR_DONE };
                Ok((Outcome { status: Status::Changed, values, ..outcome }, ticket))
            }
            InDoubt::Again => {
                let number = self.begin(memory::asked(&order, endpoint), ticket);
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
        ahead: Vec<Ahead>,
        seen: &mut Vec<Seen>,
    ) -> Result<Vec<Outcome>, Lost> {
        let count = step.orders.len();
        // A window goes to one node; what is delegated elsewhere is asked there when its turn comes.
        let ahead: Vec<Ahead> = ahead.into_iter().filter(|ahead| ahead.endpoint == *endpoint).collect();
        let once = |order: &Order| order.ticket.is_some() || order.check || !modules::writes(order);
        let may_be_asked_again = step.orders.iter().all(once);
        let steps = std::iter::once(step).chain(ahead.iter().map(|ahead| ahead.step.clone())).collect();
        let (connections, screen) = (&self.engine.connections, &self.engine.reporter);
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
            seen.push(Seen { task: ahead.task, step: ahead.step, endpoint: ahead.endpoint, outcomes });
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
    ) -> Result<Reply, Lost> {
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
        let before = if instead.is_none() { self.before(endpoint, &step.orders) } else { vec![None] };
        let mut replies = self.exchange(endpoint, step, before, instead, Vec::new(), &mut Vec::new()).await?;
        replies.pop_front().ok_or_else(|| "the agent answered nothing".to_owned().into())
    }

    /// Finds out what is known of a job: what came of it, or else its ticket.
    pub(super) async fn job_before(
        &self,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        instead: Option<u64>,
    ) -> Result<Known, Lost> {
        let known =
            if instead.is_none() { self.before(endpoint, slice::from_ref(order)).pop() } else { None };
        let mut plan = Plan::of(known.flatten(), order, instead);
        if matches!(plan, Plan::Look { .. }) {
            let step = Step { orders: vec![Order { check: true, ..order.clone() }] };
            let looked = self.ask(endpoint, step, Vec::new(), &mut Vec::new()).await?;
            let looked = looked.into_iter().next().ok_or_else(|| "the agent answered nothing".to_owned())?;
            plan = self.decide(plan, looked);
        }
        Ok(match plan {
            Plan::Use(outcome) | Plan::Look { outcome, .. } => Known::Done(outcome),
            Plan::Ask { ticket: Some(ticket), .. } => Known::Ticket(Some(ticket)),
            Plan::Ask { instead, .. } => {
                let keeps = self.engine.memory.keeps && is_noted(order);
                Known::Ticket(keeps.then(|| self.begin(memory::asked(order, endpoint), instead)))
            }
        })
    }

    /// Has an action talk with its node that does something to it: it is not done twice either.
    pub(super) async fn talk(&self, call: &Call, name: &str, talk: Conversation, args: &Map) -> CallResult {
        let keeps = self.engine.memory.keeps && !call.flags.check;
        let said = memory::said(name, args, &call.flags.endpoint);
        let before = if keeps { self.recall(slice::from_ref(&said)) } else { Vec::new() };
        let in_doubt = self.engine.memory.in_doubt;
        let instead = match before.into_iter().next().flatten() {
            Some(Before::Done { outcome, .. }) => return self.was_done(outcome.values),
            Some(Before::Begun { .. }) if in_doubt == InDoubt::Stop => return CallResult::failed(BROKEN),
            Some(Before::Begun { .. }) if in_doubt == InDoubt::Done => {
                return self.was_done(map! { "changed" => true });
            }
            Some(Before::Begun { ticket }) => Some(ticket),
            None => None,
        };
        let ticket = keeps.then(|| self.begin(said, instead));
        let result = Node::new(self.engine, &call.flags).hear(name, talk, args).await;
        if result.verdict.is_lost() {
            return result;
        }
        let (status, values) = (Status::Changed, result.values.clone());
        let asked = Asked { ticket, noted: None, status, values, writes: true, before: false };
        CallResult { asked: Some(asked), ..result }
    }

    /// Returns the result of an action that was done before.
    pub(super) fn was_done(&self, values: Map) -> CallResult {
        let changed = values.get("changed").and_then(Value::as_bool).unwrap_or(true);
        let vault = self.engine.templar.vault();
        let done = Done { changed, values, ..Done::default() };
        let (status, values) = (Status::Changed, Map::new());
        let asked = Asked { ticket: None, noted: None, status, values, writes: true, before: true };
        CallResult { asked: Some(asked), ..CallResult::of_action(Ok(done), &Map::new(), vault) }
    }

    /// Notes what a call has come to, now that it is judged.
    pub(super) fn note_answer(&self, call: &Call, result: &mut CallResult, failed: bool) {
        let Some(asked) = &mut result.asked else { return };
        let Some(ticket) = asked.ticket.take() else { return };
        let values = std::mem::take(&mut asked.values);
        let values = match asked.status {
            // It will be asked again, and answer again.
            Status::Same if asked.writes => Map::new(),
            _ if call.flags.no_log => hidden(values),
            _ => values,
        };
        self.engine.note(Note::Answered {
            ticket,
            status: asked.status,
            values,
            failed,
            changed: result.verdict == Verdict::Changed,
        });
        self.engine.connections.acknowledge(&call.flags.endpoint, ticket);
        asked.noted = Some(ticket);
    }
}
