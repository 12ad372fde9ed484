//! `convoy undo`: takes back what a run has changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser as _;
use convoy_protocol::{Map, Value, map};

use super::resume::check_sources;
use super::run_options::RunOptions;
use super::{Cli, Command};
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::{Note, RunEvent, TaskResult, Verdict};
use crate::inventory::Inventory;
use crate::journal::{Entry, Header, Reader, RunId, RunState, Runs, UndoneBlocks};
use crate::playbook::Loader;
use crate::playbook::ast::Play;
use crate::report;
use crate::schedule::Scheduler;
use crate::services::options::{Options, Tags};
use crate::settings;
use crate::start::{self, Journal, Launch};
use crate::text::json;
use crate::undo::begun::Begun;
use crate::undo::{self, Undo};
use crate::yaml;

/// How many undos of undos are followed to the run they began with.
const DEPTH: usize = 100;

/// Arguments of `convoy undo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its name, the beginning of its name, or `last`
    #[arg(value_name = "RUN")]
    target: String,
    #[command(flatten)]
    blocks: OfBlocks,
    /// What is not given is as it was for that run.
    #[command(flatten)]
    run: RunOptions,
}

/// What is done about blocks that have an `undo:`.
#[derive(Debug, Clone, Copy, clap::Args)]
struct OfBlocks {
    /// Restore files only; do not run the `undo:` of blocks
    #[arg(long)]
    files_only: bool,
    /// Undo blocks as the playbooks say now, although they or roles have changed since
    #[arg(long)]
    accept_changes: bool,
}

type Hosts = Vec<Arc<str>>;

/// What the journal tells of the run.
#[derive(Default)]
struct Told {
    /// The hosts that it worked on, in their order.
    hosts: Hosts,
    /// For each host and module, the tasks that changed something.
    tasks: HashMap<Arc<str>, BTreeMap<String, BTreeSet<String>>>,
    /// What was noted.
    notes: Vec<Note>,
    /// For each host, whether what was begun since its last result is undone with a block.
    in_blocks: HashMap<Arc<str>, bool>,
    /// Whether no block is undone.
    files_only: bool,
    /// Why the journal may not know all that was done.
    gap: Option<String>,
}

/// What --accept-changes does.
const UNDOES: &str = "undoes blocks as the playbooks say now; --files-only undoes files alone";

/// Takes back what the run has changed, and returns the exit code.
///
/// # Errors
/// If there is no such run, it goes on, or something is not as it left it; then nothing was changed.
pub fn run(args: Args, line: Vec<String>) -> Result<u8, Diagnostics> {
    let read = settings::read()?;
    let settings = &read.settings;
    let runs = Runs::require(settings)?;
    let id = runs.find_applied(&args.target)?;
    // Two would undo its blocks twice, and what is gone on with meanwhile would be missed. Who only looks is not in the way.
    let _held = if args.run.is_check() { None } else { Some(runs.lock(&id, "convoy undo")?) };
    expect_ended(&runs, &id)?;
    let (header, mut told) = told(&runs, &id, args.blocks.files_only)?;
    expect_here(&header)?;
    let begun = Begun::of(&told.notes);
    told.add_hosts(&begun);
    let nothing = |why: &str| Err(Diagnostic::user(format!("run {id} {why}: it has changed nothing")).into());
    if header.check {
        return nothing("was in check mode");
    }
    if told.hosts.is_empty() {
        return nothing("reached no host");
    }
    let (base, playbooks) = origin(&runs, &header)?;
    let run = args.run.over(base);
    let playbook_dir = playbooks.first().map(|playbook| super::folder_of(playbook));
    let mut options = run.engine(settings, Tags::default(), playbook_dir, named(line, &args.target, &id))?;
    let (inventory, inventory_warnings) =
        Inventory::load(&run.sources(settings), &run.inventory_options(&options))?;
    let loader = start::loader(&options);
    let (hosts, missing) = hosts(&inventory, &options, &told.hosts)?;
    let plain = plain(&loader, &hosts)?;
    let loaded = start::load_playbooks(&loader, &playbooks, &options);
    let undone = runs.undone_blocks(&id).map_err(|fault| Diagnostic::user(fault.to_string()))?;
    let (mut begun, open) = on_hosts(args.blocks, begun, &undone, &hosts, &told.notes)?;
    let loaded = if open { Some(loaded?) } else { loaded.ok() };
    let (sources, shown) = (run.sources(settings), run.report(settings));
    let begins = start::header(&options, &runs, vec![format!("undo of {id}")], sources, shown);
    let header = Header { undoes: Some(id.clone()), ..begins };
    let due = runs.due_from_last_run(&header.folder, &header.playbooks);
    options.resumable = false;
    let reporter =
        report::open(&run.report(settings), Box::new(std::io::stdout()), Box::new(std::io::stderr()));
    let journal = Some(Journal::New { header, runs, takes_over: false });
    let launch = Launch { options, loader, inventory, reporter, journal, read: &read };
    let mut scheduler = launch.scheduler()?;
    inventory_warnings.iter().for_each(|warning| scheduler.warn(warning.warning()));
    warn_of_unknown(&mut scheduler, &id, &missing, told.gap.as_deref(), loaded.is_none());
    if let Some((run, due)) = due {
        scheduler.record_due(run.as_str(), &due);
        let here = due.into_iter().filter(|due| hosts.contains(&due.host) && !args.blocks.files_only);
        scheduler.take_over_due(run.as_str(), here.collect());
    }
    if args.blocks.files_only {
        warn_of_left_out(&mut scheduler, &begun, &undone);
        begun = Begun::default();
    }
    let plays = loaded.iter().flat_map(|loaded| loaded.plays().cloned()).collect();
    let undo = Undo { run: id.to_string(), hosts, tasks: told.tasks, begun, undone, plays, plain };
    start::run(scheduler, async |scheduler| {
        scheduler.confirm_host_keys(std::slice::from_ref(&undo.plain)).await?;
        undo::run(scheduler, &undo).await
    })
}

/// Returns the command line with the run's name in it, so that it means the same run later.
fn named(line: Vec<String>, target: &str, id: &RunId) -> Vec<String> {
    let name = |word: String| if word == target { id.to_string() } else { word };
    if line.iter().filter(|word| *word == target).count() == 1 {
        line.into_iter().map(name).collect()
    } else {
        line
    }
}

/// Returns the blocks that the run has begun on these hosts, and whether they are to be undone on any. Their playbooks must be
/// what they were then.
fn on_hosts(
    asked: OfBlocks,
    mut begun: Begun,
    undone: &UndoneBlocks,
    hosts: &[Arc<str>],
    notes: &[Note],
) -> Result<(Begun, bool), Diagnostics> {
    for block in &mut begun.blocks {
        block.hosts.retain(|host| hosts.contains(&host.name));
    }
    begun.blocks.retain(|block| !block.hosts.is_empty());
    let open = begun.blocks.iter().any(|block| block.hosts.iter().any(|host| !host.is_undone(undone)));
    if open && !asked.files_only && !asked.accept_changes {
        check_sources(notes, UNDOES)?;
    }
    Ok((begun, open && !asked.files_only))
}

/// Says what is not known of the run any more.
fn warn_of_unknown(
    scheduler: &mut Scheduler,
    id: &RunId,
    missing: &[Arc<str>],
    gap: Option<&str>,
    unread: bool,
) {
    for host in missing {
        scheduler.warn(format!("{host} is not in the inventory any more: what was changed there stays"));
    }
    if let Some(why) = gap {
        scheduler.warn(format!(
            "the journal of run {id} does not know all that was done: {why}; a block that it does not know of is not undone"
        ));
    }
    if unread {
        scheduler.warn(
            "the playbooks of the run cannot be read any more: what they say of connections is not known",
        );
    }
}

/// Says which blocks are left out.
fn warn_of_left_out(scheduler: &mut Scheduler, begun: &Begun, undone: &UndoneBlocks) {
    for block in &begun.blocks {
        let open = block.hosts.iter().filter(|host| !host.is_undone(undone));
        let names: Vec<&str> = open.map(|host| &*host.name).collect();
        if !names.is_empty() {
            let (title, names) = (block.title(), names.join(", "));
            scheduler.warn(format!("block \"{title}\" is not undone on {names}, as --files-only says"));
        }
    }
}

fn unreadable(id: &RunId, why: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::user(format!("run {id} cannot be read: {why}"))
}

/// A run that goes on changes things still.
fn expect_ended(runs: &Runs, id: &RunId) -> Result<(), Diagnostic> {
    match runs.run(id).state {
        RunState::Running => Err(Diagnostic::user(format!("run {id} is in progress"))
            .kind(Kind::Refused)
            .hint("it can be undone when it has ended".to_owned())),
        RunState::Unreadable(why) => Err(unreadable(id, &why)),
        RunState::Ended(_) | RunState::BrokenOff => Ok(()),
    }
}

/// Paths on the command line of the run start from the folder that it was run in.
fn expect_here(header: &Header) -> Result<(), Diagnostic> {
    let there = Path::new(&header.folder);
    let (Ok(there), Ok(here)) = (there.canonicalize(), Path::new(".").canonicalize()) else { return Ok(()) };
    if there == here {
        return Ok(());
    }
    Err(Diagnostic::user(format!("run {} was started in {}", header.id, there.display()))
        .hint(format!("go there first: cd {}", there.display())))
}

/// Reads what the run did from its journal.
fn told(runs: &Runs, id: &RunId, files_only: bool) -> Result<(Header, Told), Diagnostic> {
    let wrong = |why: String| unreadable(id, &why);
    let (header, mut reader) = Reader::open(&runs.folder_of(id)).map_err(|error| wrong(error.to_string()))?;
    let mut told = Told { files_only, ..Told::default() };
    while let Some(found) = reader.next_entry().map_err(|error| wrong(error.to_string()))? {
        match found {
            Entry::Event(RunEvent::Result(result) | RunEvent::Item(result)) => told.add(&result),
            // One of them may have done something, and the run was killed before it could tell.
            Entry::Event(RunEvent::Working { hosts }) => hosts.iter().for_each(|host| told.host(host)),
            Entry::Event(RunEvent::Noted(note)) => told.note(note),
            Entry::Event(_) => {}
            Entry::Missing(count) => told.gap = Some(format!("{count} events could not be written into it")),
            Entry::Unknown(why) => told.gap = Some(why),
        }
    }
    let rest = reader.tail().map_err(|error| wrong(error.to_string()))?;
    if let Some(rest) = rest.filter(|rest| !rest.torn) {
        told.gap = Some(format!("it is damaged at record {}", rest.records));
    }
    Ok((header, told))
}

impl Told {
    /// Adds the hosts whose tasks were all done elsewhere.
    fn add_hosts(&mut self, begun: &Begun) {
        begun.blocks.iter().flat_map(|block| &block.hosts).for_each(|host| self.host(&host.name));
    }

    fn host(&mut self, host: &Arc<str>) {
        if !self.hosts.contains(host) {
            self.hosts.push(host.clone());
        }
    }

    fn note(&mut self, note: Note) {
        if let Note::Begun { host, blocks, .. } = &note {
            *self.in_blocks.entry(host.clone()).or_insert(!self.files_only) &= !blocks.is_empty();
        }
        self.notes.push(note);
    }

    fn add(&mut self, result: &TaskResult) {
        let host = result.host.delegate.as_ref().unwrap_or(&result.host.name);
        if !matches!(result.verdict, Verdict::Skipped | Verdict::Unreachable) {
            self.host(host);
        }
        if result.label.is_some() {
            return;
        }
        let is_in_block = self.in_blocks.remove(&result.host.name).unwrap_or_default();
        if result.verdict == Verdict::Changed && !is_in_block {
            let module = result.action.rsplit('.').next().unwrap_or_default().to_owned();
            let tasks = self.tasks.entry(host.clone()).or_default().entry(module).or_default();
            let name = result.task.split('\n').next().unwrap_or_default();
            tasks.insert(name.to_owned());
        }
    }
}

/// Returns the options of the run, and its playbooks; of an undo, those of the run that it took back.
fn origin(runs: &Runs, header: &Header) -> Result<(RunOptions, Vec<PathBuf>), Diagnostics> {
    let mut overs: Vec<RunOptions> = Vec::new();
    let mut header = header.clone();
    for _ in 0..DEPTH {
        let command = Cli::try_parse_from(&header.command).ok().map(|cli| cli.command);
        match command {
            Some(Command::Apply(args)) => {
                let playbooks = header.playbooks.iter().map(PathBuf::from).collect();
                return Ok((overs.into_iter().rfold(args.run, |base, over| over.over(base)), playbooks));
            }
            Some(Command::Undo(args)) => {
                overs.push(args.run);
                let Some(id) = &header.undoes else { break };
                let opened = Reader::open(&runs.folder_of(id));
                header = opened.map_err(|error| unreadable(id, &error))?.0;
            }
            _ => break,
        }
    }
    Err(Diagnostic::user(format!("the command line of run {} cannot be read", header.id)).into())
}

/// Returns those hosts of the run that are to be taken part, and those that are not known any more.
fn hosts(inventory: &Inventory, options: &Options, all: &[Arc<str>]) -> Result<(Hosts, Hosts), Diagnostics> {
    let limit = options.limit.as_deref();
    let is_known = |host: &Arc<str>| inventory.host(host).is_some() || inventory.is_implicit(host);
    let (known, missing): (Hosts, Hosts) = all.iter().cloned().partition(is_known);
    let known = inventory.limited(&known, limit)?;
    if known.is_empty() && !all.is_empty() {
        let named = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Diagnostic::user("no host is left of those that the run worked on")
            .note(format!("it worked on {named}"))
            .into());
    }
    Ok((known, missing))
}

/// Reads a play that names these hosts and says nothing of how to reach them.
fn plain(loader: &Loader, hosts: &[Arc<str>]) -> Result<Arc<Play>, Diagnostics> {
    let hosts: Vec<Value> = hosts.iter().map(|host| Value::from(&**host)).collect();
    let task = map! { "action" => "ping" };
    let play = map! { "hosts" => hosts, "gather_facts" => false, "tasks" => vec![Value::from(task)] };
    let text = json::to_string(&vec![Value::from(play)].into(), json::Style::default());
    let path = PathBuf::from("<undo>");
    loader.provide(&path, yaml::read("<undo>", &text)?);
    let unrendered = |value: &Value, _: &Map| Ok(value.clone());
    let loaded = loader.playbooks(&[path], &unrendered)?;
    loaded.plays().next().cloned().ok_or_else(|| Diagnostic::user("there is no host").into())
}
