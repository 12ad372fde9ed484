//! `wait_for`: a port or a path comes to be as wanted.

mod args;
mod drained;
mod probe;

use std::time::{Duration, Instant};

use convoy_protocol::{Map, Value, map};

pub use args::{Args, State};

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::pattern::Groups;
use crate::system::{System, SystemView};

use probe::Probe;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Waits until a port or a path is as wanted",
    description: "Without `port` and `path` waits for `timeout` seconds.",
    example: "- name: Wait for the gateway\n  wait_for:\n    port: 8243\n    timeout: 120\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

fn refuse(msg: impl Into<String>) -> Failure {
    Failure::new(msg).with("elapsed", 0)
}

fn validate(args: &Args) -> Result<(), Failure> {
    let only_port = |state: &str| {
        refuse(format!("state={state} should only be used for checking a port in the wait_for module"))
    };
    match args.state {
        _ if args.port.is_some() && args.path.is_some() => {
            return Err(refuse("port and path parameter can not both be passed to wait_for"));
        }
        State::Stopped if args.path.is_some() => return Err(only_port("stopped")),
        State::Drained if args.path.is_some() => return Err(only_port("drained")),
        State::Drained if args.port.is_none() => return Err(refuse("state=drained needs a port")),
        state if args.exclude_hosts.is_some() && state != State::Drained => {
            return Err(refuse("exclude_hosts should only be with state=drained"));
        }
        _ => {}
    }
    if let Some(port) = args.port
        && u16::try_from(port).is_err()
    {
        return Err(refuse(format!("port is {port}, not a number from 0 to 65535")));
    }
    match args.active_connection_states.iter().find(|state| drained::code(state).is_none()) {
        Some(state) => Err(refuse(format!("unknown active_connection_state ({state}) defined"))),
        None => Ok(()),
    }
}

/// Looks once.
///
/// # Errors
/// If the arguments contradict each other.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<()>, Failure> {
    validate(args)?;
    let probe = Probe::new(args, view)?;
    let why = "remote module (wait_for) does not support check mode";
    let unknown = Checked::Unknown { plan: (), why, values: Map::new() };
    // What a delay is for has not happened yet, so what is seen now says nothing. What a port says takes long.
    if args.delay > 0
        || (args.port.is_none() && args.path.is_none())
        || (args.port.is_some() && probe.has_pattern())
    {
        return Ok(unknown);
    }
    match probe.check(view, Duration::from_millis(500))? {
        Some(groups) => Ok(Checked::Same(values(args, view, groups.as_ref(), 0))),
        None => Ok(unknown),
    }
}

fn values(args: &Args, view: &SystemView, groups: Option<&Groups>, elapsed: u64) -> Map {
    let found = groups.map(Groups::all).unwrap_or_default();
    let text = |text: &Option<String>| Value::from(text.clone());
    let named: Map =
        found.iter().filter_map(|group| Some((group.name.as_deref()?.into(), text(&group.text)))).collect();
    let state = match args.state {
        State::Absent => "absent",
        State::Drained => "drained",
        State::Present => "present",
        State::Started => "started",
        State::Stopped => "stopped",
    };
    map! {
        "state" => state,
        "port" => args.port,
        "search_regex" => args.search_regex.clone(),
        "match_groups" => found.iter().skip(1).map(|group| text(&group.text)).collect::<Value>(),
        "match_groupdict" => named,
        "path" => args.path.as_ref().map(|path| view.expand(path).to_string_lossy().into_owned()),
        "elapsed" => i64::try_from(elapsed).unwrap_or(i64::MAX),
    }
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

/// Waits.
///
/// # Errors
/// If it takes too long.
pub fn apply(args: &Args, _plan: (), node: &mut System) -> Result<Done, Failure> {
    let start = Instant::now();
    let end = start + seconds(args.timeout);
    let probe = Probe::new(args, node)?;
    node.sleep(seconds(args.delay))?;
    if args.port.is_none() && args.path.is_none() {
        node.sleep(seconds(args.timeout))?;
        return Ok(Done { changed: false, values: values(args, node, None, start.elapsed().as_secs()) });
    }
    let connect = seconds(args.connect_timeout).max(Duration::from_millis(1));
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        if let Some(groups) = probe.check(node, connect.min(left.max(Duration::from_millis(1))))? {
            return Ok(Done {
                changed: false,
                values: values(args, node, groups.as_ref(), start.elapsed().as_secs()),
            });
        }
        node.sleep(seconds(args.sleep))?;
    }
    let elapsed = i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX);
    Err(Failure::new(args.msg.clone().unwrap_or_else(|| late(args, node))).with("elapsed", elapsed))
}

fn late(args: &Args, view: &SystemView) -> String {
    let path = args.path.as_ref().map(|path| view.expand(path).to_string_lossy().into_owned());
    let place = path.clone().unwrap_or_else(|| format!("{}:{}", args.host, args.port.unwrap_or_default()));
    match (args.state, &args.search_regex) {
        (State::Absent | State::Stopped, _) if path.is_some() => {
            format!("Timeout when waiting for {place} to be absent.")
        }
        (State::Absent | State::Stopped, _) => format!("Timeout when waiting for {place} to stop."),
        (State::Drained, _) => format!("Timeout when waiting for {place} to drain"),
        (_, Some(pattern)) => format!("Timeout when waiting for search string {pattern} in {place}"),
        (_, None) if path.is_some() => format!("Timeout when waiting for file {place}"),
        (_, None) => format!("Timeout when waiting for {place}"),
    }
}
