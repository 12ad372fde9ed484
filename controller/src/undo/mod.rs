//! `convoy undo`: reverts what a run changed. All hosts are inspected first; then either everything is reverted or nothing.
//!
//! The order is: the tasks of `undo:` sections, the last block first (`tasks.rs`); then the files, from the nodes' own records
//! (`agent.rs`); then the handlers that were notified. `begun.rs` reads from the journal which blocks there are, and `find.rs` finds
//! them in the playbooks of now.

mod agent;
pub mod begun;
mod find;
mod looked;
mod read;
mod report;
mod tasks;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use convoy_protocol::{Map, Status, Value, map};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;

use agent::{Agent, Nodes, Way};
use begun::Begun;
use looked::{InspectError, Looked, order_agents};
use tasks::UndoTasks;

use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::{Ending, Note, RunEvent};
use crate::journal::UndoneBlocks;
use crate::playbook::ast::Play;
use crate::schedule::Scheduler;
use crate::services::host_error::HostError;
use crate::state::request::Request;

/// What is to be taken back.
#[derive(Debug)]
pub struct Undo {
    /// The run's name.
    pub run: String,
    /// The hosts that it worked on.
    pub hosts: Vec<Arc<str>>,
    /// For each host and module, the tasks that changed something.
    pub tasks: HashMap<Arc<str>, BTreeMap<String, BTreeSet<String>>>,
    /// The blocks with `undo:` that it has begun.
    pub begun: Begun,
    /// Those of them that are undone already.
    pub undone: UndoneBlocks,
    /// The plays of the run, for how hosts are reached and what undoes the blocks.
    pub plays: Vec<Arc<Play>>,
    /// A play that says nothing of that.
    pub plain: Arc<Play>,
}

/// One host, and what its agents found.
struct Host {
    name: Arc<str>,
    agents: Vec<(Agent, Looked)>,
}

impl Host {
    fn has_work(&self) -> bool {
        self.agents.iter().any(|(_, looked)| !looked.items.is_empty())
    }
}

/// Takes it back.
///
/// # Errors
/// If something is not as the run left it; then nothing was changed on any host.
pub async fn run(scheduler: &mut Scheduler, undo: &Undo) -> Result<Ending, Diagnostics> {
    report::play(scheduler, format!("Undo of {}", undo.run));
    let (hosts, mut tasks) = match get_ready(scheduler, undo).await {
        Ok(ready) => ready,
        // Nothing is changed yet.
        Err(refused) => {
            scheduler.finish().await;
            return Err(refused);
        }
    };
    tasks.run(scheduler).await?;
    take_back_all(scheduler, undo, &hosts, &tasks).await;
    tasks.handlers(scheduler).await?;
    let reached = hosts.iter().filter(|host| !scheduler.world.progress.lost.contains(&host.name));
    let lines: Vec<String> = reached.flat_map(|host| left(undo, host, &tasks)).collect();
    scheduler.finish().await;
    if !lines.is_empty() {
        scheduler.emit(RunEvent::NotDone { lines, command: None });
    }
    Ok(scheduler.ending())
}

/// Looks at all hosts, and prepares the tasks that undo blocks.
async fn get_ready(scheduler: &mut Scheduler, undo: &Undo) -> Result<(Vec<Host>, UndoTasks), Diagnostics> {
    let hosts = look_at_all(scheduler, undo).await?;
    let names: Vec<Arc<str>> = hosts.iter().map(|host| host.name.clone()).collect();
    note_blocks_of_lost(scheduler, undo, &names);
    let tasks = tasks::prepare(scheduler, &undo.plays, &undo.begun, &undo.undone, &names).await?;
    Ok((hosts, tasks))
}

/// Notes which blocks are not undone on hosts that cannot be reached.
fn note_blocks_of_lost(scheduler: &mut Scheduler, undo: &Undo, reached: &[Arc<str>]) {
    for name in undo.hosts.iter().filter(|name| !reached.contains(name)) {
        let blocks = undo.begun.blocks.iter().rev().filter_map(|block| block.on(name));
        for open in blocks.filter(|on| !on.is_undone(&undo.undone)) {
            scheduler.not_done(format!("{name}: block \"{}\"", open.title));
        }
    }
}

/// Looks at all hosts. Those that cannot be reached take no part.
///
/// # Errors
/// What is not as the run left it.
async fn look_at_all(scheduler: &mut Scheduler, undo: &Undo) -> Result<Vec<Host>, Diagnostics> {
    report::task(scheduler, "Look at what was changed");
    let looks = undo.hosts.iter().map(|host| agent::ways(scheduler, undo, host)).collect::<Vec<_>>();
    let (services, requests) = (scheduler.services.clone(), scheduler.requests());
    let snapshot = scheduler.world.vars.clone();
    let nodes = Nodes { services: &services, requests: &requests, snapshot: &snapshot };
    let looks = join_all(looks.into_iter().map(|ways| look(nodes, undo, ways)));
    let looks = scheduler.drive(looks).await;
    let (mut hosts, mut refused) = (Vec::new(), Diagnostics::new());
    for (name, looked) in undo.hosts.iter().zip(looks) {
        match looked {
            Err(InspectError::Host(error)) => report::lost(scheduler, name, error),
            Err(InspectError::Failed(why)) => {
                report::failed(scheduler, name, map! { "msg" => why.as_str() });
                refused.push(refusal(format!("{name}: {why}")));
            }
            Ok(agents) => match order_agents(agents) {
                Ok(agents) => {
                    report::ok(scheduler, name);
                    hosts.push(Host { name: name.clone(), agents });
                }
                Err(problems) => {
                    let texts: Vec<Value> = problems.iter().map(|text| text.as_str().into()).collect();
                    let msg = "it is not as the run left it";
                    report::failed(scheduler, name, map! { "msg" => msg, "problems" => texts });
                    refused.extend(problems.iter().map(|text| refusal(format!("{name}: {text}"))));
                }
            },
        }
    }
    let Some(last) = refused.last_mut() else { return Ok(hosts) };
    last.hint = Some(
        "nothing was changed on any host; -l takes back what was changed on others, see docs/undo.md"
            .to_owned(),
    );
    Err(refused)
}

/// Takes back what was changed in files, on hosts on which all blocks are undone.
async fn take_back_all(scheduler: &mut Scheduler, undo: &Undo, hosts: &[Host], tasks: &UndoTasks) {
    let unfinished = tasks.unfinished();
    let lost = &scheduler.world.progress.lost;
    let is_lost = |host: &&Host| lost.contains(&host.name) || unfinished.contains(&host.name);
    let (lost, rest): (Vec<&Host>, Vec<&Host>) =
        hosts.iter().filter(|host| host.has_work()).partition(is_lost);
    for host in lost {
        scheduler.not_done(format!(
            "{}: what was changed in files, since not all of its blocks are undone",
            host.name
        ));
    }
    if rest.is_empty() {
        return;
    }
    if !tasks.worked.is_empty() {
        report::play(scheduler, format!("Undo of {}: what was changed in files", undo.run));
    }
    report::task(scheduler, "Take it back");
    let (services, requests) = (scheduler.services.clone(), scheduler.requests());
    let snapshot = scheduler.world.vars.clone();
    let nodes = Nodes { services: &services, requests: &requests, snapshot: &snapshot };
    let take_back = |host| async move { (host, take_back(nodes, undo, host).await) };
    let mut running: FuturesUnordered<_> = rest.into_iter().map(take_back).collect();
    while let Some((host, taken)) = scheduler.drive(running.next()).await {
        report_taken_back(scheduler, host, taken);
    }
}

fn refusal(text: String) -> Diagnostic {
    Diagnostic::user(text).kind(Kind::Refused)
}

/// Has all agents that worked on a host look: that of the login user, and those of the users it became.
async fn look(
    nodes: Nodes<'_>,
    undo: &Undo,
    ways: Result<Vec<Way>, InspectError>,
) -> Result<Vec<(Agent, Looked)>, InspectError> {
    let mut found = Vec::new();
    let elsewhere = &undo.begun.tickets;
    for way in ways? {
        let login = way.login();
        let looked = login.look(nodes, &undo.run, elsewhere).await?;
        let others = looked.users.iter().map(|user| way.become_user(nodes, user));
        let others: Vec<Agent> = others.collect::<Result<_, _>>()?;
        found.push((login, looked));
        for other in others {
            let looked = other.look(nodes, &undo.run, elsewhere).await?;
            found.push((other, looked));
        }
    }
    Ok(found)
}

/// What became of the files of a host.
#[derive(Default)]
struct TakenBack {
    items: Vec<looked::Item>,
    not_done: Vec<String>,
    /// Why it ended before its end.
    stopped: Option<Stopped>,
}

enum Stopped {
    Lost(HostError),
    Failed(Map),
}

/// Takes back what was changed on one host.
async fn take_back(nodes: Nodes<'_>, undo: &Undo, host: &Host) -> TakenBack {
    let mut taken = TakenBack::default();
    for (agent, looked) in host.agents.iter().filter(|(_, looked)| !looked.items.is_empty()) {
        if nodes.services.interrupts.is_interrupted() {
            taken.not_done.push(format!("{}: what {} changed in files", host.name, agent.user()));
            continue;
        }
        if !nodes.services.options.check {
            let note = Note::TakesBack { host: host.name.clone() };
            nodes.requests.ask(|reply| Request::RecordFirst(note, reply)).await;
            match agent.take_back(nodes, &undo.run).await {
                Err(error) => {
                    taken.stopped = Some(Stopped::Lost(error));
                    return taken;
                }
                Ok(outcome) if outcome.status == Status::Failed => {
                    taken.stopped = Some(Stopped::Failed(outcome.values));
                    return taken;
                }
                Ok(_) => {}
            }
        }
        taken.items.extend(looked.items.iter().cloned());
    }
    taken
}

/// Reports what became of the files of a host.
fn report_taken_back(scheduler: &mut Scheduler, host: &Host, taken: TakenBack) {
    let TakenBack { items, not_done, stopped } = taken;
    not_done.into_iter().for_each(|line| scheduler.not_done(line));
    match stopped {
        Some(Stopped::Lost(error)) => report::lost(scheduler, &host.name, error),
        Some(Stopped::Failed(values)) => {
            report::items(scheduler, &host.name, &items);
            // Its files are not as they were: no handler runs.
            scheduler.world.progress.lost.insert(host.name.clone());
            report::failed(scheduler, &host.name, values);
        }
        None => {
            report::items(scheduler, &host.name, &items);
            report::changed(scheduler, &host.name, &items);
        }
    }
}

/// Returns what stays as it is on a host, in lines for people.
fn left(undo: &Undo, host: &Host, tasks: &UndoTasks) -> Vec<String> {
    let mut lines = Vec::new();
    let name = &host.name;
    let known = host.agents.iter().any(|(_, looked)| looked.recorded);
    let blocks: Vec<&begun::Host> = undo.begun.blocks.iter().filter_map(|block| block.on(name)).collect();
    let by = host.agents.iter().find_map(|(_, looked)| looked.undone_by.as_ref());
    for block in &blocks {
        let by = block.ids.last().and_then(|id| undo.undone.get(&(name.clone(), *id)));
        let line = |by| format!("{name}: block \"{}\" is undone already: run {by} has done it", block.title);
        lines.extend(by.map(line));
    }
    match by {
        _ if host.has_work() || tasks.worked.contains(name) || tasks.unfinished().contains(name) => {}
        Some(by) => lines.push(format!("{name}: nothing is left to undo: run {by} has done it")),
        None if known || !blocks.is_empty() => lines.push(format!("{name}: nothing is left to undo")),
        None => lines.push(format!("{name}: nothing is recorded of this run")),
    }
    let nothing = BTreeMap::new();
    let named = undo.tasks.get(name).unwrap_or(&nothing);
    for (_, looked) in &host.agents {
        lines.extend(looked.lost.iter().map(|lost| format!("{name}: stays as it is: {lost}")));
        for irreversible in &looked.irreversible {
            let names = named.get(&irreversible.module).map(|names| {
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                format!(": {}", names.join(", "))
            });
            let times = if irreversible.count == 1 {
                "once".to_owned()
            } else {
                format!("{} times", irreversible.count)
            };
            lines.push(format!(
                "{name}: cannot be undone: {}, {}, {times}{}",
                irreversible.module,
                irreversible.why,
                names.unwrap_or_default()
            ));
        }
    }
    lines
}
