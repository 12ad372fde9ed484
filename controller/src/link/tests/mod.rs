//! Tests the link against real shells and the real agent on this machine, and against misbehaving nodes.

mod become_user;
mod bootstrap;
mod hostile;
mod pull;
mod tickets;
mod work;

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::message::{Become, Hello, Method, Order, Step};
use convoy_protocol::{Map, Outcome, Status, map};
use tokio::process::Command;

use super::{Contents, Link, Opening, local};

fn order(module: &str, args: Map) -> Order {
    Order::new(module, args)
}

fn step(orders: impl IntoIterator<Item = Order>) -> Step {
    Step { orders: orders.into_iter().collect() }
}

fn ping(data: &str) -> Step {
    step([order("ping", map! { "data" => data })])
}

fn sudo(user: &str, password: Option<&str>) -> Option<Become> {
    Some(Become {
        user: user.into(),
        method: Method::Sudo,
        exe: None,
        flags: None,
        password: password.map(str::to_owned),
    })
}

fn hello(silence_seconds: u32) -> Hello {
    Hello { run: "test".into(), by: "me".into(), claim: None, records: false, silence_seconds }
}

fn opening(first: Option<Vec<Step>>) -> Opening {
    Opening::new(hello(30), first).unwrap()
}

/// A shell whose home directory is `home`, and that knows no other directory of the user.
fn shell(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_remove("XDG_CACHE_HOME").env("HOME", home).env("XDG_RUNTIME_DIR", home.join("none"));
    command.env("XDG_STATE_HOME", home.join(".local/state"));
    command
}

fn link(home: &Path, opening: Opening) -> Link {
    link_with(home, opening, Arc::default())
}

fn link_with(home: &Path, opening: Opening, contents: Arc<Contents>) -> Link {
    let stream = local::spawn(shell("sh", home).arg("-c").arg(opening.script())).unwrap();
    Link::open(stream, opening, contents)
}

fn msg(outcome: &Outcome) -> (Status, &str) {
    (outcome.status, outcome.values.get("msg").and_then(|msg| msg.as_str()).unwrap_or_default())
}

/// Returns the names of the entries of a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
