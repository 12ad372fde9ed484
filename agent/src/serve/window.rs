//! Windows: the first step in earnest, a look at the others.

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

/// What is known of the window being done. Whoever takes it out answers: the one who does the work, or the one who
/// watches.
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
    /// How many orders that step has.
    orders: usize,
    /// The running order's module, its limit in seconds and when it is given up.
    late: Option<(String, u32, Instant)>,
}

impl Progress {
    /// Returns the answer to a window whose running order is long past its deadline.
    pub(crate) fn overdue(&self) -> Option<Answer> {
        let mut running = lock(&self.running);
        let late =
            running.as_ref().and_then(|r| r.late.as_ref()).is_some_and(|(.., at)| Instant::now() > *at);
        let Running { mut answer, first, orders, late } = running.take_if(|_| late)?;
        let (module, seconds, _) = late?;
        if let Some(mut outcomes) = first {
            outcomes.push(Outcome::from(timed_out(&module, seconds)));
            let others = "not done, since an earlier item of the loop was given up";
            outcomes.resize_with(orders, || Outcome::from(Failure::new(others)));
            answer.steps.push(outcomes);
        }
        Some(answer)
    }

    /// Lets no further order begin: nobody is there any more to hear of it.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        lock(&self.running).take();
    }

    /// Notes that what the running order has started is killed: what comes of it says nothing.
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

/// Why no further window is done.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// The controller is gone.
    Disconnected,
    /// The run may not work here.
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

/// Does windows, one after the other.
pub(crate) struct Worker<'s> {
    pub(crate) system: System,
    pub(crate) lock: Lock,
    /// How the user is called.
    pub(crate) user: String,
    /// Makes another `system` where one cannot be trusted any more.
    pub(crate) new_system: &'s dyn Fn() -> System,
    pub(crate) user_agents: UserAgents,
    pub(crate) jobs: Jobs,
    pub(crate) progress: &'s Progress,
    /// Set while looking ahead is not wanted.
    pub(crate) cancelled: &'s AtomicBool,
    /// What came of orders with a ticket.
    pub(crate) order_log: OrderLog,
    /// Whether content is missing since the controller is gone: what failed may have failed for that.
    pub(crate) is_starved: &'s dyn Fn() -> bool,
}

impl Worker<'_> {
    /// Takes note of the run.
    pub(crate) fn begin_run(&mut self, hello: Hello) {
        self.lock.begin_run(&hello);
        self.order_log = OrderLog::of(&hello.run);
        self.jobs.begin_run(&hello);
        self.user_agents.begin_run(hello);
    }

    /// Does one window and sends its answer.
    ///
    /// # Errors
    /// If the controller is gone, or the run may not work here: then nobody answers.
    pub(crate) fn run_window(&mut self, window: &Window, writer: &FrameWriter) -> Result<(), StopReason> {
        *lock(&self.progress.running) = Some(Running {
            answer: Answer { window: window.id, steps: Vec::new() },
            first: None,
            orders: 0,
            late: None,
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
            // Before the time of the order runs.
            if first && execute {
                self.take_lock(order, writer)?;
            }
            let grace = if order.become_user.is_some() { GRACE_OF_CHILD } else { GRACE };
            let late = order.deadline_seconds.map(|seconds| {
                let at = Instant::now() + Duration::from_secs(seconds.into()) + grace;
                (order.module.to_string(), seconds, at)
            });
            self.progress.update(|running| {
                running.first = first.then(|| outcomes.clone());
                running.orders = step.orders.len();
                running.late = late;
            });
            let does = first && execute && !order.check && modules::writes(order);
            let outcome = match order.ticket.filter(|ticket| ticket.once && does) {
                Some(ticket) => self.run_once(order, ticket)?,
                None => self.run_order(order, first && execute)?,
            };
            self.progress.update(|running| (running.first, running.late) = (None, None));
            let same = outcome.status == Status::Same;
            outcomes.push(outcome);
            if !first && !same {
                break;
            }
        }
        Ok(outcomes)
    }

    /// Does an order in earnest that may have been asked for before.
    fn run_once(&mut self, order: &Order, ticket: Ticket) -> Result<Outcome, StopReason> {
        let progress = self.progress;
        let (note, outcome) = match self.order_log.begin(ticket, || !progress.is_stopped()) {
            Err(failure) => return Ok(Outcome::from(failure)),
            Ok(PriorState::Done(note, outcome)) => match self.still_holds(order, &outcome)? {
                true => return Ok(outcome),
                false => (note, self.run_order(order, true)?),
            },
            Ok(PriorState::NotStarted(note)) => match self.run_order(order, true) {
                Ok(outcome) => (note, outcome),
                Err(refused) => {
                    // Nothing was begun.
                    self.order_log.forget(&[ticket.number]);
                    return Err(refused);
                }
            },
            Ok(PriorState::Interrupted(note)) => (note, self.recover(order)?),
        };
        let given_up = progress.given_up.load(Ordering::SeqCst) || (self.is_starved)();
        if outcome.status != Status::Interrupted && !given_up {
            note.done(&outcome, ticket.quiet);
        }
        Ok(outcome)
    }

    /// Returns whether what an order has come to still is so, as far as that can be seen: what was done since then may have
    /// changed it.
    fn still_holds(&mut self, order: &Order, outcome: &Outcome) -> Result<bool, StopReason> {
        Ok(outcome.status == Status::Failed || self.run_order(order, false)?.status != Status::WouldChange)
    }

    /// Goes on with an order that was broken off. What is as asked now may be so since then.
    fn recover(&mut self, order: &Order) -> Result<Outcome, StopReason> {
        let looked = self.run_order(order, false)?;
        let outcome = match looked.status {
            Status::Unknown => Outcome { status: Status::Interrupted, ..looked },
            Status::WouldChange => self.run_order(order, true)?,
            _ => looked,
        };
        Ok(match outcome.status {
            Status::Same | Status::Ran => Outcome { status: Status::Changed, ..outcome },
            _ => outcome,
        })
    }

    /// Takes the lock if the order needs it. The agent of another user takes that user's.
    fn take_lock(&mut self, order: &Order, writer: &FrameWriter) -> Result<(), StopReason> {
        if order.check || !self.lock.is_due(modules::writes(order)) || self.other(order).is_some() {
            return Ok(());
        }
        let entry = self.lock.take(PATIENCE, &self.user, || self.progress.is_stopped())?;
        Ok(writer.send(&FromAgent::LockTaken(entry))?)
    }

    fn run_order(&mut self, order: &Order, execute: bool) -> Result<Outcome, StopReason> {
        if let Some(other) = self.other(order) {
            return match self.user_agents.ask(other, order, execute) {
                Ok(outcome) => Ok(outcome),
                Err(OrderError::Failed(failure)) => Ok(Outcome::from(failure)),
                Err(OrderError::Refused(refusal)) => Err(refusal.into()),
            };
        }
        let looks = order.check || !execute;
        if let Some(job) = order.job.as_ref().filter(|job| !looks || !matches!(job.ask, JobAsk::Begin { .. }))
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

    /// Returns the user as whom the order is to be done, if that is another one.
    fn other<'o>(&self, order: &'o Order) -> Option<&'o Become> {
        order.become_user.as_ref().filter(|other| !self.is_me(&other.user))
    }

    fn is_me(&self, name: &str) -> bool {
        self.system.user(name).is_some_and(|user| user.uid == self.system.uid())
    }
}

/// Sends an answer. If it is too large, without what was only looked at; if that is not enough, without results.
pub(crate) fn answer(mut answer: Answer, writer: &FrameWriter) -> Result<(), FrameError> {
    let message = FromAgent::Answer(answer);
    let sent = writer.send(&message);
    let (Err(FrameError::TooLarge(_)), FromAgent::Answer(whole)) = (&sent, message) else { return sent };
    answer = whole;
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
    fn an_answer_that_is_too_large_says_so() {
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
    fn an_order_that_hangs_is_answered_for() {
        let progress = Progress::default();
        let hang = |at| {
            *lock(&progress.running) = Some(Running {
                answer: Answer { window: 3, steps: Vec::new() },
                first: Some(vec![outcome(Status::Same, "x".into())]),
                orders: 3,
                late: Some(("command".into(), 5, at)),
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
