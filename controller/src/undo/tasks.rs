//! The tasks that undo blocks: play by play and block by block, the last first.

use std::collections::HashSet;
use std::sync::Arc;

use super::begun::{self, Begun};
use super::find;
use super::read::Read;
use super::report;
use crate::diagnostic::Diagnostics;
use crate::events::Note;
use crate::journal::UndoneBlocks;
use crate::playbook::ast::Play;
use crate::schedule::Scheduler;
use crate::schedule::batch::Batch;
use crate::schedule::vars_prompt;
use crate::settings::Gathering;
use crate::state::batch::{BatchEnd, HostProgress};
use crate::state::section::{Item, Section};
use crate::terminal::Terminal;
use crate::vars::magic::PlayFacts;

/// All that is to be done by tasks.
pub(super) struct UndoTasks {
    batches: Vec<UndoBatch>,
    /// The hosts on which a block was undone.
    pub(super) worked: HashSet<Arc<str>>,
    /// The hosts on which a block could not be undone: those around it and before it stay.
    stuck: HashSet<Arc<str>>,
}

/// What is to be done in one batch of a play.
struct UndoBatch {
    number: u32,
    facts: Arc<PlayFacts>,
    batch: Batch,
    /// Whether too many hosts failed while their facts were gathered.
    broken: bool,
    /// The gathering of facts, if the play begins with it, and the hosts whose facts are gathered.
    gathering: Option<Arc<Section>>,
    gathered: Vec<usize>,
    blocks: Vec<Ready>,
}

/// A block, ready to be undone.
struct Ready {
    title: Arc<str>,
    /// None where it was not read: no host is left on which it could be done, or it was interrupted.
    section: Option<Arc<Section>>,
    hosts: Vec<OnHost>,
}

/// A block on a host of the batch.
struct OnHost {
    index: usize,
    of: begun::Host,
    done: bool,
}

/// Makes ready what is to be done on these hosts.
///
/// # Errors
/// If a block cannot be found any more, or something in the playbooks is wrong.
pub(super) async fn prepare(
    scheduler: &mut Scheduler,
    plays: &[Arc<Play>],
    begun: &Begun,
    undone: &UndoneBlocks,
    hosts: &[Arc<str>],
) -> Result<UndoTasks, Diagnostics> {
    let mut numbers: Vec<u32> = begun.blocks.iter().map(|block| block.play).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.dedup();
    let mut batches = Vec::new();
    for number in numbers {
        let blocks: Vec<&begun::Block> = begun.blocks.iter().filter(|block| block.play == number).collect();
        let is_due = |host: &Arc<str>| scheduler.world.due.iter().any(|due| due.host == *host);
        let takes_part = |host: &&Arc<str>| {
            let mut here = blocks.iter().filter_map(|block| block.on(host));
            here.any(|here| !here.is_undone(undone) || is_due(host))
        };
        let hosts: Vec<Arc<str>> = hosts.iter().filter(takes_part).cloned().collect();
        if hosts.is_empty() {
            continue;
        }
        let is_open = |block: &&begun::Block| block.hosts.iter().any(|host| !host.is_undone(undone));
        let open = blocks.iter().find(|block| is_open(block));
        let play = match (find::play(plays, open.unwrap_or(&blocks[0])), open) {
            (Ok(play), _) => ask(scheduler, play)?,
            (Err(problem), Some(_)) => return Err(problem.into()),
            (Err(_), None) => continue,
        };
        for hosts in scheduler.play_batches(&play, &hosts)?.into_iter().rev() {
            batches.push(UndoBatch::new(scheduler, &play, number, hosts, &blocks, undone).await?);
        }
    }
    Ok(UndoTasks { batches, worked: HashSet::new(), stuck: HashSet::new() })
}

/// Asks for what the play asks for.
fn ask(scheduler: &mut Scheduler, play: &Arc<Play>) -> Result<Arc<Play>, Diagnostics> {
    if !Terminal::Standard.is_interactive() {
        let problems = vars_prompt::unanswered(std::iter::once(play), &scheduler.services.options.extra_vars);
        if !problems.is_empty() {
            return Err(problems);
        }
    }
    scheduler.ask_variables(play)
}

impl UndoTasks {
    /// Does it. What fails on a host ends its part there; where too many fail (`max_fail_percentage`), all of it ends.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn run(&mut self, scheduler: &mut Scheduler) -> Result<(), Diagnostics> {
        let mut broken = self.batches.iter().any(|batch| batch.broken);
        for batch in &mut self.batches {
            for index in 0..batch.blocks.len() {
                if broken || scheduler.is_interrupted() {
                    batch.note_left(scheduler, index, |_| true);
                } else {
                    let ended = batch.block(scheduler, index, &mut self.worked, &mut self.stuck).await?;
                    broken = ended == BatchEnd::Broken;
                }
            }
        }
        Ok(())
    }

    /// Returns the hosts on which a block is still to be undone.
    pub(super) fn unfinished(&self) -> HashSet<Arc<str>> {
        let blocks = self.batches.iter().flat_map(|batch| &batch.blocks);
        let open = blocks.flat_map(|block| &block.hosts).filter(|on| !on.done);
        open.map(|on| on.of.name.clone()).collect()
    }

    /// Runs the handlers that were notified, now that the files are as they were.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn handlers(&mut self, scheduler: &mut Scheduler) -> Result<(), Diagnostics> {
        let unfinished = self.unfinished();
        for batch in &mut self.batches {
            batch.handlers(scheduler, &unfinished).await?;
        }
        Ok(())
    }
}

impl UndoBatch {
    async fn new(
        scheduler: &mut Scheduler,
        play: &Arc<Play>,
        number: u32,
        hosts: Vec<Arc<str>>,
        blocks: &[&begun::Block],
        undone: &UndoneBlocks,
    ) -> Result<Self, Diagnostics> {
        scheduler.world.vars.play = scheduler.play_facts(play, &hosts);
        let strategy = scheduler.play_strategy(play)?;
        let batch = scheduler.new_batch(play, hosts.clone(), &Arc::default(), strategy);
        let gathering = scheduler.gathering(play)?;
        let gathering = gathering.map(|item| Arc::new(Section { body: vec![item], ..Section::default() }));
        let facts = scheduler.world.vars.play.clone();
        let mut new =
            Self { number, facts, batch, broken: false, gathering, gathered: Vec::new(), blocks: Vec::new() };
        let here = |block: &&&begun::Block| hosts.iter().any(|host| block.on(host).is_some());
        let blocks: Vec<&begun::Block> = blocks.iter().filter(here).copied().collect();
        // Names of files that they import may have facts in them.
        if blocks.iter().any(|block| !block.includes.is_empty()) && !scheduler.is_interrupted() {
            scheduler.world.progress.play_number = number;
            new.broken =
                new.gather(scheduler, &(0..hosts.len()).collect::<Vec<_>>()).await? == BatchEnd::Broken;
        }
        new.read(scheduler, play, &blocks, undone)?;
        new.facts = scheduler.world.vars.play.clone();
        Ok(new)
    }

    /// Reads what undoes the blocks.
    fn read(
        &mut self,
        scheduler: &mut Scheduler,
        play: &Play,
        blocks: &[&begun::Block],
        undone: &UndoneBlocks,
    ) -> Result<(), Diagnostics> {
        let hosts = self.names();
        let mut read = Read::new(play);
        let mut sections = Vec::new();
        // Includes bring their handlers in the order that the run had.
        for block in blocks {
            let is_open = (0..hosts.len()).any(|index| {
                self.is_left(scheduler, index)
                    && block.on(&hosts[index]).is_some_and(|host| !host.is_undone(undone))
            });
            if self.broken || scheduler.is_interrupted() {
                sections.push(None);
                continue;
            }
            match read.block(scheduler, &mut self.batch, block) {
                Ok(section) => sections.push(Some(Arc::new(section))),
                Err(problems) if is_open => return Err(problems),
                // Only its handlers may be due still.
                Err(_) => sections.push(None),
            }
        }
        for (block, on) in begun::last_first(blocks, &hosts) {
            let at = blocks.iter().position(|known| std::ptr::eq(*known, block));
            let section = at.and_then(|at| sections[at].clone());
            let on_host = |name: &Arc<str>| {
                let of = block.on(name).filter(|of| !of.is_undone(undone))?.clone();
                Some(OnHost { index: hosts.iter().position(|host| host == name)?, of, done: false })
            };
            let hosts: Vec<OnHost> = on.iter().filter_map(on_host).collect();
            if let Some(first) = hosts.first() {
                self.blocks.push(Ready { title: first.of.title.clone(), section, hosts });
            }
        }
        Ok(())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.batch.hosts.iter().map(|host| host.name.clone()).collect()
    }

    /// Lets magic variables, and the journal, know of this play.
    fn take_the_stage(&self, scheduler: &mut Scheduler) {
        scheduler.world.vars.play = self.facts.clone();
        scheduler.world.progress.play_number = self.number;
        scheduler.world.progress.last_heading = None;
    }

    fn is_left(&self, scheduler: &Scheduler, index: usize) -> bool {
        scheduler.is_left(&self.batch.hosts[index])
    }

    /// Returns the hosts on which a block can be undone.
    fn open(&self, scheduler: &Scheduler, block: usize, stuck: &HashSet<Arc<str>>) -> Vec<usize> {
        let hosts = self.blocks[block].hosts.iter().filter(|host| !stuck.contains(&host.of.name));
        hosts.map(|host| host.index).filter(|index| self.is_left(scheduler, *index)).collect()
    }

    /// Notes that a block is not undone on those of its hosts that `is_left` says.
    fn note_left(&self, scheduler: &mut Scheduler, block: usize, is_left: impl Fn(usize) -> bool) {
        let Ready { title, hosts, .. } = &self.blocks[block];
        let left = hosts.iter().filter(|host| is_left(host.index));
        let lines = left.map(|host| format!("{}: block \"{title}\"", host.of.name));
        scheduler.world.progress.not_done.extend(lines);
    }

    /// Undoes one block.
    async fn block(
        &mut self,
        scheduler: &mut Scheduler,
        block: usize,
        worked: &mut HashSet<Arc<str>>,
        stuck: &mut HashSet<Arc<str>>,
    ) -> Result<BatchEnd, Diagnostics> {
        let section = self.blocks[block].section.clone();
        let hosts = if section.is_some() { self.open(scheduler, block, stuck) } else { Vec::new() };
        self.note_left(scheduler, block, |index| !hosts.contains(&index));
        let closed = self.blocks[block].hosts.iter().filter(|on| !hosts.contains(&on.index));
        stuck.extend(closed.map(|on| on.of.name.clone()));
        let Some(section) = section.filter(|_| !hosts.is_empty()) else {
            return Ok(BatchEnd::Batch { lost: 0 });
        };
        let told = scheduler.world.progress.not_done.len();
        self.take_the_stage(scheduler);
        let Ready { title, hosts: on, .. } = &self.blocks[block];
        for host in on {
            scheduler.world.store().replace_set(&host.of.name, host.of.vars.clone());
        }
        report::play(scheduler, format!("Undo of block \"{title}\""));
        let mut ended = self.gather(scheduler, &hosts).await?;
        if ended != BatchEnd::Broken {
            let open = self.open(scheduler, block, stuck);
            scheduler.restart(&mut self.batch, &open, &section);
            ended = scheduler.run_batch(&mut self.batch).await?;
        }
        // What tasks have set, and read for the play, is there for the next block.
        self.facts = scheduler.world.vars.play.clone();
        let (through, left): (Vec<usize>, Vec<usize>) = hosts
            .into_iter()
            .partition(|index| ended != BatchEnd::Broken && is_through(&self.batch.hosts[*index]));
        for on in self.blocks[block].hosts.iter_mut().filter(|on| through.contains(&on.index)) {
            on.done = true;
            scheduler.record(Note::Undone { host: on.of.name.clone(), blocks: on.of.ids.clone() });
            worked.insert(on.of.name.clone());
        }
        // What failed is named already.
        let begins =
            |line: &String, index: &usize| line.starts_with(&format!("{}: ", self.batch.hosts[*index].name));
        let unnamed =
            |index: &usize| !scheduler.world.progress.not_done[told..].iter().any(|line| begins(line, index));
        let unnamed: Vec<usize> = left.iter().copied().filter(unnamed).collect();
        self.note_left(scheduler, block, |index| unnamed.contains(&index));
        stuck.extend(left.iter().map(|index| self.batch.hosts[*index].name.clone()));
        Ok(ended)
    }

    /// Gathers facts where that is not done yet.
    async fn gather(&mut self, scheduler: &mut Scheduler, hosts: &[usize]) -> Result<BatchEnd, Diagnostics> {
        let fresh: Vec<usize> = hosts.iter().copied().filter(|host| !self.gathered.contains(host)).collect();
        let Some(gathering) = self.gathering.clone().filter(|_| !fresh.is_empty()) else {
            return Ok(BatchEnd::Batch { lost: 0 });
        };
        scheduler.restart(&mut self.batch, &fresh, &gathering);
        if scheduler.services.options.settings.gathering == Gathering::Smart {
            scheduler.keep_facts(&mut self.batch);
        }
        self.gathered.extend(fresh);
        scheduler.run_batch(&mut self.batch).await
    }

    /// Runs the handlers that were notified, on hosts on which all is undone.
    async fn handlers(
        &mut self,
        scheduler: &mut Scheduler,
        unfinished: &HashSet<Arc<str>>,
    ) -> Result<(), Diagnostics> {
        self.take_the_stage(scheduler);
        let is_ready = |index: &usize| {
            self.is_left(scheduler, *index) && !unfinished.contains(&self.batch.hosts[*index].name)
        };
        let ready: Vec<usize> = (0..self.batch.hosts.len()).filter(is_ready).collect();
        ready.iter().for_each(|index| scheduler.take_due(&mut self.batch, *index));
        let notified = |index: &usize| !self.batch.hosts[*index].notified.is_empty();
        let notified: Vec<usize> = ready.into_iter().filter(notified).collect();
        if notified.is_empty() {
            return Ok(());
        }
        if scheduler.is_interrupted() {
            let lines = notified.iter().map(|index| notified_line(&self.batch.hosts[*index]));
            scheduler.world.progress.not_done.extend(lines);
            return Ok(());
        }
        report::play(scheduler, "Handlers of the undo".to_owned());
        let flush = Section { body: vec![Item::Flush { after: 0 }], ..Section::default() };
        scheduler.restart(&mut self.batch, &notified, &Arc::new(flush));
        scheduler.run_batch(&mut self.batch).await?;
        Ok(())
    }
}

/// Returns whether a host has done all, and never failed in it, even if that was forgotten (`clear_host_errors`).
fn is_through(host: &HostProgress) -> bool {
    host.is_active() && !host.cursor.fell() && host.cursor.current().is_none()
}

fn notified_line(host: &HostProgress) -> String {
    let names: Vec<&str> = host.notified.iter().map(|notice| &*notice.name).collect();
    format!("{}: handlers that were notified: {}", host.name, names.join(", "))
}
