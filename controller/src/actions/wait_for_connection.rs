//! `wait_for_connection`: waits until the node can be reached.

use std::time::{Duration, Instant};

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, map};

use super::{Action, Done, Run};
use crate::run::node::{Node, Trouble};

/// The action.
pub const ACTION: Action = Action {
    name: "wait_for_connection",
    doc: Doc {
        summary: "Waits until the node can be reached",
        description: "The link is closed, and opened again until an agent answers over it.",
        example: "- name: Wait for the new machine\n  wait_for_connection:\n    delay: 10\n    timeout: 300\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Talk { talk: |args, node| Box::pin(talk(args, node)), harmless: true },
};

convoy_agent::arguments! {
    /// Arguments of `wait_for_connection`.
    pub struct Args {
        /// How many seconds one connection may take.
        connect_timeout: i64 [default("5")],
        /// How many seconds to wait before the first try.
        delay: i64 [default("0")],
        /// How many seconds to wait between two tries.
        sleep: i64 [default("1")],
        /// How many seconds to wait at most.
        timeout: i64 [default("600")],
    }
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

async fn talk(args: &Map, node: &Node<'_>) -> Result<Done, Trouble> {
    let args = Args::read("wait_for_connection", args).map_err(Failure::new)?;
    if node.is_check_mode() {
        return Ok(Done { values: map! { "skipped" => true }, ..Done::default() });
    }
    let start = Instant::now();
    node.pause(seconds(args.delay)).await?;
    node.set_patience(u64::try_from(args.connect_timeout).ok());
    let attempt = async || {
        node.reset().await;
        node.ask_one("ping", Map::new()).await
    };
    let answer = node.until(seconds(args.timeout), &[seconds(args.sleep)], attempt).await;
    node.set_patience(None);
    let elapsed = i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX);
    match answer? {
        Ok(_) => Ok(Done { values: map! { "elapsed" => elapsed }, ..Done::default() }),
        Err(late) => {
            let msg = format!("timed out waiting for ping module test: {}", late.last);
            Err(Failure::new(msg).with("elapsed", elapsed).into())
        }
    }
}
