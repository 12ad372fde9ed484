//! The engine: everything that lasts as long as a run, and the order of its plays.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use convoy_agent::failure::Failure;
use convoy_protocol::Value;
use tokio::sync::Notify;

use super::beyond::{self, Beyond};
use super::connect::Connections;
use super::custom_stats::CustomStats;
use super::doubt::Doubts;
use super::event::{Ending, Note, RunEvent, Stats, Tally};
use super::fact_cache::FactCache;
use super::free::Heading;
use super::job::View;
use super::jobs::Jobs;
use super::memory::Memory;
use super::options::Options;
use super::stage::{Digests, Manifests};
use super::{batch, play};
use crate::diagnostic::{self, Diagnostic, Diagnostics, Kind};
use crate::inventory::{Addition, Inventory, LOCALHOST};
use crate::journal::Due;
use crate::link::content::Contents;
use crate::playbook::Loader;
use crate::playbook::ast::{Play, Task};
use crate::report::Reporter;
use crate::settings::{self, HashBehaviour};
use crate::template::unknown::known;
use crate::template::{Context, Templar};
use crate::vars::magic::{Magic, PlayFacts, RunFacts};
use crate::vars::precedence::{Sources, layers};
use crate::vars::{Store, TaskScope};

/// What lasts as long as a run.
pub struct Engine {
    /// How the run was asked for.
    pub options: Options,
    /// The hosts.
    pub inventory: RefCell<Inventory>,
    /// Reads included files.
    pub loader: Loader,
    /// Renders.
    pub templar: Arc<Templar>,
    /// The variables of all hosts.
    pub store: RefCell<Arc<Store>>,
    /// What magic variables say of the run.
    pub facts: RefCell<Arc<RunFacts>>,
    /// What magic variables say of the play that runs.
    pub play: RefCell<Arc<PlayFacts>>,
    /// The links to the nodes.
    pub connections: Connections,
    /// Content that nodes may ask for.
    pub contents: Arc<Contents>,
    /// Digests of files read before.
    pub digests: Digests,
    /// Manifests of archives read before.
    pub manifests: Manifests,
    /// Where all that happens is told.
    pub reporter: RefCell<Box<dyn Reporter>>,
    /// The recap.
    pub stats: RefCell<BTreeMap<Arc<str>, Stats>>,
    /// Hosts that are out, failed or unreachable: no later play has them.
    pub lost: RefCell<HashSet<Arc<str>>>,
    /// Whether something was added to the inventory that variables do not tell of yet.
    pub extended: Cell<bool>,
    /// Set when the user interrupts: no further step is begun.
    pub interrupted: Cell<bool>,
    /// Set while a task waits for the user: Ctrl-C means that task then.
    pub pausing: Cell<bool>,
    /// Tells the task that waits for the user of a Ctrl-C.
    pub pressed: Notify,
    /// Whether the user is asked before each task.
    pub stepping: Cell<bool>,
    /// The task to start at, until it is found.
    pub start_at: RefCell<Option<String>>,
    /// The task whose heading was told last, where results come in any order.
    pub headed: RefCell<Option<Arc<Task>>>,
    /// Check mode: what earlier tasks would have changed.
    pub doubts: Doubts,
    /// What was done before, if the run is resumed, and what is noted for that.
    pub memory: Memory,
    /// Handlers that earlier runs have notified and not run, until the play comes that has them.
    pub due: RefCell<Vec<Due>>,
    /// Which play runs, counted from 1 through all playbooks.
    pub play_number: Cell<u32>,
    /// Facts that outlive the run.
    pub cache: Option<FactCache>,
    /// What `set_stats` collected.
    pub custom_stats: RefCell<CustomStats>,
    /// Hosts with variables that no password opens: only a run that needs them fails.
    pub locked: RefCell<HashMap<Arc<str>, Diagnostics>>,
    /// The jobs of the run.
    pub jobs: Jobs,
    /// Check mode: what could not be undone.
    pub beyond: RefCell<Beyond>,
    /// What was not done, for the end of the run.
    pub not_done: RefCell<Vec<String>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Engine {
    /// Gets ready to run with an inventory and extra variables.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub fn new(
        options: Options,
        inventory: Inventory,
        loader: Loader,
        reporter: Box<dyn Reporter>,
    ) -> Result<Self, Diagnostics> {
        let templar = Arc::new(Templar::new(options.template.clone(), options.vault.clone()));
        let contents = Arc::new(Contents::default());
        let store = Store::new(options.extra_vars.clone(), options.settings.inject_facts_as_vars);
        let engine = Self {
            connections: Connections::new(&options, contents.clone()),
            store: RefCell::new(Arc::new(store)),
            inventory: RefCell::new(inventory),
            facts: RefCell::default(),
            play: RefCell::default(),
            digests: Digests::default(),
            manifests: Manifests::default(),
            reporter: RefCell::new(reporter),
            stats: RefCell::default(),
            lost: RefCell::default(),
            extended: Cell::new(false),
            interrupted: Cell::new(false),
            pausing: Cell::new(false),
            pressed: Notify::new(),
            stepping: Cell::new(options.step),
            start_at: RefCell::new(options.start_at_task.clone()),
            headed: RefCell::default(),
            doubts: Doubts::default(),
            memory: Memory::default(),
            due: RefCell::default(),
            play_number: Cell::new(0),
            cache: FactCache::of(&options.settings)?,
            custom_stats: RefCell::default(),
            locked: RefCell::default(),
            jobs: Jobs::default(),
            beyond: RefCell::default(),
            not_done: RefCell::default(),
            options,
            loader,
            templar,
            contents,
        };
        engine.read_inventory()?;
        Ok(engine)
    }

    /// Adds to the inventory; variables tell of it once the task is done on all hosts. Returns whether that changed it.
    ///
    /// # Errors
    /// If it cannot be added.
    pub fn add(&self, addition: Addition) -> Result<bool, Failure> {
        let name = match &addition {
            Addition::Host { name, .. } => Some(Arc::from(name.as_str())),
            Addition::Group { .. } => None,
        };
        let mut inventory = self.inventory.borrow_mut();
        let changed = inventory.add(addition).map_err(|error| Failure::new(error.message))?;
        self.extended.set(true);
        if let Some(name) = name.filter(|_| changed) {
            self.join_play(name);
        }
        for warning in inventory.take_warnings() {
            self.warn(warning.warning());
        }
        Ok(changed)
    }

    /// Counts a host among those of the play, as Ansible does: it takes no part in it.
    fn join_play(&self, host: Arc<str>) {
        let mut play = self.play.borrow_mut();
        if !play.all.contains(&host) {
            let play = Arc::make_mut(&mut play);
            play.all.push(host.clone());
            play.active.push(host);
        }
    }

    /// Lets variables tell of what was added to the inventory.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub fn read_additions(&self) -> Result<(), Diagnostics> {
        if self.extended.take() { self.read_inventory() } else { Ok(()) }
    }

    /// Reads the sources of the inventory again, with what was added since.
    ///
    /// # Errors
    /// What is wrong in them.
    pub fn refresh_inventory(&self) -> Result<(), Diagnostics> {
        let (fresh, warnings) = self.inventory.borrow().refresh()?;
        self.inventory.replace(fresh);
        warnings.iter().for_each(|warning| self.warn(warning.warning()));
        Arc::make_mut(&mut self.store.borrow_mut()).forget_inventory();
        self.read_inventory()
    }

    /// Reads what variables say of the inventory; again after a host or group was added.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub fn read_inventory(&self) -> Result<(), Diagnostics> {
        let inventory = self.inventory.borrow();
        let hosts: Vec<Arc<str>> = inventory.hosts().map(|host| host.name.clone()).collect();
        let mut store = self.store.borrow_mut();
        let implicit = LOCALHOST.into_iter().filter(|name| inventory.is_implicit(name)).map(Arc::from);
        for host in hosts.iter().cloned().chain(implicit) {
            let layers = match inventory.layers(&host, self.options.playbook_dir.as_deref()) {
                Err(problems) if problems.iter().all(|problem| problem.kind == Kind::Locked) => {
                    self.locked.borrow_mut().insert(host, problems);
                    continue;
                }
                layers => layers?,
            };
            Arc::make_mut(&mut store).set_inventory(&host, layers.into_iter().map(|(_, map)| map).collect());
        }
        *self.facts.borrow_mut() = Arc::new(RunFacts {
            groups: inventory.group_map(),
            group_names: hosts.iter().map(|host| (host.clone(), inventory.group_names(host))).collect(),
            merge: self.options.settings.hash_behaviour == HashBehaviour::Merge,
            hosts,
            inventory_sources: self.options.inventory_sources.clone(),
            check: self.options.check,
            diff: self.options.diff,
            forks: self.options.forks,
            verbosity: self.options.verbosity,
            tags: match &self.options.tags.run[..] {
                [] => vec!["all".to_owned()],
                tags => tags.to_vec(),
            },
            skip_tags: self.options.tags.skip.clone(),
            limit: self.options.limit.clone(),
        });
        Ok(())
    }

    /// Runs the plays, one after the other.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub async fn run(&self, plays: &[Arc<Play>]) -> Result<(), Diagnostics> {
        for (index, play) in plays.iter().enumerate() {
            self.play_number.update(|number| number + 1);
            let go_on = play::run(self, play).await?;
            if self.interrupted.get() || !go_on {
                self.note_plays_left(&plays[index + 1..]);
                break;
            }
        }
        Ok(())
    }

    /// Takes leave of the nodes and writes the recap.
    pub async fn finish(&self) {
        self.connections.close(self.ending() == Ending::Well).await;
        self.recap();
        beyond::tell(self);
    }

    fn note_plays_left(&self, plays: &[Arc<Play>]) {
        for play in plays {
            let name = crate::python::label(play.name.as_ref().or(Some(&play.hosts)));
            self.not_done.borrow_mut().push(format!("play \"{name}\""));
        }
    }

    /// Returns the command that goes on after a failure: with a journal, where it stopped; without, or where another run was
    /// at work, the same again, since what is done is found done.
    fn command_to_go_on(&self) -> Option<String> {
        if self.options.resumable && self.memory.keeps && self.ending() != Ending::Refused {
            return Some(format!("convoy resume {}", self.options.run));
        }
        self.options.command()
    }

    fn recap(&self) {
        let hosts = self.stats.borrow().iter().map(|(host, stats)| (host.clone(), *stats)).collect();
        let (trips, sent, received) = self.connections.traffic();
        self.tell(RunEvent::Recap { hosts, custom: self.custom_stats.borrow_mut().take() });
        let text = format!("{trips} round trips in all; {sent} bytes sent, {received} received");
        self.tell(RunEvent::Verbose { level: 2, host: None, text });
        let lines = self.not_done.take();
        if !lines.is_empty() {
            self.tell(RunEvent::NotDone { lines, command: self.command_to_go_on() });
        }
    }

    /// Returns how the run ended, or would if it ended now.
    pub fn ending(&self) -> Ending {
        let stats = self.stats.borrow();
        if self.interrupted.get() {
            Ending::Interrupted
        } else if stats.values().any(|stats| stats.refused > 0) {
            Ending::Refused
        } else if stats.values().any(|stats| stats.unreachable > 0) {
            Ending::Unreachable
        } else if stats.values().any(|stats| stats.failed > 0) {
            Ending::Failed
        } else {
            Ending::Well
        }
    }

    /// Tells how the run ended. Nothing may be told after that.
    pub fn end(&self, ending: &Result<Ending, Diagnostics>) {
        let hosts = Tally::of(self.stats.borrow().values());
        self.tell(match ending {
            Ok(ending) => {
                RunEvent::End { ending: Some(*ending), code: ending.code(), hosts, errors: Vec::new() }
            }
            Err(errors) => RunEvent::End {
                ending: None,
                code: diagnostic::code(errors),
                hosts,
                errors: errors.iter().map(ToString::to_string).collect(),
            },
        });
    }

    /// Fails if variables of one of `hosts` cannot be decrypted.
    ///
    /// # Errors
    /// Which, each once.
    pub fn expect_open<'h>(&self, hosts: impl IntoIterator<Item = &'h Arc<str>>) -> Result<(), Diagnostics> {
        let locked = self.locked.borrow();
        let mut problems = Diagnostics::new();
        for problem in hosts.into_iter().filter_map(|host| locked.get(host)).flatten() {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Returns whether a name is that of the workstation, which the inventory does not have.
    pub fn is_implicit(&self, host: &str) -> bool {
        self.inventory.borrow().is_implicit(host)
    }

    /// Returns whether the inventory has a host.
    pub fn knows(&self, host: &str) -> bool {
        self.inventory.borrow().host(host).is_some()
    }

    /// Tells what is to be told before all else, where the settings come from, and which have no effect; reads the facts
    /// that runs before have kept.
    pub fn start(&self, read: &settings::Read) {
        self.options.warnings.iter().for_each(|warning| self.warn(warning.as_str()));
        self.read_cache();
        for text in &read.told {
            self.tell(RunEvent::Verbose { level: 1, host: None, text: text.clone() });
        }
        read.warnings.iter().for_each(|warning| self.warn(warning.warning()));
    }

    /// Tells the reporter.
    pub fn tell(&self, event: RunEvent) {
        self.reporter.borrow_mut().event(&event);
    }

    /// Notes something for the journal.
    pub fn note(&self, note: Note) {
        if self.memory.keeps {
            self.tell(RunEvent::Noted(note));
        }
    }

    /// Notes the files that were read since this was called last.
    pub fn note_sources(&self) {
        for (path, digest) in self.loader.take_sources() {
            let (path, digest) = (path.to_string_lossy().into(), digest.to_string().into());
            self.note(Note::Source { path, digest });
        }
    }

    /// Tells the heading of a task, unless it was the last one that was told.
    pub fn head(&self, heading: Option<&Heading>) {
        let Some(heading) = heading else { return };
        let last = self.headed.replace(Some(heading.task.clone()));
        if !last.is_some_and(|last| Arc::ptr_eq(&last, &heading.task)) {
            self.tell(heading.event.clone());
        }
    }

    /// Tells a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.tell(RunEvent::Warning(text.into()));
    }

    /// Counts in the recap.
    pub fn count(&self, host: &Arc<str>, count: impl FnOnce(&mut Stats)) {
        count(self.stats.borrow_mut().entry(host.clone()).or_default());
    }

    /// Returns what a task, or a play, sees on a host.
    pub fn scope(&self, host: &Arc<str>, task: Option<&batch::Placed<'_>>) -> TaskScope {
        let store = self.store.borrow().clone();
        let vars = store.host(host);
        let play = self.play.borrow().clone();
        let nothing = Arc::default();
        let sources = Sources {
            play: play.play.as_ref(),
            public: &play.public,
            vars_files: play.vars_files.get(host).unwrap_or(&nothing),
            host: &vars,
            task: task.map(|placed| placed.task),
            params: task.map_or(&nothing, |placed| placed.params),
            extra: &store.extra,
        };
        let layers = layers(&sources);
        let magic = Magic {
            host: host.clone(),
            run: self.facts.borrow().clone(),
            task: task.map(|placed| placed.task.clone()),
            play,
            store,
        };
        TaskScope::new(magic, layers)
    }

    /// Returns the host a scope is of.
    pub fn host_of(&self, scope: &TaskScope) -> Arc<str> {
        scope.raw("inventory_hostname").and_then(|name| name.as_str().map(Arc::from)).unwrap_or_default()
    }

    /// Returns what a task sees of the host it is delegated to: that host's variables, above them the task's own.
    pub fn scope_of(&self, host: &Arc<str>, view: View<'_>) -> TaskScope {
        self.scope(host, Some(&batch::Placed { task: view.task, params: &Arc::default() }))
    }

    /// Renders a value of a play for the whole play, without a host.
    ///
    /// # Errors
    /// If it cannot be rendered.
    pub fn render_for_play(&self, play: &Arc<Play>, value: &Value) -> Result<Value, Diagnostic> {
        let store = self.store.borrow().clone();
        let facts = Arc::new(PlayFacts { play: Some(play.clone()), ..PlayFacts::default() });
        let magic = Magic {
            host: "".into(),
            run: self.facts.borrow().clone(),
            play: facts,
            task: None,
            store: store.clone(),
        };
        let nothing = Arc::default();
        let sources = Sources {
            play: Some(play),
            public: &[],
            vars_files: &nothing,
            host: &store.host(""),
            task: None,
            params: &nothing,
            extra: &store.extra,
        };
        let scope = TaskScope::new(magic, layers(&sources));
        let rendered = self.templar.render(value, &scope, &self.context(vec![play.dir.clone()], true));
        rendered
            .and_then(known)
            .map_err(|error| error.diagnostic().at(value.origin.clone().unwrap_or_else(|| play.at.clone())))
    }

    /// Returns where files are looked for, and whether impure functions may be called.
    pub fn context(&self, search: Vec<PathBuf>, impure_allowed: bool) -> Context {
        Context { search, impure_allowed, ..Context::default() }
    }
}
