//! The node of a call, for actions that run modules there.

use std::time::Duration;

use convoy_agent::failure::Failure;
use convoy_protocol::message::{Order, Step};
use convoy_protocol::{Map, Outcome};
use futures::future::LocalBoxFuture;
use tokio::time::{Instant, sleep, timeout};

use super::Executor;
use super::call::CallOutcome;
use crate::actions::{ActionError, ActionOutcome, NodeAction, NodeError, NodeSession};
use crate::prepare::keywords::CallKeywords;
use crate::services::connections::Connections;
use crate::services::host_error::HostError;

/// How long closing the connection to a node may take that no longer answers.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a waiting action checks whether the user interrupted the run.
const INTERRUPT_POLL: Duration = Duration::from_millis(200);

/// The node of a call.
pub struct Node<'a> {
    executor: &'a Executor<'a>,
    keywords: &'a CallKeywords,
}

impl<'a> Node<'a> {
    /// The node of a call.
    pub fn new(executor: &'a Executor<'a>, keywords: &'a CallKeywords) -> Self {
        Self { executor, keywords }
    }

    /// Runs an action that talks with the node, and returns its result.
    pub async fn run_action(&self, name: &str, action: NodeAction, args: &Map) -> CallOutcome {
        let vault = self.executor.vault();
        let result = match self.run(name, action, args).await {
            Ok(outcome) => CallOutcome::of_action(Ok(outcome), args, vault),
            Err(ActionError::Failed(failure)) => CallOutcome::of_action(Err(failure), args, vault),
            Err(ActionError::Node(error)) => CallOutcome::lost(error.into()),
        };
        // What the action does to the node is not known here.
        CallOutcome { invalidates: true, ..result }
    }

    fn connections(&self) -> &Connections {
        &self.executor.services.connections
    }

    /// Runs an action for no longer than the task allows.
    async fn run(&self, name: &str, action: NodeAction, args: &Map) -> Result<ActionOutcome, ActionError> {
        let Some(seconds) = self.keywords.timeout else { return action(args, self).await };
        let answer = timeout(Duration::from_secs(seconds.into()), action(args, self)).await;
        answer.unwrap_or_else(|_| {
            Err(ActionError::Failed(Failure::new(format!(
                "The {name} action failed to execute in the expected time frame ({seconds}) and was terminated"
            ))))
        })
    }
}

impl NodeSession for Node<'_> {
    fn is_local(&self) -> bool {
        self.keywords.endpoint.local
    }

    fn is_check_mode(&self) -> bool {
        self.keywords.check
    }

    fn run_modules(
        &self,
        calls: Vec<(&'static str, Map)>,
    ) -> LocalBoxFuture<'_, Result<Vec<Outcome>, NodeError>> {
        Box::pin(async move {
            let count = calls.len();
            let orders = calls.into_iter().map(|(module, args)| Order {
                environment: self.keywords.environment.clone(),
                become_user: self.keywords.become_user.as_deref().cloned(),
                ..Order::new(module, args)
            });
            let steps = vec![Step { orders: orders.collect() }];
            let answer =
                self.connections().ask(&self.keywords.endpoint, steps, &self.executor.requests).await?;
            let outcomes = answer.steps.into_iter().next().unwrap_or_default();
            if outcomes.len() == count {
                Ok(outcomes)
            } else {
                Err(NodeError::Unreachable("the agent answered nothing".to_owned()))
            }
        })
    }

    fn reset_connection(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async {
            // A connection that cannot be closed in time is dropped.
            timeout(CLOSE_TIMEOUT, self.connections().reset(&self.keywords.endpoint.host)).await.ok();
        })
    }

    fn set_connect_timeout(&self, seconds: Option<u64>) {
        self.connections().set_connect_timeout(&self.keywords.endpoint.host, seconds);
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let end = Instant::now() + duration;
            while !self.executor.is_interrupted() {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                sleep(left.min(INTERRUPT_POLL)).await;
            }
            Err(Failure::new("interrupted while waiting for the node"))
        })
    }
}

impl From<HostError> for NodeError {
    fn from(lost: HostError) -> Self {
        match lost {
            HostError::Unreachable(why) | HostError::Disconnected(why) => Self::Unreachable(why),
            HostError::Refused(why) => Self::Refused(why),
        }
    }
}

impl From<NodeError> for HostError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Unreachable(why) => Self::Unreachable(why),
            NodeError::Refused(why) => Self::Refused(why),
        }
    }
}
