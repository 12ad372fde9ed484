//! One batch of a play, task by task: Ansible's *linear* order.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::{Map, Value};
use futures::StreamExt;

use crate::actions::Action as ControllerAction;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::{Note, RunEvent, Verdict};
use crate::execute::effects::Notice;
use crate::execute::outcome::HostResult;
use crate::execute::run::{self, Perform};
use crate::playbook::ast::{Action, Play, Role, Task};
use crate::prepare::keywords;
use crate::prepare::task;
use crate::schedule::apply;
use crate::schedule::engine::Engine;
use crate::schedule::free::Strategy;
use crate::schedule::handlers;
use crate::schedule::include;
use crate::schedule::lookahead;
use crate::schedule::lookahead::{Lookahead, Seen};
use crate::schedule::meta;
use crate::schedule::vars_files;
use crate::state::cursor::{Cursor, Leave};
use crate::state::section::{Item, Section, TaskRef};
use crate::template::unknown::known;
use crate::vars::magic::{PlayFacts, search_path};

/// A task where it stands: with the parameters of the includes around it.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// The task.
    pub task: &'a Arc<Task>,
    /// The parameters.
    pub params: &'a Arc<Map>,
}

/// A host in a batch.
#[derive(Debug)]
pub struct HostRun {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is in the play.
    pub cursor: Cursor,
    /// What was notified and has not been run.
    pub notified: Vec<Notice>,
    /// Whether it could not be reached, or the run may not work on it.
    pub unreachable: bool,
    /// What was seen ahead.
    pub seen: Vec<Seen>,
    /// Whether the play's `vars_files` are all read.
    pub vars_files: bool,
    /// The use of each role that ran here first: another use of the same role is passed over.
    pub roles: HashMap<usize, Arc<Role>>,
}

impl HostRun {
    /// Returns whether the host takes part in what follows.
    pub fn is_active(&self) -> bool {
        !self.unreachable && !self.cursor.is_failed()
    }

    /// Passes over tasks of roles that ran here already.
    pub fn pass_duplicates(&mut self, selected: crate::state::cursor::Selected<'_>) {
        while let Some(Item::Task(task)) = self.cursor.current()
            && let Some(role) = task.task.role.as_ref().filter(|role| !role.allow_duplicates)
            && self.roles.get(&role.identity).is_some_and(|first| !Arc::ptr_eq(first, role))
        {
            self.cursor.advance(selected);
        }
    }
}

/// What the results of a task on all hosts come to.
#[derive(Debug, Default)]
struct After {
    disturbed: bool,
    changed: bool,
    failed: Vec<usize>,
    seen: Vec<(usize, Vec<Seen>)>,
}

impl After {
    fn note(&mut self, index: usize, result: &HostResult) {
        self.disturbed |= result.disturbed;
        self.changed |= result.verdict == Verdict::Changed;
        if result.is_fatal() {
            self.failed.push(index);
        }
        self.seen.push((index, result.seen.clone()));
    }
}

/// A batch of a play under way.
#[derive(Debug)]
pub struct Batch<'e> {
    /// The engine.
    pub engine: &'e Engine,
    /// The play.
    pub play: Arc<Play>,
    /// Its hosts.
    pub hosts: Vec<HostRun>,
    /// The play's handlers, with those of included roles.
    pub handlers: Vec<TaskRef>,
    /// How far is looked ahead.
    pub ahead: Lookahead,
    /// Why the batch ends before its last task, if it does.
    pub end: Option<Ended>,
    /// The order of its hosts.
    pub strategy: Strategy,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The next one follows, if there is one.
    Batch {
        /// How many of its hosts were lost.
        lost: usize,
    },
    /// The play is to end (`meta: end_play`).
    Play,
    /// Too many hosts failed (`max_fail_percentage`): nothing that follows is run.
    Broken,
}

impl<'e> Batch<'e> {
    /// Puts every host at the start of the play.
    pub fn new(
        engine: &'e Engine,
        play: &Arc<Play>,
        hosts: Vec<Arc<str>>,
        root: Arc<Section>,
        strategy: Strategy,
    ) -> Self {
        let selected = |task: &Task| engine.options.tags.select(task);
        let hosts = hosts
            .into_iter()
            .map(|name| HostRun {
                name,
                cursor: Cursor::new(root.clone(), &selected),
                notified: Vec::new(),
                unreachable: false,
                seen: Vec::new(),
                vars_files: play.vars_files.is_empty(),
                roles: HashMap::new(),
            })
            .collect();
        let handlers = handlers::list(&play.handlers, &Arc::default());
        let ahead = Lookahead::new(engine.options.look_ahead);
        let mut batch = Self { engine, play: play.clone(), hosts, handlers, ahead, end: None, strategy };
        batch.start_at(&root);
        batch.tell_play();
        batch
    }

    /// Passes over the gathering of facts on hosts whose facts are known.
    pub fn keep_facts(&mut self) {
        let selected = self.selected();
        let store = self.engine.store.borrow().clone();
        for host in &mut self.hosts {
            let gathers =
                matches!(host.cursor.current(), Some(Item::Task(task)) if task.is_gathering(&self.play));
            if gathers && store.host(&host.name).facts.contains_key("gather_subset") {
                host.cursor.advance(&selected);
            }
        }
    }

    /// Returns whether a host can be worked on still: it was not lost, here or before.
    pub fn is_left(&self, host: &HostRun) -> bool {
        !host.unreachable && !self.engine.lost.borrow().contains(&host.name)
    }

    /// Puts these hosts at the start of `root`, and the others at its end. Those that are lost stay so.
    pub fn restart(&mut self, hosts: &[usize], root: &Arc<Section>) {
        let selected = self.selected();
        let lost = self.engine.lost.borrow().clone();
        for (index, host) in self.hosts.iter_mut().enumerate().filter(|(_, host)| !lost.contains(&host.name))
        {
            let root = if hosts.contains(&index) { root.clone() } else { Arc::default() };
            host.cursor = Cursor::new(root, &selected);
            host.seen.clear();
            host.roles.clear();
        }
        self.end = None;
        self.tell_play();
    }

    /// Runs the batch to its end.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub async fn run(&mut self) -> Result<Ended, Diagnostics> {
        match self.strategy {
            Strategy::Linear => self.run_linear().await?,
            Strategy::Free => self.run_free(usize::MAX).await?,
            Strategy::HostPinned => self.run_free(self.engine.options.forks.max(1)).await?,
        }
        let lost: Vec<Arc<str>> =
            self.hosts.iter().filter(|host| !host.is_active()).map(|host| host.name.clone()).collect();
        self.engine.lost.borrow_mut().extend(lost.iter().cloned());
        Ok(self.end.unwrap_or(Ended::Batch { lost: lost.len() }))
    }

    /// Takes each task on all hosts before the next.
    async fn run_linear(&mut self) -> Result<(), Diagnostics> {
        while let Some((item, group)) = self.next() {
            if self.engine.interrupted.get() {
                self.note_left();
                break;
            }
            match item {
                Item::Flush { after } => {
                    group.iter().for_each(|index| handlers::flush(self, *index, after));
                }
                Item::Task(task) => self.task(&task, &group).await?,
                Item::Section(_) => return Err(Self::stopped_at_section()),
            }
            self.tell_play();
            if matches!(self.end, Some(Ended::Broken)) {
                // Once for the limit and once for the end: so Ansible tells it.
                self.engine.tell(RunEvent::NoHostsRemaining);
                self.engine.tell(RunEvent::NoHostsRemaining);
                break;
            }
        }
        Ok(())
    }

    /// Cursors go into sections by themselves.
    pub(crate) fn stopped_at_section() -> Diagnostics {
        Diagnostic::user("a cursor stopped at a section").kind(crate::diagnostic::Kind::Internal).into()
    }

    /// Returns what comes first in the play, and the hosts that are there.
    fn next(&mut self) -> Option<(Item, Vec<usize>)> {
        let selected = self.selected();
        self.hosts.iter_mut().for_each(|host| host.pass_duplicates(&selected));
        let open = |host: &&HostRun| !host.unreachable && host.cursor.current().is_some();
        let place = self.hosts.iter().filter(open).map(|host| host.cursor.place()).min()?;
        let group: Vec<usize> = (0..self.hosts.len())
            .filter(|i| open(&&self.hosts[*i]) && self.hosts[*i].cursor.place() == place)
            .collect();
        let item = self.hosts[*group.first()?].cursor.current()?.clone();
        Some((item, group))
    }

    /// Returns the predicate of the tags.
    pub fn selected(&self) -> impl Fn(&Task) -> bool + use<'e> {
        let engine = self.engine;
        move |task: &Task| engine.options.tags.select(task)
    }

    /// Lets magic variables know who is left.
    pub fn tell_play(&self) {
        let gone = self.engine.lost.borrow().clone();
        let is_well = |host: &HostRun| !host.unreachable && !host.cursor.is_failing();
        let active: Vec<Arc<str>> =
            self.hosts.iter().filter(|host| is_well(host)).map(|host| host.name.clone()).collect();
        let here = |host: &Arc<str>| self.hosts.iter().find(|run| run.name == *host).map(is_well);
        let mut play = self.engine.play.borrow_mut();
        if play.batch == active {
            return;
        }
        let all =
            play.all.iter().filter(|host| here(host).unwrap_or(!gone.contains(*host))).cloned().collect();
        *play = Arc::new(PlayFacts { active: all, batch: active, ..PlayFacts::clone(&play) });
    }

    async fn task(&mut self, task: &TaskRef, group: &[usize]) -> Result<(), Diagnostics> {
        self.read_vars_files(group)?;
        if !matches!(task.task.action, Action::Meta(_)) && !self.may_step(task, None)? {
            let selected = self.selected();
            group.iter().for_each(|index| self.hosts[*index].cursor.advance(&selected));
            return Ok(());
        }
        self.announce(task, group);
        match &task.task.action {
            Action::Meta(action) => meta::run(self, task, *action, group).await,
            Action::IncludeTasks { .. } | Action::IncludeRole(_) => include::run(self, task, group),
            Action::Module(_) | Action::Controller(_) | Action::Named(_) => self.call(task, group).await,
        }
    }

    /// Notes what a host comes to, and out of: so that a run that is resumed knows what a failure has led to.
    pub fn mark(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        for left in host.cursor.mark(self.engine.memory.next()) {
            let host = host.name.clone();
            self.engine.note(match left {
                Leave::Rescued { from } => Note::Rescued { host, from },
                Leave::Failed { from, turn, rescued } => Note::Fell { host, from, turn, rescue: rescued },
            });
        }
    }

    /// Reads the play's `vars_files` for hosts, as far as their names can be made.
    pub fn read_vars_files(&mut self, group: &[usize]) -> Result<(), Diagnostics> {
        for &index in group {
            let host = &mut self.hosts[index];
            if !host.vars_files {
                host.vars_files = vars_files::read(self.engine, &self.play, &host.name)?;
            }
        }
        Ok(())
    }

    /// Runs a module or an action on the hosts of the group.
    async fn call(&mut self, task: &TaskRef, group: &[usize]) -> Result<(), Diagnostics> {
        let asked = self.run_once(task, group)?;
        let once = asked || matches!(task.task.action, Action::Controller(action) if action.once_for_all);
        let doing = if once { &group[..1] } else { group };
        let plans = self.plans(task, doing);
        let engine = self.engine;
        let plans: Vec<(usize, Arc<str>, Perform)> =
            plans.into_iter().map(|(index, plan)| (index, self.hosts[index].name.clone(), plan)).collect();
        // Where the user is asked nobody is at work; what shows that would be drawn over the question.
        if lookahead::is_call(&task.task) {
            engine.tell(RunEvent::Working { hosts: plans.iter().map(|(_, host, _)| host.clone()).collect() });
        }
        let title = self.hosts.get(doing[0]).map(|host| self.title(task, &host.name)).unwrap_or_default();
        let at_once = self.throttle(task, doing[0])?.unwrap_or(usize::MAX).min(doing.len().max(1));
        let perform = |(index, host, plan): (usize, Arc<str>, Perform)| {
            let title = title.clone();
            async move { (index, run::perform(engine, &host, task, title, plan).await) }
        };
        let mut running = futures::stream::iter(plans).map(perform).buffer_unordered(at_once);
        let mut after = After::default();
        while let Some((index, result)) = running.next().await {
            after.note(index, &result);
            apply::settle(self, task, index, if asked { group } else { &[] }, &result)?;
        }
        drop(running);
        engine.forget_jobs().await;
        engine.read_additions()?;
        self.after(task, group, once, after)
    }

    /// Prepares the task on each host, with what can be looked at ahead.
    pub fn plans(&mut self, task: &TaskRef, group: &[usize]) -> Vec<(usize, Perform)> {
        // The play, or what was included, may begin with a block: no task before it has marked that.
        group.iter().for_each(|index| self.mark(*index));
        let jobs: Vec<(usize, task::Job)> =
            group.iter().map(|&index| (index, self.prepare(task, index))).collect();
        let hit = jobs.iter().all(|(index, job)| lookahead::is_seen(&self.hosts[*index].seen, task, job));
        let width = if hit { 0 } else { self.ahead.width(&task.task) };
        let mut plans = Vec::new();
        for (index, job) in jobs {
            let asks = width > 0 && job.step().is_some();
            let steps = if asks { self.look_ahead(task, index, group, width) } else { Vec::new() };
            let seen = lookahead::take(&mut self.hosts[index].seen, task, &job).filter(|_| hit);
            let heading = self.strategy.is_free().then(|| self.heading(task, &self.hosts[index].name));
            let within = self.hosts[index].cursor.within();
            plans.push((index, Perform { job, seen, ahead: steps, heading, within }));
        }
        plans
    }

    fn prepare(&self, task: &TaskRef, index: usize) -> task::Job {
        let engine = self.engine;
        let scope =
            engine.scope(&self.hosts[index].name, Some(&Placed { task: &task.task, params: &task.params }));
        let context = engine.context(search_path(&task.task, Some(&self.play)), true);
        let view = task::View { engine, task: &task.task, scope: &scope, context: &context };
        match self.doubt(index) {
            Some(why) => task::Job::unknown(view, why),
            None => task::prepare(view).unwrap_or_else(|error| task::Job::stopped(view, &error)),
        }
    }

    /// Check mode: returns why it is not known whether a host does what it is at.
    pub fn doubt(&self, index: usize) -> Option<Arc<str>> {
        match self.hosts[index].cursor.current() {
            Some(Item::Task(task)) => task.doubt.clone(),
            _ => None,
        }
    }

    fn run_once(&self, task: &TaskRef, group: &[usize]) -> Result<bool, Diagnostics> {
        // What the user answers to a task that asks once is the answer for all hosts.
        let asks = |action: &ControllerAction| action.once_for_all && !action.changes_inventory;
        if matches!(task.task.action, Action::Controller(action) if asks(action)) {
            return Ok(true);
        }
        let Some(value) = &task.task.keywords.run_once else { return Ok(false) };
        let Some(first) = group.first() else { return Ok(false) };
        self.flag(task, &self.hosts[*first].name, Some(value))
    }

    /// Returns with how many hosts a task is done at once, if that is limited.
    pub fn throttle(&self, task: &TaskRef, index: usize) -> Result<Option<usize>, Diagnostics> {
        let Some(value) = &task.task.keywords.throttle else { return Ok(None) };
        let engine = self.engine;
        let placed = Placed { task: &task.task, params: &task.params };
        let scope = engine.scope(&self.hosts[index].name, Some(&placed));
        let context = engine.context(Vec::new(), true);
        let wrong = |why: String| Diagnostic::user(format!("throttle: {why}")).at(task.task.at.clone());
        let value = engine.templar.render(value, &scope, &context).and_then(known);
        let value = value.map_err(|error| wrong(error.to_string()))?;
        let limit = keywords::number(&value).map_err(wrong)? as usize;
        Ok((limit > 0).then_some(limit))
    }

    /// Decides a boolean keyword for one host.
    ///
    /// # Errors
    /// If it cannot be rendered or is no boolean.
    pub fn flag(&self, task: &TaskRef, host: &Arc<str>, value: Option<&Value>) -> Result<bool, Diagnostics> {
        let engine = self.engine;
        let scope = engine.scope(host, Some(&Placed { task: &task.task, params: &task.params }));
        let context = engine.context(Vec::new(), true);
        let view = task::View { engine, task: &task.task, scope: &scope, context: &context };
        keywords::boolean(view, value, false)
            .map_err(|error| error.diagnostic().at(task.task.at.clone()).into())
    }

    /// Goes on when all hosts of the group have their results.
    fn after(
        &mut self,
        task: &TaskRef,
        group: &[usize],
        once: bool,
        after: After,
    ) -> Result<(), Diagnostics> {
        let selected = self.selected();
        for &index in group.iter().skip(1).filter(|_| once) {
            let host = &mut self.hosts[index];
            if after.failed.is_empty() { host.cursor.advance(&selected) } else { host.cursor.fail(&selected) }
        }
        if after.disturbed || !after.failed.is_empty() {
            self.hosts.iter_mut().for_each(|host| host.seen.clear());
            // A command that only asks says nothing of what follows it.
            if after.changed || !after.failed.is_empty() {
                self.ahead.broken();
            }
        } else {
            for (index, seen) in after.seen {
                self.hosts[index].seen.extend(seen);
            }
        }
        apply::spread(self, task, group, &after.failed)
    }

    /// Notes what is not done after an interruption.
    pub fn note_left(&self) {
        for host in &self.hosts {
            if let (true, Some(Item::Task(task))) = (host.is_active(), host.cursor.current()) {
                let line = format!(
                    "{}: from task \"{}\" on ({})",
                    host.name,
                    self.title(task, &host.name),
                    task.task.at
                );
                self.engine.not_done.borrow_mut().push(line);
            }
        }
    }
}
