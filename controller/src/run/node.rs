//! A node as an action sees it that talks with it: asked, lost, and found again.

use std::future::Future;
use std::time::Duration;

use convoy_agent::failure::Failure;
use convoy_protocol::message::{Order, Step};
use convoy_protocol::{Map, Outcome};
use tokio::time::{Instant, sleep, timeout};

use super::engine::Engine;
use super::flags::Flags;
use super::lost::Lost;
use super::result::CallResult;
use crate::actions::{Conversation, Done};

/// How long taking leave of a node may take that does not answer any more.
const LEAVE: Duration = Duration::from_secs(3);

/// How often someone who waits looks whether the user wants to leave.
const GLANCE: Duration = Duration::from_millis(200);

/// A node that an action talks with.
pub struct Node<'a> {
    engine: &'a Engine,
    flags: &'a Flags,
}

impl<'a> Node<'a> {
    /// The node of a call.
    pub fn new(engine: &'a Engine, flags: &'a Flags) -> Self {
        Self { engine, flags }
    }

    /// Has an action talk with it, and returns what came of it.
    pub async fn hear(&self, name: &str, talk: Conversation, args: &Map) -> CallResult {
        let vault = self.engine.templar.vault();
        let result = match self.talk(name, talk, args).await {
            Ok(done) => CallResult::of_action(Ok(done), args, vault),
            Err(Trouble::Failed(failure)) => CallResult::of_action(Err(failure), args, vault),
            Err(Trouble::Lost(lost)) => CallResult::lost(lost),
        };
        // What it does to the node is not known here.
        CallResult { disturbed: true, ..result }
    }

    /// Has an action talk with it, for no longer than the task allows.
    async fn talk(&self, name: &str, talk: Conversation, args: &Map) -> Result<Done, Trouble> {
        let Some(seconds) = self.flags.timeout else { return talk(args, self).await };
        let answer = timeout(Duration::from_secs(seconds.into()), talk(args, self)).await;
        answer.unwrap_or_else(|_| {
            Err(Trouble::Failed(Failure::new(format!(
                "The {name} action failed to execute in the expected time frame ({seconds}) and was terminated"
            ))))
        })
    }

    /// Returns whether it is this machine.
    pub fn is_local(&self) -> bool {
        self.flags.endpoint.local
    }

    /// Returns whether nothing must be done.
    pub fn is_check_mode(&self) -> bool {
        self.flags.check
    }

    /// Has modules run, as the user and in the environment of the task; connects if there is no link.
    ///
    /// # Errors
    /// Why the node is lost.
    pub async fn ask(&self, calls: Vec<(&str, Map)>) -> Result<Vec<Outcome>, Lost> {
        let count = calls.len();
        let orders = calls.into_iter().map(|(module, args)| Order {
            environment: self.flags.environment.clone(),
            become_user: self.flags.become_user.as_deref().cloned(),
            ..Order::new(module, args)
        });
        let steps = vec![Step { orders: orders.collect() }];
        let answer = self.engine.connections.ask(&self.flags.endpoint, steps, &self.engine.reporter).await?;
        let outcomes = answer.steps.into_iter().next().unwrap_or_default();
        if outcomes.len() == count {
            Ok(outcomes)
        } else {
            Err("the agent answered nothing".to_owned().into())
        }
    }

    /// Has one module run.
    ///
    /// # Errors
    /// Why the node is lost.
    pub async fn ask_one(&self, module: &str, args: Map) -> Result<Outcome, Lost> {
        let mut outcomes = self.ask(vec![(module, args)]).await?;
        outcomes.pop().ok_or_else(|| "the agent answered nothing".to_owned().into())
    }

    /// Forgets the link; the next question opens one.
    pub async fn reset(&self) {
        // One that hangs is dropped as it is.
        timeout(LEAVE, self.engine.connections.reset(&self.flags.endpoint.host)).await.ok();
    }

    /// Sets how many seconds connecting may take; with `None`, as many as everywhere in the run.
    pub fn set_patience(&self, seconds: Option<u64>) {
        self.engine.connections.set_patience(&self.flags.endpoint.host, seconds);
    }

    /// Waits, unless the user wants to leave.
    ///
    /// # Errors
    /// If the user does.
    pub async fn pause(&self, span: Duration) -> Result<(), Failure> {
        let end = Instant::now() + span;
        while !self.engine.interrupted.get() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(GLANCE)).await;
        }
        Err(Failure::new("interrupted while waiting for the node"))
    }

    /// Tries again and again until it works or the time is over; the pauses are given by `pauses`, the last for all
    /// that follow.
    ///
    /// # Errors
    /// [`Late`] if the time is over; a [`Trouble`] if the user wants to leave, or the run may not work there any more.
    pub async fn until<T, F: Future<Output = Result<T, Lost>>>(
        &self,
        limit: Duration,
        pauses: &[Duration],
        mut attempt: impl FnMut() -> F,
    ) -> Result<Result<T, Late>, Trouble> {
        let end = Instant::now() + limit;
        let mut last = "there was no time for a try".to_owned();
        let mut pauses = pauses.iter();
        let mut pause = Duration::from_secs(1);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Err(Late { last }));
            }
            match timeout(left, attempt()).await {
                Ok(Ok(value)) => return Ok(Ok(value)),
                Ok(Err(Lost::Unreachable(why) | Lost::Cut(why))) => last = why,
                Ok(Err(refused @ Lost::Refused(_))) => return Err(Trouble::Lost(refused)),
                Err(_) => {
                    self.reset().await;
                    return Ok(Err(Late { last: "the node does not answer".to_owned() }));
                }
            }
            pause = pauses.next().copied().unwrap_or(pause);
            self.pause(pause.min(end.saturating_duration_since(Instant::now()))).await?;
        }
    }
}

/// Why an action that talks with a node did not do its work.
#[derive(Debug)]
pub enum Trouble {
    /// It could not.
    Failed(Failure),
    /// The node was not to be reached to begin with, or the run may not work there.
    Lost(Lost),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The time was over before it worked.
#[derive(Debug)]
pub struct Late {
    /// What came of the last try.
    pub last: String,
}
