//! Runs a task as an asynchronous job: starts it on the node, follows it over as many connections as that takes, and collects its
//! result.

use std::sync::Arc;
use std::time::Duration;

use convoy_protocol::message::{JobAsk, JobOrder, Order, Step};
use convoy_protocol::{Map, Outcome, Status, Taint, Value, map};
use tokio::time::{Instant, sleep};

use super::Executor;
use super::call::CallOutcome;
use super::invocation::invocation;
use super::redaction::OrderSecrets;
use super::replay::{KnownJob, TAKEN_FOR_DONE, recorded};
use super::task_run::TaskRun;
use crate::events::{JobEvent, JobState, RunEvent, Verdict};
use crate::prepare::Call;
use crate::prepare::keywords::{AsyncSettings, CallKeywords};
use crate::secrets::Secrets;
use crate::services::endpoint::Endpoint;
use crate::services::host_error::HostError;
use crate::state::async_jobs::about;
use crate::state::request::Request;
use crate::state::resume_log::{self, InDoubt};

/// How long a node that was lost is looked for at least, and beyond the job's limit.
const PATIENCE: Duration = Duration::from_secs(300);

/// When nothing has come of a job for so long, that is told.
const QUIET: Duration = Duration::from_secs(300);

/// The first pause between two looks, and between two tries to reach a node that was lost.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause between two tries to reach a node that was lost.
const LONGEST: Duration = Duration::from_secs(15);

/// How often someone who waits looks whether the user wants to leave.
const GLANCE: Duration = Duration::from_millis(200);

/// How much of a line is shown, in characters.
const LINE: usize = 200;

/// A job under way.
struct Following<'f> {
    run: &'f TaskRun<'f>,
    call: &'f Call,
    order: &'f Order,
    endpoint: &'f Arc<Endpoint>,
    id: Arc<str>,
    job: AsyncSettings,
    begun: Instant,
    /// Whether what it prints must not be shown.
    is_silent: bool,
    /// Secrets that it may print all the same.
    known: Secrets,
}

/// What was heard of a job last, and when something is told of it.
#[derive(Debug)]
struct Watch {
    /// Up to where its output is known, in bytes.
    from: u64,
    pulse: String,
    moved: Instant,
    /// For how long nothing may move until that is told.
    allowed: Duration,
    /// When Ansible would look.
    due: Instant,
}

impl Watch {
    fn new(now: Instant, poll: Duration) -> Self {
        Self { from: 0, pulse: String::new(), moved: now, allowed: QUIET, due: now + poll }
    }

    /// Takes notice of what a job looks like. Returns for how long nothing has moved, if that is to be told.
    fn note(&mut self, now: Instant, pulse: &str) -> Option<Duration> {
        if self.pulse != pulse {
            self.pulse = pulse.to_owned();
            (self.moved, self.allowed) = (now, QUIET);
            return None;
        }
        let still = now.duration_since(self.moved);
        if still < self.allowed {
            return None;
        }
        self.allowed *= 2;
        Some(still)
    }

    /// Returns whether Ansible would look now.
    fn is_due(&mut self, now: Instant, poll: Duration) -> bool {
        if now < self.due {
            return false;
        }
        self.due += poll;
        true
    }

    /// Returns how long to wait for the next look: a part of the time that has gone by, so that a short job is not waited
    /// for much longer than it takes.
    fn pause(&self, now: Instant, begun: Instant, poll: Duration) -> Duration {
        let part = now.duration_since(begun) / 4;
        part.clamp(FIRST, poll.max(FIRST)).min(self.due.saturating_duration_since(now).max(FIRST))
    }
}

impl TaskRun<'_> {
    /// Has a call done as a job.
    ///
    /// Where the run is resumed, one that was done is not done again, and one that was begun is attached to: its name comes
    /// from its ticket.
    pub(super) async fn run_as_job(
        &self,
        call: &Call,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        instead: Option<u64>,
    ) -> CallOutcome {
        match self.job_before(order, endpoint, instead).await {
            Ok(KnownJob::Done(outcome)) => {
                let vault = self.executor.services.templar.vault();
                let status = outcome.status;
                let result = CallOutcome::of_outcome(outcome, order, &call.keywords, vault);
                recorded(result, order, status, None, true)
            }
            Ok(KnownJob::Ticket(mut ticket)) => {
                let mut result = self.follow_job(call, order, endpoint, ticket).await;
                // Nobody knows how far it came.
                if is_lost(&result) {
                    match self.executor.resume.in_doubt {
                        // Not noted: it stays in doubt.
                        InDoubt::Stop => return result,
                        InDoubt::Done => return self.was_done(map! { "msg" => TAKEN_FOR_DONE }),
                        InDoubt::Again => {
                            if ticket.is_some() {
                                ticket =
                                    Some(self.start_order(resume_log::asked(order, endpoint), ticket).await);
                            }
                            result = self.follow_job(call, order, endpoint, ticket).await;
                        }
                    }
                }
                let status = match result.verdict {
                    Verdict::Unreachable | Verdict::Refused => return result,
                    Verdict::Failed => Status::Failed,
                    Verdict::Changed => Status::Changed,
                    _ => Status::Ran,
                };
                recorded(result, order, status, ticket, false)
            }
            Err(lost) => CallOutcome::lost(lost),
        }
    }

    async fn follow_job(
        &self,
        call: &Call,
        order: &Order,
        endpoint: &Arc<Endpoint>,
        ticket: Option<u64>,
    ) -> CallOutcome {
        let Some(job) = call.keywords.run_async else { return CallOutcome::failed("it is no job") };
        let vault = self.executor.services.templar.vault();
        let given = OrderSecrets::of(order, &call.keywords, vault);
        let is_silent = given.secret || call.keywords.no_log;
        let (host, at) = (self.host.clone(), self.task().at.clone());
        let id = self.executor.requests.ask(|reply| Request::NameJob(host, at, ticket, reply)).await;
        let begin = JobAsk::Begin { limit_seconds: job.limit, silent: is_silent };
        let order = Order { job: Some(JobOrder { id: id.clone(), ask: begin }), ..order.clone() };
        let order = Order { ticket: ticket.map(|number| self.named(number, &order)), ..order };
        let following = Following {
            run: self,
            call,
            order: &order,
            endpoint,
            id,
            job,
            begun: Instant::now(),
            is_silent,
            known: vault.known(),
        };
        let result = match following.begin().await {
            Ok(outcome) if outcome.status == Status::Failed => {
                CallOutcome::of_outcome(outcome, &order, &call.keywords, vault)
            }
            Ok(outcome) if job.poll == 0 => following.left(outcome),
            Ok(_) => match following.follow().await {
                Ok(result) => result,
                Err(lost) => CallOutcome::lost(lost),
            },
            Err(lost) => CallOutcome::lost(lost),
        };
        // Also a job that says that all was as asked was at work.
        CallOutcome { invalidates: true, ..result }
    }
}

impl Following<'_> {
    fn tell(&self, state: JobState, line: Option<String>) {
        self.run.executor.requests.emit(RunEvent::Job(JobEvent {
            host: self.run.host_name(self.call),
            task: self.run.title.clone(),
            job: self.id.clone(),
            state,
            seconds: self.begun.elapsed().as_secs(),
            line,
        }));
    }

    /// Has the job begin. Asked twice, it begins once.
    async fn begin(&self) -> Result<Outcome, HostError> {
        self.tell(JobState::Begins, None);
        let outcome = self.persist(self.order).await?;
        if outcome.status != Status::Failed {
            let how = outcome.values.get("detached").and_then(Value::as_str).map(str::to_owned);
            self.tell(JobState::Begun, how);
        }
        Ok(outcome)
    }

    /// Returns the result of a task that does not wait for its job.
    fn left(&self, outcome: Outcome) -> CallOutcome {
        // It says nothing of what the job was given.
        let order = about(self.order, &self.id, JobAsk::Forget);
        let keywords = CallKeywords { secrets: Secrets::default(), ..self.call.keywords.clone() };
        CallOutcome::of_outcome(outcome, &order, &keywords, self.run.executor.services.templar.vault())
    }

    /// Asks for something about the job; over a new connection where the old one is lost.
    async fn persist(&self, order: &Order) -> Result<Outcome, HostError> {
        let mut lost: Option<Instant> = None;
        let mut pause = FIRST * 5;
        loop {
            let why = match self.ask(order).await {
                Ok(outcome) => {
                    if let Some(since) = lost {
                        let text = format!("after {} s", since.elapsed().as_secs());
                        self.tell(JobState::Attached, Some(text));
                    }
                    return Ok(outcome);
                }
                // Before anything was asked, a host that cannot be reached is just that.
                Err(HostError::Unreachable(why)) if lost.is_none() && self.is_beginning(order) => {
                    return Err(HostError::Unreachable(why));
                }
                Err(refused @ HostError::Refused(_)) => return Err(refused),
                Err(HostError::Unreachable(why) | HostError::Disconnected(why)) => why,
            };
            let since = *lost.get_or_insert_with(|| {
                self.tell(JobState::Lost, Some(why.clone()));
                Instant::now()
            });
            let limit = self.begun + Duration::from_secs(self.job.limit.into());
            let is_over = Instant::now() >= limit.max(since) + PATIENCE;
            if is_over || self.wait(pause).await.is_err() {
                let id = &self.id;
                let text = format!(
                    "{why}; the job {id} may go on there: `async_status` with this `jid` says what has become of it"
                );
                return Err(HostError::Unreachable(text));
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    fn is_beginning(&self, order: &Order) -> bool {
        std::ptr::eq(order, self.order)
    }

    /// Waits, unless the user wants to leave.
    async fn wait(&self, span: Duration) -> Result<(), ()> {
        let end = Instant::now() + span;
        loop {
            if self.run.executor.is_interrupted() {
                return Err(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(GLANCE)).await;
        }
    }

    async fn ask(&self, order: &Order) -> Result<Outcome, HostError> {
        let Executor { services, requests, .. } = self.run.executor;
        let steps = vec![Step { orders: vec![order.clone()] }];
        let mut answer = services.connections.ask_told_apart(self.endpoint, steps, requests).await?;
        let nothing = || HostError::Disconnected("the agent answered nothing".to_owned());
        answer.steps.pop().and_then(|mut outcomes| outcomes.pop()).ok_or_else(nothing)
    }

    /// Follows the job to its end; returns the result of its task.
    async fn follow(&self) -> Result<CallOutcome, HostError> {
        let poll = Duration::from_secs(self.job.poll.into());
        let mut watch = Watch::new(self.begun, poll);
        loop {
            let order = about(self.order, &self.id, JobAsk::Follow { from: watch.from });
            let mut outcome = self.persist(&order).await?;
            let Some(news) = outcome.values.shift_remove("_job") else {
                // There is no such job any more.
                return Ok(self.result(outcome, &Map::new()));
            };
            let news = news.as_map().cloned().unwrap_or_default();
            self.show(&news, &mut watch);
            if news.get("finished").and_then(Value::as_int) == Some(1) {
                return Ok(self.result(outcome, &news));
            }
            let now = Instant::now();
            if watch.is_due(now, poll) {
                self.tell(JobState::Polled, None);
            }
            sleep(watch.pause(now, self.begun, poll)).await;
        }
    }

    /// Shows what has come of the job since.
    fn show(&self, news: &Map, watch: &mut Watch) {
        let text = |name: &str| news.get(name).and_then(Value::as_str).unwrap_or_default();
        if let Some(next) = news.get("next").and_then(Value::as_int) {
            watch.from = u64::try_from(next).unwrap_or_default();
        }
        if let Some(line) = last_line(text("output")).filter(|_| !self.is_silent) {
            self.tell(JobState::Moves, Some(self.known.scrub(&line)));
        }
        // Of what prints nothing, nobody can tell whether it moves.
        if let Some(still) = watch.note(Instant::now(), text("pulse")).filter(|_| !self.is_silent) {
            let minutes = still.as_secs() / 60;
            self.tell(JobState::Quiet, Some(format!("{minutes} minutes")));
        }
    }

    /// Makes the result of the task from the outcome of its job.
    fn result(&self, outcome: Outcome, news: &Map) -> CallOutcome {
        let Executor { services, requests, .. } = self.run.executor;
        let vault = services.templar.vault();
        let is_kept = !news.is_empty();
        let mut result = CallOutcome::of_outcome(outcome, self.order, &self.call.keywords, vault);
        if services.options.verbosity > 2 {
            result.invocation = Some(invocation(self.order));
        }
        // Ansible's have these whatever the module answers.
        let none = Vec::<Value>::new;
        let empty =
            map! { "stdout" => "", "stderr" => "", "stdout_lines" => none(), "stderr_lines" => none() };
        for (name, value) in empty.into_iter().filter(|_| is_kept) {
            result.values.entry(name).or_insert(value);
        }
        for name in ["started", "finished", "ansible_job_id", "results_file"] {
            if let Some(value) = news.get(name) {
                result.values.insert(name.into(), value.clone().tainted(Taint::UNSAFE));
            }
        }
        let state = if result.verdict == Verdict::Failed { JobState::Failed } else { JobState::Ok };
        self.tell(state, None);
        if !is_lost(&result) {
            let forget = about(self.order, &self.id, JobAsk::Forget);
            requests.send(Request::FinishJob(self.endpoint.clone(), forget));
        }
        result
    }
}

/// Returns whether a job has ended without an outcome.
fn is_lost(result: &CallOutcome) -> bool {
    result.values.get("lost").and_then(Value::as_bool) == Some(true) && result.verdict == Verdict::Failed
}

/// Returns the last line that is whole and says something, as it can be shown on a terminal.
fn last_line(output: &str) -> Option<String> {
    let whole = output.rfind('\n').map_or(output, |end| &output[..end]);
    let mut lines = whole
        .rsplit(['\n', '\r'])
        .map(|line| line.trim().chars().filter(|c| !c.is_control()).take(LINE).collect::<String>());
    lines.find(|line| !line.is_empty())
}

/// Check mode: makes of the answer to a task that would not wait for its job what can be known of its result.
pub(super) fn planned(outcome: Outcome) -> Outcome {
    if outcome.status == Status::Failed {
        return outcome;
    }
    let detached = outcome.values.get("detached").cloned();
    let mut values = map! { "msg" => "The job would have been begun if not in check mode" };
    values.extend(detached.map(|how| ("detached".into(), how)));
    Outcome { status: Status::Unknown, values, ..outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_told_now_and_then() {
        let begun = Instant::now();
        let mut watch = Watch::new(begun, Duration::from_secs(15));
        let at = |minutes: u64| begun + Duration::from_secs(minutes * 60);
        assert_eq!(watch.note(at(0), "1 1.0"), None);
        assert_eq!(watch.note(at(4), "1 1.0"), None);
        let told = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        assert_eq!(watch.note(at(5), "1 1.0"), told(5));
        assert_eq!(watch.note(at(6), "1 1.0"), None);
        assert_eq!(watch.note(at(10), "1 1.0"), told(10));
        assert_eq!(watch.note(at(19), "1 1.0"), None);
        assert_eq!(watch.note(at(20), "1 1.0"), told(20));
        assert_eq!(watch.note(at(21), "2 1.0"), None, "it moved");
        assert_eq!(watch.note(at(25), "2 1.0"), None);
        assert_eq!(watch.note(at(26), "2 1.0"), told(5));
    }

    #[test]
    fn looks_are_short_at_first_and_fall_on_those_of_ansible() {
        let begun = Instant::now();
        let poll = Duration::from_secs(5);
        let mut watch = Watch::new(begun, poll);
        let (mut now, mut looks, mut polls) = (begun, Vec::new(), Vec::new());
        while now < begun + Duration::from_secs(21) {
            if watch.is_due(now, poll) {
                polls.push(now.duration_since(begun).as_secs());
            }
            let pause = watch.pause(now, begun, poll);
            assert!(pause >= FIRST && pause <= poll, "{pause:?}");
            looks.push(pause);
            now += pause;
        }
        assert_eq!(polls, [5, 10, 15, 20]);
        assert!(looks.len() < 40, "{}", looks.len());
    }

    #[test]
    fn the_last_line_that_says_something() {
        let of = |output: &str| last_line(output);
        assert_eq!(of("one\ntwo\nthr").as_deref(), Some("two"));
        assert_eq!(of("10 %\r20 %\r\n\n").as_deref(), Some("20 %"));
        assert_eq!(of("\x1b[32mgreen\x1b[0m\n").as_deref(), Some("[32mgreen[0m"));
        assert_eq!(of("no end").as_deref(), Some("no end"));
        assert_eq!((of(""), of("\n \n")), (None, None));
    }
}
