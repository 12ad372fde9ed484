//! Taking back what a run has changed: looked at on all hosts first, then done.

mod agent;
pub mod begun;
mod find;
mod looked;
mod read;
mod tasks;
mod tell;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use convoy_protocol::{Status, Value, map};
use futures::future::join_all;

use agent::Agent;
use begun::Begun;
use looked::{Looked, settle};
use tasks::Tasks;
use tell::Teller;

use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::{Ending, Note, RunEvent};
use crate::journal::UndoneBlocks;
use crate::playbook::ast::Play;
use crate::schedule::engine::Engine;

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
pub async fn run(engine: &Engine, undo: &Undo) -> Result<Ending, Diagnostics> {
    let teller = Teller { engine };
    teller.play(format!("Undo of {}", undo.run));
    let ready = async {
        let hosts = look_at_all(engine, undo, &teller).await?;
        let names: Vec<Arc<str>> = hosts.iter().map(|host| host.name.clone()).collect();
        note_blocks_of_lost(engine, undo, &names);
        let tasks = tasks::prepare(engine, &undo.plays, &undo.begun, &undo.undone, &names).await?;
        Ok((hosts, tasks))
    };
    let (hosts, mut tasks) = match ready.await {
        Ok(ready) => ready,
        // Nothing is changed yet.
        Err(refused) => {
            engine.finish().await;
            return Err(refused);
        }
    };
    tasks.run().await?;
    take_back_all(engine, undo, &hosts, &tasks, &teller).await;
    tasks.handlers().await?;
    let told = hosts.iter().filter(|host| !engine.lost.borrow().contains(&host.name));
    let lines: Vec<String> = told.flat_map(|host| left(undo, host, &tasks)).collect();
    engine.finish().await;
    if !lines.is_empty() {
        engine.tell(RunEvent::NotDone { lines, command: None });
    }
    Ok(engine.ending())
}

/// Notes which blocks are not undone on hosts that cannot be reached.
fn note_blocks_of_lost(engine: &Engine, undo: &Undo, reached: &[Arc<str>]) {
    for name in undo.hosts.iter().filter(|name| !reached.contains(name)) {
        let blocks = undo.begun.blocks.iter().rev().filter_map(|block| block.on(name));
        let open = blocks.filter(|on| !on.is_undone(&undo.undone));
        engine.not_done.borrow_mut().extend(open.map(|on| format!("{name}: block \"{}\"", on.title)));
    }
}

/// Looks at all hosts. Those that cannot be reached take no part.
///
/// # Errors
/// What is not as the run left it.
async fn look_at_all(engine: &Engine, undo: &Undo, teller: &Teller<'_>) -> Result<Vec<Host>, Diagnostics> {
    teller.task("Look at what was changed");
    let looks = join_all(undo.hosts.iter().map(|host| look(engine, undo, host))).await;
    let (mut hosts, mut refused) = (Vec::new(), Diagnostics::new());
    for (name, looked) in undo.hosts.iter().zip(looks) {
        match looked {
            Err(looked::Trouble::Lost(lost)) => teller.lost(name, lost),
            Err(looked::Trouble::Failed(why)) => {
                teller.failed(name, map! { "msg" => why.as_str() });
                refused.push(refusal(format!("{name}: {why}")));
            }
            Ok(agents) => match settle(agents) {
                Ok(agents) => {
                    teller.ok(name);
                    hosts.push(Host { name: name.clone(), agents });
                }
                Err(problems) => {
                    let texts: Vec<Value> = problems.iter().map(|text| text.as_str().into()).collect();
                    let msg = "it is not as the run left it";
                    teller.failed(name, map! { "msg" => msg, "problems" => texts });
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
async fn take_back_all(engine: &Engine, undo: &Undo, hosts: &[Host], tasks: &Tasks<'_>, teller: &Teller<'_>) {
    let unfinished = tasks.unfinished();
    let is_lost = |host: &&Host| engine.lost.borrow().contains(&host.name) || unfinished.contains(&host.name);
    let (lost, rest): (Vec<&Host>, Vec<&Host>) =
        hosts.iter().filter(|host| host.has_work()).partition(is_lost);
    let line = |host: &&Host| {
        format!("{}: what was changed in files, since not all of its blocks are undone", host.name)
    };
    engine.not_done.borrow_mut().extend(lost.iter().map(line));
    if rest.is_empty() {
        return;
    }
    if !tasks.worked.is_empty() {
        teller.play(format!("Undo of {}: what was changed in files", undo.run));
    }
    teller.task("Take it back");
    join_all(rest.into_iter().map(|host| take_back(engine, undo, host, teller))).await;
}

fn refusal(text: String) -> Diagnostic {
    Diagnostic::user(text).kind(Kind::Refused)
}

/// Has all agents that worked on a host look: that of the login user, and those of the users it became.
async fn look(
    engine: &Engine,
    undo: &Undo,
    host: &Arc<str>,
) -> Result<Vec<(Agent, Looked)>, looked::Trouble> {
    let mut found = Vec::new();
    let elsewhere = &undo.begun.tickets;
    for way in agent::ways(engine, undo, host)? {
        let login = way.login();
        let looked = login.look(engine, &undo.run, elsewhere).await?;
        let others = looked.users.iter().map(|user| way.become_user(engine, user));
        let others: Vec<Agent> = others.collect::<Result<_, _>>()?;
        found.push((login, looked));
        for other in others {
            let looked = other.look(engine, &undo.run, elsewhere).await?;
            found.push((other, looked));
        }
    }
    Ok(found)
}

/// Takes back what was changed on one host.
async fn take_back(engine: &Engine, undo: &Undo, host: &Host, teller: &Teller<'_>) {
    let mut items = Vec::new();
    for (agent, looked) in host.agents.iter().filter(|(_, looked)| !looked.items.is_empty()) {
        if engine.interrupted.get() {
            let line = format!("{}: what {} changed in files", host.name, agent.user());
            engine.not_done.borrow_mut().push(line);
            continue;
        }
        if !engine.options.check {
            engine.note(Note::TakesBack { host: host.name.clone() });
            match agent.take_back(engine, &undo.run).await {
                Err(lost) => return teller.lost(&host.name, lost),
                Ok(outcome) if outcome.status == Status::Failed => {
                    teller.items(&host.name, &items);
                    // Its files are not as they were: no handler runs.
                    engine.lost.borrow_mut().insert(host.name.clone());
                    return teller.failed(&host.name, outcome.values);
                }
                Ok(_) => {}
            }
        }
        items.extend(looked.items.iter().cloned());
    }
    teller.items(&host.name, &items);
    teller.changed(&host.name, &items);
}

/// Returns what stays as it is on a host, in lines for people.
fn left(undo: &Undo, host: &Host, tasks: &Tasks<'_>) -> Vec<String> {
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
        Some(by) => lines.push(format!("{name}: nothing is left to take back: run {by} has done it")),
        None if known || !blocks.is_empty() => lines.push(format!("{name}: nothing is left to take back")),
        None => lines.push(format!("{name}: nothing is recorded of this run")),
    }
    let nothing = BTreeMap::new();
    let named = undo.tasks.get(name).unwrap_or(&nothing);
    for (_, looked) in &host.agents {
        lines.extend(looked.lost.iter().map(|lost| format!("{name}: stays as it is: {lost}")));
        for beyond in &looked.beyond {
            let names = named.get(&beyond.module).map(|names| {
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                format!(": {}", names.join(", "))
            });
            let times = if beyond.count == 1 { "once".to_owned() } else { format!("{} times", beyond.count) };
            lines.push(format!(
                "{name}: cannot be undone: {}, {}, {times}{}",
                beyond.module,
                beyond.why,
                names.unwrap_or_default()
            ));
        }
    }
    lines
}
