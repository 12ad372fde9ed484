//! `wait_for_connection`: waits until the node is reachable.

use std::time::Instant;

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, map};

use super::action::{Action, ActionOutcome, Run};
use super::session::{ActionError, NodeSession, RetryError, seconds};

/// The action.
pub const ACTION: Action = Action::new(
    "wait_for_connection",
    DOC,
    Args::SPEC,
    Run::OnNode { run: |args, node| Box::pin(run(args, node)), repeatable: true },
);

const DOC: Doc = Doc {
    summary: "Waits until the node is reachable",
    description: "Closes the connection and reconnects until an agent answers.",
    example: "- name: Wait for the new machine\n  wait_for_connection:\n    delay: 10\n    timeout: 300\n",
};

convoy_agent::arguments! {
    /// Arguments of `wait_for_connection`.
    pub struct Args {
        /// The timeout of one connection attempt, in seconds.
        connect_timeout: i64 [default("5")],
        /// Seconds to wait before the first attempt.
        delay: i64 [default("0")],
        /// Seconds to wait between attempts.
        sleep: i64 [default("1")],
        /// The timeout in seconds.
        timeout: i64 [default("600")],
    }
}

async fn run(args: &Map, node: &dyn NodeSession) -> Result<ActionOutcome, ActionError> {
    let args = Args::read("wait_for_connection", args).map_err(Failure::new)?;
    if node.is_check_mode() {
        return Ok(ActionOutcome { values: map! { "skipped" => true }, ..ActionOutcome::default() });
    }
    let start = Instant::now();
    node.sleep(seconds(args.delay)).await?;
    node.set_connect_timeout(u64::try_from(args.connect_timeout).ok());
    let ping = async || {
        node.reset_connection().await;
        node.run_module("ping", Map::new()).await
    };
    let answer = node.retry(seconds(args.timeout), &[seconds(args.sleep)], ping).await;
    node.set_connect_timeout(None);
    let elapsed = i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX);
    match answer {
        Ok(_) => Ok(ActionOutcome { values: map! { "elapsed" => elapsed }, ..ActionOutcome::default() }),
        Err(RetryError::Aborted(error)) => Err(error),
        Err(RetryError::TimedOut(last)) => {
            let msg = format!("timed out waiting for ping module test: {last}");
            Err(Failure::new(msg).with("elapsed", elapsed).into())
        }
    }
}
