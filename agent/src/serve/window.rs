//! Windows: the controller's batches of orders. The first step of a window is executed. The steps after it are checked
//! ahead of time, and their outcomes count as long as nothing would change.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use convoy_protocol::frame::FrameError;
use convoy_protocol::lock::Refusal;
use convoy_protocol::message::{Answer, Become, FromAgent, Hello, JobAsk, Order, Step, Ticket, Window};
use convoy_protocol::{Outcome, Status, map};

use crate::failure::Failure;
use crate::modules;
use crate::serve::become_user::{OrderError, UserAgents};
use crate::serve::deadline::{GRACE, GRACE_OF_CHILD};
use crate::serve::frame_writer::FrameWriter;
use crate::serve::jobs::{self, Jobs};
use crate::state::lock::{Lock, PATIENCE};
use crate::state::order_log::{OrderLog, PriorState};
use crate::sync::lock;
use crate::system::System;

/// The progress of the current window. Whoever takes `running` out sends the answer: the worker, or the `watch` thread if the
/// worker's order hangs.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    running: Mutex<Option<Running>>,
    stopped: AtomicBool,
    given_up: AtomicBool,
}

#[derive(Debug)]
struct Running {
    answer: Answer,
    /// The outcomes of the running step, if it is the first.
    first: Option<Vec<Outcome>>,
    /// The number of orders in that step.
    orders: usize,
    /// The running order's module, its limit in seconds, and the time at which it is given up.
    deadline: Option<(String, u32, Instant)>,
}

impl Progress {
    /// Returns the answer to a window whose running order is long past its deadline.
    pub(crate) fn overdue(&self) -> Option<Answer> {
        let mut running = lock(&self.running);
        let is_late =
            running.as_ref().and_then(|r| r.deadline.as_ref()).is_some_and(|(.., at)| Instant::now() > *at);
        let Running { mut answer, first, orders, deadline } = running.take_if(|_| is_late)?;
        let (module, seconds, _) = deadline?;
        if let Some(mut outcomes) = first {
            outcomes.push(Outcome::from(timed_out(&module, seconds)));
            let others = "not run because an earlier item of the loop timed out";
            outcomes.resize_with(orders, || Outcome::from(Failure::new(others)));
            answer.steps.push(outcomes);
        }
        Some(answer)
    }

    /// Prevents further orders from starting, because no controller will read their outcomes.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        lock(&self.running).take();
    }

    /// Records that the processes of the running order were killed, so that its outcome must not be stored.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn update(&self, change: impl FnOnce(&mut Running)) {
        if let Some(running) = lock(&self.running).as_mut() {
            change(running);
        }
    }
}

fn timed_out(module: &str, seconds: u32) -> Failure {
    Failure::new(format!(
        "The {module} action failed to execute in the expected time frame ({seconds}) and was terminated"
    ))
}

/// Why no further window is run.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// The connection to the controller was lost.
    Disconnected,
    /// Another run works here.
    Refused(Box<Refusal>),
}

impl From<FrameError> for StopReason {
    fn from(_: FrameError) -> Self {
        StopReason::Disconnected
    }
}

impl From<Box<Refusal>> for StopReason {
    fn from(refusal: Box<Refusal>) -> Self {
        Self::Refused(refusal)
    }
}

/// Runs windows, one after the other.
pub(crate) struct Worker<'s> {
    pub(crate) system: System,
    pub(crate) lock: Lock,
    /// The name of the user.
    pub(crate) user: String,
    /// Creates a replacement for `system` after a panic.
    pub(crate) new_system: &'s dyn Fn() -> System,
    pub(crate) user_agents: UserAgents,
    pub(crate) jobs: Jobs,
    pub(crate) progress: &'s Progress,
    /// Set to stop the current look-ahead.
    pub(crate) cancelled: &'s AtomicBool,
    /// The outcomes of orders with a ticket.
    pub(crate) order_log: OrderLog,
    /// Returns whether content was missing because the connection was lost. An order that failed may have failed for that
    /// reason.
    pub(crate) is_starved: &'s dyn Fn() -> bool,
}

impl Worker<'_> {
    /// Sets the run.
    pub(crate) fn begin_run(&mut self, hello: Hello) {
        self.lock.begin_run(&hello);
        self.order_log = OrderLog::of(&hello.run);
        self.jobs.begin_run(&hello);
        self.user_agents.begin_run(hello);
    }

    /// Runs one window and sends its answer.
    ///
    /// # Errors
    /// Fails if the connection was lost or another run works here. No answer is sent then.
    pub(crate) fn run_window(&mut self, window: &Window, writer: &FrameWriter) -> Result<(), StopReason> {
        *lock(&self.progress.running) = Some(Running {
            answer: Answer { window: window.id, steps: Vec::new() },
            first: None,
            orders: 0,
            deadline: None,
        });
        for (index, step) in window.steps.iter().enumerate() {
            let first = index == 0;
            if self.progress.is_stopped() || !first && self.cancelled.load(Ordering::Relaxed) {
                break;
            }
            let outcomes = match self.run_step(step, first, window.execute, writer) {
                Ok(outcomes) => outcomes,
                Err(stop) => {
                    lock(&self.progress.running).take();
                    return Err(stop);
                }
            };
            let same = outcomes.iter().all(|outcome| outcome.status == Status::Same);
            if same || first {
                self.progress.update(|running| running.answer.steps.push(outcomes));
            }
            if !same {
                break;
            }
        }
        self.cancelled.store(false, Ordering::Relaxed);
        match lock(&self.progress.running).take() {
            Some(running) => Ok(answer(running.answer, writer)?),
            None => Ok(()),
        }
    }

    fn run_step(
        &mut self,
        step: &Step,
        first: bool,
        execute: bool,
        writer: &FrameWriter,
    ) -> Result<Vec<Outcome>, StopReason> {
        let mut outcomes = Vec::new();
        for order in &step.orders {
            if self.progress.is_stopped() {
                break;
            }
            // The wait for the lock does not count toward the order's time limit.
            if first && execute {
                self.take_lock(order, writer)?;
            }
            let grace = if order.become_user.is_some() { GRACE_OF_CHILD } else { GRACE };
            let deadline = order.deadline_seconds.map(|seconds| {
                let at = Instant::now() + Duration::from_secs(seconds.into()) + grace;
                (order.module.to_string(), seconds, at)
            });
            self.progress.update(|running| {
                running.first = first.then(|| outcomes.clone());
                running.orders = step.orders.len();
                running.deadline = deadline;
            });
            let may_change = first && execute && !order.check && modules::writes(order);
            let outcome = match order.ticket.filter(|ticket| ticket.once && may_change) {
                Some(ticket) => self.run_once(order, ticket)?,
                None => self.run_order(order, first && execute)?,
            };
            self.progress.update(|running| (running.first, running.deadline) = (None, None));
            let same = outcome.status == Status::Same;
            outcomes.push(outcome);
            if !first && !same {
                break;
            }
        }
        Ok(outcomes)
    }

    /// Executes an order that may have been sent before.
    fn run_once(&mut self, order: &Order, ticket: Ticket) -> Result<Outcome, StopReason> {
        let progress = self.progress;
        let (entry, outcome) = match self.order_log.begin(ticket, || !progress.is_stopped()) {
            Err(failure) => return Ok(Outcome::from(failure)),
            Ok(PriorState::Done(entry, outcome)) => match self.still_holds(order, &outcome)? {
                true => return Ok(outcome),
                false => (entry, self.run_order(order, true)?),
            },
            Ok(PriorState::NotStarted(entry)) => match self.run_order(order, true) {
                Ok(outcome) => (entry, outcome),
                Err(reason) => {
                    // Nothing was started.
                    self.order_log.forget(&[ticket.number]);
                    return Err(reason);
                }
            },
            Ok(PriorState::Interrupted(entry)) => (entry, self.recover(order)?),
        };
        let given_up = progress.given_up.load(Ordering::SeqCst) || (self.is_starved)();
        if outcome.status != Status::Interrupted && !given_up {
            entry.done(&outcome, ticket.quiet);
        }
        Ok(outcome)
    }

    /// Returns whether an outcome still holds, as far as the module can check: later changes may have undone it.
    fn still_holds(&mut self, order: &Order, outcome: &Outcome) -> Result<bool, StopReason> {
        Ok(outcome.status == Status::Failed || self.run_order(order, false)?.status != Status::WouldChange)
    }

    /// Recovers an interrupted order. If the node is in the requested state, the interrupted order may have brought it there.
    fn recover(&mut self, order: &Order) -> Result<Outcome, StopReason> {
        let checked = self.run_order(order, false)?;
        let outcome = match checked.status {
            Status::Unknown => Outcome { status: Status::Interrupted, ..checked },
            Status::WouldChange => self.run_order(order, true)?,
            _ => checked,
        };
        Ok(match outcome.status {
            Status::Same | Status::Ran => Outcome { status: Status::Changed, ..outcome },
            _ => outcome,
        })
    }

    /// Takes the lock if the order needs it. An order for another user is left to that user's agent.
    fn take_lock(&mut self, order: &Order, writer: &FrameWriter) -> Result<(), StopReason> {
        if order.check || !self.lock.is_due(modules::writes(order)) || self.other(order).is_some() {
            return Ok(());
        }
        let taken = self.lock.take(PATIENCE, &self.user, || self.progress.is_stopped())?;
        Ok(writer.send(&FromAgent::LockTaken(taken))?)
    }

    fn run_order(&mut self, order: &Order, execute: bool) -> Result<Outcome, StopReason> {
        if let Some(other) = self.other(order) {
            return match self.user_agents.execute(other, order, execute) {
                Ok(outcome) => Ok(outcome),
                Err(OrderError::Failed(failure)) => Ok(Outcome::from(failure)),
                Err(OrderError::Refused(refusal)) => Err(refusal.into()),
            };
        }
        let only_checks = order.check || !execute;
        if let Some(job) =
            order.job.as_ref().filter(|job| !only_checks || !matches!(job.ask, JobAsk::Begin { .. }))
        {
            return Ok(self.jobs.execute(job, order, &self.system).unwrap_or_else(Outcome::from));
        }
        self.system.begin(order);
        let mut outcome = modules::run(order, execute, &mut self.system).unwrap_or_else(|failure| {
            self.system = (self.new_system)();
            Outcome::from(failure)
        });
        if order.job.is_some() && outcome.status != Status::Failed {
            outcome.values.insert("detached".into(), jobs::plan(&self.system).into());
        }
        Ok(outcome)
    }

    /// Returns the user to become for the order, if that is another user.
    fn other<'o>(&self, order: &'o Order) -> Option<&'o Become> {
        order.become_user.as_ref().filter(|other| !self.is_own_user(&other.user))
    }

    fn is_own_user(&self, name: &str) -> bool {
        self.system.user(name).is_some_and(|user| user.uid == self.system.uid())
    }
}

/// Sends an answer. If it is too large, leaves out the look-ahead; if it is still too large, leaves out the results.
pub(crate) fn answer(mut answer: Answer, writer: &FrameWriter) -> Result<(), FrameError> {
    let message = FromAgent::Answer(answer);
    let sent = writer.send(&message);
    let (Err(FrameError::TooLarge(_)), FromAgent::Answer(unsent)) = (&sent, message) else { return sent };
    answer = unsent;
    answer.steps.truncate(1);
    let message = FromAgent::Answer(answer);
    let sent = writer.send(&message);
    let (Err(error @ FrameError::TooLarge(_)), FromAgent::Answer(mut first)) = (&sent, message) else {
        return sent;
    };
    for outcome in first.steps.iter_mut().flatten() {
        let status = format!("{:?}", outcome.status);
        let text = format!("the result cannot be sent: {error}; its status was {status}");
        *outcome = Outcome {
            values: map! { "msg" => text },
            diff: Vec::new(),
            status: Status::Failed,
            offer: None,
            ..*outcome
        };
    }
    writer.send(&FromAgent::Answer(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::frame::{self, MAX_FRAME};
    use std::io::{self, Write};
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outcome(status: Status, text: String) -> Outcome {
        Outcome { status, values: map! { "stdout" => text }, diff: Vec::new(), offer: None, millis: 7 }
    }

    fn sent(steps: Vec<Vec<Outcome>>) -> Vec<Vec<Outcome>> {
        let sink = Sink::default();
        answer(Answer { window: 1, steps }, &FrameWriter::new(sink.clone())).unwrap();
        let bytes = lock(&sink.0).clone();
        let Some(FromAgent::Answer(answer)) = frame::read(&mut &bytes[..]).unwrap() else {
            panic!("no answer")
        };
        answer.steps
    }

    #[test]
    fn a_too_large_answer_is_replaced_by_a_failure() {
        let small = || vec![outcome(Status::Same, "x".into())];
        let large = |status| vec![outcome(status, "x".repeat(MAX_FRAME))];
        assert_eq!(sent(vec![small(), large(Status::Same)]), [small()], "unchanged outcomes are left out");
        let steps = sent(vec![large(Status::Changed)]);
        let msg = steps[0][0].values.get("msg").and_then(|msg| msg.as_str()).unwrap();
        let (begin, end) = ("the result cannot be sent: a message of ", "its status was Changed");
        assert!(msg.starts_with(begin) && msg.ends_with(end), "{msg}");
        assert_eq!((steps[0][0].status, steps[0].len()), (Status::Failed, 1));
    }

    #[test]
    fn a_hanging_order_is_answered_by_the_watcher() {
        let progress = Progress::default();
        let hang = |at| {
            *lock(&progress.running) = Some(Running {
                answer: Answer { window: 3, steps: Vec::new() },
                first: Some(vec![outcome(Status::Same, "x".into())]),
                orders: 3,
                deadline: Some(("command".into(), 5, at)),
            });
        };
        hang(Instant::now() + Duration::from_secs(1000));
        assert!(progress.overdue().is_none());
        hang(Instant::now() - Duration::from_millis(1));
        let steps = progress.overdue().unwrap().steps;
        let msg = |outcome: &Outcome| outcome.values.get("msg").map(|msg| format!("{msg:?}"));
        assert_eq!(
            steps[0].iter().map(|o| o.status).collect::<Vec<_>>(),
            [Status::Same, Status::Failed, Status::Failed]
        );
        assert_eq!(
            msg(&steps[0][1]).unwrap(),
            r#""The command action failed to execute in the expected time frame (5) and was terminated""#
        );
        assert!(progress.overdue().is_none(), "it is answered once");
    }
}
