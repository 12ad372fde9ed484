//! `become`: runs orders as other users. One agent per user is started on first use and kept. This agent acts as its
//! controller.

mod listen;
mod method;
mod program;
mod terminal;
mod user_agent;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use convoy_protocol::Outcome;
use convoy_protocol::lock::{LockTaken, Refusal};
use convoy_protocol::message::{Become, Hello, Order, Ticket, ToAgent};

pub use terminal::enter;
pub(crate) use user_agent::ChildProcesses;

use crate::changes::Recorder;
use crate::failure::Failure;
use crate::serve::cache::Cache;
use crate::serve::frame_writer::keep_alive;

use program::Program;
use user_agent::{ConversationEnd, UserAgent};

/// The user and the way to become that user, without the password.
type Key = Become;

/// The agents of other users.
pub(crate) struct UserAgents {
    cache: Arc<Cache>,
    child_processes: Arc<ChildProcesses>,
    recorder: Recorder,
    hello: Hello,
    program: Option<Arc<Program>>,
    user_agents: HashMap<Key, UserAgent>,
}

impl UserAgents {
    pub(crate) fn new(cache: Arc<Cache>, child_processes: Arc<ChildProcesses>, recorder: Recorder) -> Self {
        Self {
            cache,
            child_processes,
            recorder,
            hello: Hello::default(),
            program: None,
            user_agents: HashMap::new(),
        }
    }

    /// Stores the controller's hello, which is passed on to the other users' agents.
    pub(crate) fn begin_run(&mut self, hello: Hello) {
        self.hello = hello;
    }

    /// Executes one order through the agent of another user.
    pub(crate) fn execute(
        &mut self,
        other: &Become,
        order: &Order,
        execute: bool,
    ) -> Result<Outcome, OrderError> {
        let key = Become { password: None, ..other.clone() };
        if !self.user_agents.contains_key(&key) {
            let child = self.start(other)?;
            self.user_agents.insert(key.clone(), child);
        }
        let child =
            self.user_agents.get_mut(&key).ok_or_else(|| Failure::new("the other user's agent has ended"))?;
        // This agent makes sure that it is run once.
        let ticket = order.ticket.map(|ticket| Ticket { once: false, ..ticket });
        let order = Order { become_user: None, ticket, ..order.clone() };
        let outcome = child.execute(order, execute);
        if let Some(offer) = outcome.as_ref().ok().and_then(|outcome| outcome.offer) {
            self.cache.offers.add_from_child(offer.digest, child.writer.clone());
        }
        if let Some(taken) = child.lock_taken.take() {
            self.remember(&taken);
        }
        outcome.map_err(|end| {
            self.user_agents.remove(&key);
            match end {
                ConversationEnd::Refused(refusal) => OrderError::Refused(refusal),
                ConversationEnd::Ended(why) => {
                    Failure::new(format!("the agent of user {} {why}", other.user)).into()
                }
            }
        })
    }

    /// Stores the lock that another user's agent has taken, for a successor of that agent.
    fn remember(&mut self, taken: &LockTaken) {
        let Some(claim) = &mut self.hello.claim else { return };
        claim.held.retain(|held| held.uid != taken.held.uid);
        claim.held.push(taken.held);
    }

    fn start(&mut self, other: &Become) -> Result<UserAgent, Failure> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.program.insert(Arc::new(Program::read()?)).clone(),
        };
        let silence = Duration::from_secs(self.hello.silence_seconds.max(1).into());
        let mut child = UserAgent::spawn(other, &program.offer, silence, &self.cache, &self.child_processes)?;
        child.wait_until_ready(other, &program)?;
        // The user is recorded only after a successful start: before that, nothing can have changed.
        self.recorder.record_user(other)?;
        let sent = child.writer.send(&ToAgent::Hello(self.hello.clone()));
        sent.map_err(|error| Failure::new(format!("the agent of user {} has ended: {error}", other.user)))?;
        keep_alive(Arc::downgrade(&child.writer), silence / 3);
        Ok(child)
    }
}

/// Why an order was not executed by another user's agent.
#[derive(Debug)]
pub(crate) enum OrderError {
    Failed(Failure),
    /// Another run works there as that user.
    Refused(Box<Refusal>),
}

impl From<Failure> for OrderError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
