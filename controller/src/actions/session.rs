//! The node of a task, as seen by an action that runs modules there.
//!
//! Actions know this trait only; the engine implements it and decides how the node is reached.

use std::time::Duration;

use convoy_agent::failure::Failure;
use convoy_protocol::{Map, Outcome};
use futures::future::LocalBoxFuture;
use tokio::time::{Instant, timeout};

/// A node on which an action runs modules.
pub trait NodeSession {
    /// Returns whether the node is this machine.
    fn is_local(&self) -> bool;

    /// Returns whether the action must not change anything.
    fn is_check_mode(&self) -> bool;

    /// Runs modules in order, as the user and in the environment of the task, and returns one outcome for each.
    /// Connects if there is no connection.
    ///
    /// # Errors
    /// If the node does not answer, or the run may not work on it.
    fn run_modules(
        &self,
        calls: Vec<(&'static str, Map)>,
    ) -> LocalBoxFuture<'_, Result<Vec<Outcome>, NodeError>>;

    /// Closes the connection; the next module opens another one.
    fn reset_connection(&self) -> LocalBoxFuture<'_, ()>;

    /// Sets how many seconds connecting may take; `None` restores the timeout of the run.
    fn set_connect_timeout(&self, seconds: Option<u64>);

    /// Waits for `duration`.
    ///
    /// # Errors
    /// If the user interrupts the run.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, Result<(), Failure>>;
}

/// Returns an argument in seconds as a duration; a negative one is none.
pub(super) fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

/// Why a node did not run modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeError {
    /// It cannot be reached, or the connection was lost; another attempt may succeed.
    Unreachable(String),
    /// The run may not work on it.
    Refused(String),
}

/// Why an action that runs modules on its node did not succeed.
#[derive(Debug)]
pub enum ActionError {
    /// The action failed.
    Failed(Failure),
    /// The node did not run its modules.
    Node(NodeError),
}

impl From<Failure> for ActionError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NodeError> for ActionError {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

/// Why repeated attempts ended without success.
#[derive(Debug)]
pub enum RetryError {
    /// The time was up; with the reason why the last attempt failed.
    TimedOut(String),
    /// The user interrupted the run, or the run may not work on the node.
    Aborted(ActionError),
}

impl dyn NodeSession + '_ {
    /// Runs one module.
    ///
    /// # Errors
    /// As [`NodeSession::run_modules`].
    pub async fn run_module(&self, name: &'static str, args: Map) -> Result<Outcome, NodeError> {
        let mut outcomes = self.run_modules(vec![(name, args)]).await?;
        outcomes.pop().ok_or_else(|| NodeError::Unreachable("the agent answered nothing".to_owned()))
    }

    /// Repeats `attempt` until it succeeds, for at most `limit`. `delays` are the delays between attempts; the last one
    /// is used for all further attempts.
    ///
    /// # Errors
    /// If the time is up, the user interrupts the run, or the run may not work on the node.
    pub async fn retry<T>(
        &self,
        limit: Duration,
        delays: &[Duration],
        mut attempt: impl AsyncFnMut() -> Result<T, NodeError>,
    ) -> Result<T, RetryError> {
        let end = Instant::now() + limit;
        let mut last = "there was no time for an attempt".to_owned();
        let mut delays = delays.iter();
        let mut delay = Duration::from_secs(1);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RetryError::TimedOut(last));
            }
            match timeout(left, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(NodeError::Unreachable(why))) => last = why,
                Ok(Err(refused @ NodeError::Refused(_))) => return Err(RetryError::Aborted(refused.into())),
                Err(_) => {
                    self.reset_connection().await;
                    return Err(RetryError::TimedOut("the node does not answer".to_owned()));
                }
            }
            delay = delays.next().copied().unwrap_or(delay);
            let left = end.saturating_duration_since(Instant::now());
            self.sleep(delay.min(left)).await.map_err(|failure| RetryError::Aborted(failure.into()))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that no module reaches.
    struct Unused;

    impl NodeSession for Unused {
        fn is_local(&self) -> bool {
            false
        }

        fn is_check_mode(&self) -> bool {
            false
        }

        fn run_modules(
            &self,
            _: Vec<(&'static str, Map)>,
        ) -> LocalBoxFuture<'_, Result<Vec<Outcome>, NodeError>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn reset_connection(&self) -> LocalBoxFuture<'_, ()> {
            Box::pin(async {})
        }

        fn set_connect_timeout(&self, _: Option<u64>) {}

        fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, Result<(), Failure>> {
            Box::pin(async move {
                tokio::time::sleep(duration).await;
                Ok(())
            })
        }
    }

    /// Retries an attempt that returns `results`, repeating the last one.
    fn retry(limit: Duration, results: &[Result<(), NodeError>]) -> Result<(), RetryError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let session: &dyn NodeSession = &Unused;
        let mut attempts = 0;
        let attempt = async || {
            attempts += 1;
            results[attempts.min(results.len()) - 1].clone()
        };
        runtime.block_on(session.retry(limit, &[Duration::from_millis(1)], attempt))
    }

    #[test]
    fn attempts_are_repeated_until_one_succeeds() {
        let unreachable = Err(NodeError::Unreachable("no route".to_owned()));
        let result = retry(Duration::from_secs(60), &[unreachable.clone(), unreachable.clone(), Ok(())]);
        assert!(result.is_ok());
        let result = retry(Duration::from_millis(20), &[unreachable]);
        assert!(matches!(result, Err(RetryError::TimedOut(last)) if last == "no route"));
    }

    #[test]
    fn a_refusal_ends_the_attempts() {
        let refused = NodeError::Refused("locked".to_owned());
        let result = retry(Duration::from_secs(60), &[Err(refused.clone()), Ok(())]);
        let Err(RetryError::Aborted(ActionError::Node(error))) = result else { panic!("{result:?}") };
        assert_eq!(error, refused);
    }
}
