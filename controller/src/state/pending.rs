//! Check mode: what earlier tasks would have changed, and which later answers that makes uncertain.
//!
//! A dry run changes nothing, so a later task is checked on a node on which the earlier ones were not executed either. Its answer is
//! uncertain if it depends on a path that an earlier task would have written. A failure is uncertain as soon as anything would have
//! changed on the node: what is missing may be what an earlier task brings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_agent::args::{ParamKind, Staged};
use convoy_agent::modules;
use convoy_protocol::message::Order;
use convoy_protocol::{Map, Status, Value};

use crate::playbook::ast::{Action, Task};
use crate::services::endpoint::Endpoint;

/// What earlier tasks of a run in check mode would have changed.
#[derive(Debug, Default)]
pub struct PendingChanges {
    nodes: HashMap<Node, Changes>,
    hosts: HashMap<Arc<str>, Arc<str>>,
}

/// A machine, by how it is reached: many hosts may be one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Node {
    address: Option<(String, Option<String>)>,
}

#[derive(Debug, Default)]
struct Changes {
    first: Option<Arc<str>>,
    places: Vec<(Place, Arc<str>)>,
}

/// Where an order reads or writes.
#[derive(Debug, PartialEq)]
struct Place {
    path: PathBuf,
    /// Whether what is below it counts too.
    deep: bool,
}

impl Place {
    /// Returns whether something written here would be seen there. What is above a place matters only to those who
    /// look below it, or who would make it.
    fn is_seen_from(&self, there: &Self, would_change: bool) -> bool {
        let (mine, theirs) = (&self.path, &there.path);
        mine == theirs
            || (self.deep && theirs.starts_with(mine))
            || ((there.deep || would_change) && mine.starts_with(theirs))
    }
}

impl Node {
    fn of(endpoint: &Endpoint) -> Self {
        let port = endpoint.options.iter().find(|(name, _)| name == "Port").map(|(_, port)| port.clone());
        Self { address: (!endpoint.local).then(|| (endpoint.address.clone(), port)) }
    }
}

/// Why a value is unknown that a task registered which was not run.
pub(crate) fn result_of(task: &str) -> Arc<str> {
    format!("needs the result of task \"{task}\"").into()
}

/// Why a value is unknown that a task sets of which it is not known whether it will be run.
pub(crate) fn set_by(task: &str) -> Arc<str> {
    format!("depends on what task \"{task}\" sets").into()
}

/// Why a handler may or may not run.
pub(crate) fn notified_by(task: &str) -> Arc<str> {
    format!("is notified if task \"{task}\" changes something").into()
}

fn change_of(task: &str) -> Arc<str> {
    format!("depends on an earlier change, of task \"{task}\"").into()
}

impl PendingChanges {
    /// Notes that an order would, or may, change something.
    pub(crate) fn record(&mut self, endpoint: &Endpoint, order: &Order, values: &Map, task: &str) {
        if modules::find(&order.module).is_some_and(|module| !module.behavior.access.writes(&order.args)) {
            return;
        }
        let why = change_of(task);
        let changes = self.nodes.entry(Node::of(endpoint)).or_default();
        changes.first.get_or_insert_with(|| why.clone());
        changes.places.extend(places(order, values).into_iter().map(|place| (place, why.clone())));
    }

    /// Notes what may be changed by a task of which only the run itself can tell whether it is done; `might`: what it
    /// would ask.
    pub(crate) fn record_possible(
        &mut self,
        host: &Arc<str>,
        task: &Task,
        might: Option<&(Box<Order>, Arc<Endpoint>)>,
        title: &str,
    ) {
        match (might, &task.action) {
            (Some((order, endpoint)), _) => self.record(endpoint, order, &Map::new(), title),
            (None, Action::Controller(_) | Action::Meta(_)) => {}
            (None, _) => self.record_host(host, title),
        }
    }

    /// Notes that a task of which it is not known what it does may change something on a host.
    pub(crate) fn record_host(&mut self, host: &Arc<str>, task: &str) {
        self.hosts.entry(host.clone()).or_insert_with(|| change_of(task));
    }

    /// Returns why a failure on a node may be none when the run is in earnest.
    pub(crate) fn of_node(&self, endpoint: &Endpoint) -> Option<Arc<str>> {
        let first = self.nodes.get(&Node::of(endpoint)).and_then(|changes| changes.first.clone());
        first.or_else(|| self.hosts.get(&endpoint.host).cloned())
    }

    /// Returns why a failure here may be none when the run is in earnest: what is known of any node may be different
    /// then.
    pub(crate) fn anywhere(&self) -> Option<Arc<str>> {
        let first = self.nodes.values().find_map(|changes| changes.first.clone());
        first.or_else(|| self.hosts.values().next().cloned())
    }

    /// Returns why an answer may be another when the run is in earnest.
    pub(crate) fn of_answer(
        &self,
        endpoint: &Endpoint,
        order: &Order,
        status: Status,
        values: &Map,
    ) -> Option<Arc<str>> {
        let would_change = match status {
            Status::Failed => return self.of_node(endpoint),
            Status::Same => false,
            Status::WouldChange => true,
            // What it would be, if there were nothing to do.
            Status::Unknown => true,
            // Done in earnest.
            Status::Ran | Status::Changed | Status::Interrupted => return None,
        };
        let changes = self.nodes.get(&Node::of(endpoint))?;
        let looked_at = places(order, values);
        let seen = |place: &Place| looked_at.iter().any(|there| place.is_seen_from(there, would_change));
        changes.places.iter().find(|(place, _)| seen(place)).map(|(_, why)| why.clone())
    }
}

/// Returns where an order looks, and writes if it does.
fn places(order: &Order, values: &Map) -> Vec<Place> {
    let Some(module) = modules::find(&order.module) else { return Vec::new() };
    let mut places = Vec::new();
    for param in module.spec.params {
        if param.kind != ParamKind::Path || param.staged != Staged::No || param.name == "chdir" {
            continue;
        }
        let given = std::iter::once(&param.name)
            .chain(param.aliases)
            .find_map(|name| order.args.get(*name))
            .and_then(Value::as_str);
        // Where it went is said by the answer, such as the file within the folder that was given.
        let found = values.get("dest").and_then(Value::as_str).filter(|_| param.name == "dest");
        if let Some(path) = found.or(given) {
            places.push(place(path, module.behavior.access.is_recursive(&order.args)));
        }
    }
    places
}

/// A pattern means all that is in the folder where it begins.
fn place(text: &str, deep: bool) -> Place {
    let whole = Path::new(text);
    let plain = |part: &&std::ffi::OsStr| !part.to_string_lossy().contains(['*', '?', '[']);
    let path: PathBuf = whole.iter().take_while(plain).collect();
    Place { deep: deep || path.iter().count() < whole.iter().count(), path }
}

#[cfg(test)]
mod tests {
    use convoy_protocol::map;

    use super::*;

    fn order(module: &str, args: Map) -> Order {
        Order { check: true, ..Order::new(module, args) }
    }

    /// Returns whether the second order's answer is in doubt after the first.
    fn in_doubt(first: &Order, second: &Order, status: Status) -> bool {
        let (mut pending, here) =
            (PendingChanges::default(), Endpoint { local: true, ..Endpoint::default() });
        pending.record(&here, first, &Map::new(), "earlier");
        pending.of_answer(&here, second, status, &Map::new()).is_some()
    }

    #[test]
    fn an_answer_is_in_doubt_where_its_place_was_written() {
        let file = |path: &str, state: &str| order("file", map! { "path" => path, "state" => state });
        let run = |creates: &str| order("command", map! { "_raw_params" => "x", "creates" => creates });
        let (same, differs) = (Status::Same, Status::WouldChange);
        for (first, second, status, expected) in [
            (file("/a", "absent"), run("/a"), same, true),
            (file("/a", "absent"), file("/a/b", "file"), same, true),
            (file("/a", "directory"), file("/a/b", "file"), same, false),
            (file("/a", "directory"), file("/a", "directory"), differs, true),
            (file("/a/b", "directory"), file("/a", "directory"), differs, true),
            (file("/a/b", "touch"), file("/a", "directory"), same, false),
            (file("/a/b", "touch"), file("/a", "absent"), differs, true),
            (file("/a", "touch"), file("/ab", "touch"), differs, false),
            (run("/opt/x-*/bin"), file("/opt/x-1", "directory"), same, true),
            (run("/a"), file("/b", "file"), same, false),
            (run("/a"), file("/b", "file"), Status::Failed, true),
            (order("stat", map! { "path" => "/a" }), file("/a", "file"), Status::Failed, false),
            (order("slurp", map! { "src" => "/a" }), file("/a", "file"), Status::Failed, false),
            (file("/a/b", "touch"), order("slurp", map! { "src" => "/a" }), same, false),
            (order("toml", map! { "path" => "/a/b" }), order("stat", map! { "path" => "/a" }), same, false),
            (order("toml", map! { "path" => "/a/b" }), order("stat", map! { "path" => "/a/b" }), same, true),
            (order("copy", map! { "src" => "x", "dest" => "/a" }), run("/a/b"), same, true),
            (file("/a/b", "touch"), order("setup", map! { "fact_path" => "/a" }), same, true),
        ] {
            assert_eq!(in_doubt(&first, &second, status), expected, "{first:?} {second:?} {status:?}");
        }
    }

    #[test]
    fn hosts_on_one_machine_share_their_pending() {
        let mut pending = PendingChanges::default();
        let local = |host: &str| Endpoint { host: host.into(), local: true, ..Endpoint::default() };
        let there = Endpoint { host: "c".into(), address: "c".into(), ..Endpoint::default() };
        pending.record(&local("a"), &order("command", map! {}), &Map::new(), "earlier");
        let why = "depends on an earlier change, of task \"earlier\"";
        assert_eq!(pending.of_node(&local("b")).as_deref(), Some(why));
        assert_eq!(pending.of_node(&there), None);
        assert_eq!(pending.anywhere().as_deref(), Some(why));
    }
}
