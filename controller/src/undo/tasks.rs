//! The tasks that undo blocks: play by play and block by block, the last first.

use std::collections::HashSet;
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::events::Note;
use crate::journal::UndoneBlocks;
use crate::playbook::ast::Play;
use crate::schedule::batch::{Batch, Ended, HostRun};
use crate::schedule::engine::Engine;
use crate::schedule::handlers;
use crate::schedule::play;
use crate::schedule::vars_prompt;
use crate::settings::Gathering;
use crate::state::section::{Item, Section};
use crate::terminal::Terminal;
use crate::undo::begun::{self, Begun};
use crate::undo::find;
use crate::undo::read::Read;
use crate::undo::tell::Teller;
use crate::vars::magic::PlayFacts;

/// All that is to be done by tasks.
pub(super) struct Tasks<'e> {
    batches: Vec<OfBatch<'e>>,
    /// The hosts on which a block was undone.
    pub(super) worked: HashSet<Arc<str>>,
    /// The hosts on which a block could not be undone: those around it and before it stay.
    stuck: HashSet<Arc<str>>,
}

/// What is to be done in one batch of a play.
struct OfBatch<'e> {
    number: u32,
    facts: Arc<PlayFacts>,
    batch: Batch<'e>,
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
pub(super) async fn prepare<'e>(
    engine: &'e Engine,
    plays: &[Arc<Play>],
    begun: &Begun,
    undone: &UndoneBlocks,
    hosts: &[Arc<str>],
) -> Result<Tasks<'e>, Diagnostics> {
    let mut numbers: Vec<u32> = begun.blocks.iter().map(|block| block.play).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.dedup();
    let mut batches = Vec::new();
    for number in numbers {
        let blocks: Vec<&begun::Block> = begun.blocks.iter().filter(|block| block.play == number).collect();
        let is_due = |host: &Arc<str>| engine.due.borrow().iter().any(|due| due.host == *host);
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
            (Ok(play), _) => ask(engine, play)?,
            (Err(problem), Some(_)) => return Err(problem.into()),
            (Err(_), None) => continue,
        };
        for hosts in play::batches(engine, &play, &hosts)?.into_iter().rev() {
            batches.push(OfBatch::new(engine, &play, number, hosts, &blocks, undone).await?);
        }
    }
    Ok(Tasks { batches, worked: HashSet::new(), stuck: HashSet::new() })
}

/// Asks for what the play asks for.
fn ask(engine: &Engine, play: &Arc<Play>) -> Result<Arc<Play>, Diagnostics> {
    if !Terminal::Standard.is_interactive() {
        let problems = vars_prompt::unanswered(std::iter::once(play), &engine.options.extra_vars);
        if !problems.is_empty() {
            return Err(problems);
        }
    }
    vars_prompt::ask(engine, play)
}

impl Tasks<'_> {
    /// Does it. What fails on a host ends its part there; where too many fail (`max_fail_percentage`), all of it ends.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn run(&mut self) -> Result<(), Diagnostics> {
        let mut broken = self.batches.iter().any(|of_batch| of_batch.broken);
        for of_batch in &mut self.batches {
            for index in 0..of_batch.blocks.len() {
                if broken || of_batch.batch.engine.interrupted.get() {
                    of_batch.note_left(index, |_| true);
                } else {
                    let ended = of_batch.block(index, &mut self.worked, &mut self.stuck).await?;
                    broken = ended == Ended::Broken;
                }
            }
        }
        Ok(())
    }

    /// Returns the hosts on which a block is still to be undone.
    pub(super) fn unfinished(&self) -> HashSet<Arc<str>> {
        let blocks = self.batches.iter().flat_map(|of_batch| &of_batch.blocks);
        let open = blocks.flat_map(|block| &block.hosts).filter(|on| !on.done);
        open.map(|on| on.of.name.clone()).collect()
    }

    /// Runs the handlers that were notified, now that the files are as they were.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn handlers(&mut self) -> Result<(), Diagnostics> {
        let unfinished = self.unfinished();
        for of_batch in &mut self.batches {
            of_batch.handlers(&unfinished).await?;
        }
        Ok(())
    }
}

impl<'e> OfBatch<'e> {
    async fn new(
        engine: &'e Engine,
        play: &Arc<Play>,
        number: u32,
        hosts: Vec<Arc<str>>,
        blocks: &[&begun::Block],
        undone: &UndoneBlocks,
    ) -> Result<Self, Diagnostics> {
        *engine.play.borrow_mut() = play::facts(engine, play, &hosts);
        let strategy = play::strategy(engine, play)?;
        let batch = Batch::new(engine, play, hosts.clone(), Arc::default(), strategy);
        let gathering = play::gathering(engine, play)?;
        let gathering = gathering.map(|item| Arc::new(Section { body: vec![item], ..Section::default() }));
        let facts = engine.play.borrow().clone();
        let mut new =
            Self { number, facts, batch, broken: false, gathering, gathered: Vec::new(), blocks: Vec::new() };
        let here = |block: &&&begun::Block| hosts.iter().any(|host| block.on(host).is_some());
        let blocks: Vec<&begun::Block> = blocks.iter().filter(here).copied().collect();
        // Names of files that they import may have facts in them.
        if blocks.iter().any(|block| !block.includes.is_empty()) && !engine.interrupted.get() {
            engine.play_number.set(number);
            new.broken = new.gather(&(0..hosts.len()).collect::<Vec<_>>()).await? == Ended::Broken;
        }
        new.read(play, &blocks, undone)?;
        new.facts = engine.play.borrow().clone();
        Ok(new)
    }

    /// Reads what undoes the blocks.
    fn read(
        &mut self,
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
                self.is_left(index) && block.on(&hosts[index]).is_some_and(|host| !host.is_undone(undone))
            });
            if self.broken || self.batch.engine.interrupted.get() {
                sections.push(None);
                continue;
            }
            match read.block(&mut self.batch, block) {
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
    fn take_the_stage(&self) {
        let engine = self.batch.engine;
        *engine.play.borrow_mut() = self.facts.clone();
        engine.play_number.set(self.number);
        engine.headed.take();
    }

    fn is_left(&self, index: usize) -> bool {
        self.batch.is_left(&self.batch.hosts[index])
    }

    /// Returns the hosts on which a block can be undone.
    fn open(&self, block: usize, stuck: &HashSet<Arc<str>>) -> Vec<usize> {
        let hosts = self.blocks[block].hosts.iter().filter(|host| !stuck.contains(&host.of.name));
        hosts.map(|host| host.index).filter(|index| self.is_left(*index)).collect()
    }

    /// Notes that a block is not undone on those of its hosts that `is_left` says.
    fn note_left(&self, block: usize, is_left: impl Fn(usize) -> bool) {
        let Ready { title, hosts, .. } = &self.blocks[block];
        let left = hosts.iter().filter(|host| is_left(host.index));
        let lines = left.map(|host| format!("{}: block \"{title}\"", host.of.name));
        self.batch.engine.not_done.borrow_mut().extend(lines);
    }

    /// Undoes one block.
    async fn block(
        &mut self,
        block: usize,
        worked: &mut HashSet<Arc<str>>,
        stuck: &mut HashSet<Arc<str>>,
    ) -> Result<Ended, Diagnostics> {
        let engine = self.batch.engine;
        let section = self.blocks[block].section.clone();
        let hosts = if section.is_some() { self.open(block, stuck) } else { Vec::new() };
        self.note_left(block, |index| !hosts.contains(&index));
        let closed = self.blocks[block].hosts.iter().filter(|on| !hosts.contains(&on.index));
        stuck.extend(closed.map(|on| on.of.name.clone()));
        let Some(section) = section.filter(|_| !hosts.is_empty()) else {
            return Ok(Ended::Batch { lost: 0 });
        };
        let told = engine.not_done.borrow().len();
        self.take_the_stage();
        let Ready { title, hosts: on, .. } = &self.blocks[block];
        for host in on {
            Arc::make_mut(&mut engine.store.borrow_mut()).replace_set(&host.of.name, host.of.vars.clone());
        }
        Teller { engine }.play(format!("Undo of block \"{title}\""));
        let mut ended = self.gather(&hosts).await?;
        if ended != Ended::Broken {
            self.batch.restart(&self.open(block, stuck), &section);
            ended = self.batch.run().await?;
        }
        // What tasks have set, and read for the play, is there for the next block.
        self.facts = engine.play.borrow().clone();
        let (through, left): (Vec<usize>, Vec<usize>) = hosts
            .into_iter()
            .partition(|index| ended != Ended::Broken && is_through(&self.batch.hosts[*index]));
        for on in self.blocks[block].hosts.iter_mut().filter(|on| through.contains(&on.index)) {
            on.done = true;
            engine.note(Note::Undone { host: on.of.name.clone(), blocks: on.of.ids.clone() });
            worked.insert(on.of.name.clone());
        }
        // What failed is named already.
        let begins =
            |line: &String, index: &usize| line.starts_with(&format!("{}: ", self.batch.hosts[*index].name));
        let unnamed =
            |index: &usize| !engine.not_done.borrow()[told..].iter().any(|line| begins(line, index));
        let unnamed: Vec<usize> = left.iter().copied().filter(unnamed).collect();
        self.note_left(block, |index| unnamed.contains(&index));
        stuck.extend(left.iter().map(|index| self.batch.hosts[*index].name.clone()));
        Ok(ended)
    }

    /// Gathers facts where that is not done yet.
    async fn gather(&mut self, hosts: &[usize]) -> Result<Ended, Diagnostics> {
        let fresh: Vec<usize> = hosts.iter().copied().filter(|host| !self.gathered.contains(host)).collect();
        let Some(gathering) = self.gathering.clone().filter(|_| !fresh.is_empty()) else {
            return Ok(Ended::Batch { lost: 0 });
        };
        self.batch.restart(&fresh, &gathering);
        if self.batch.engine.options.settings.gathering == Gathering::Smart {
            self.batch.keep_facts();
        }
        self.gathered.extend(fresh);
        self.batch.run().await
    }

    /// Runs the handlers that were notified, on hosts on which all is undone.
    async fn handlers(&mut self, unfinished: &HashSet<Arc<str>>) -> Result<(), Diagnostics> {
        let engine = self.batch.engine;
        self.take_the_stage();
        let is_ready =
            |index: &usize| self.is_left(*index) && !unfinished.contains(&self.batch.hosts[*index].name);
        let ready: Vec<usize> = (0..self.batch.hosts.len()).filter(is_ready).collect();
        ready.iter().for_each(|index| handlers::take_due(&mut self.batch, *index));
        let notified = |index: &usize| !self.batch.hosts[*index].notified.is_empty();
        let notified: Vec<usize> = ready.into_iter().filter(notified).collect();
        if notified.is_empty() {
            return Ok(());
        }
        if engine.interrupted.get() {
            let lines = notified.iter().map(|index| notified_line(&self.batch.hosts[*index]));
            engine.not_done.borrow_mut().extend(lines);
            return Ok(());
        }
        Teller { engine }.play("Handlers of the undo".to_owned());
        let flush = Section { body: vec![Item::Flush { after: 0 }], ..Section::default() };
        self.batch.restart(&notified, &Arc::new(flush));
        self.batch.run().await?;
        Ok(())
    }
}

/// Returns whether a host has done all, and never failed in it, even if that was forgotten (`clear_host_errors`).
fn is_through(host: &HostRun) -> bool {
    host.is_active() && !host.cursor.fell() && host.cursor.current().is_none()
}

fn notified_line(host: &HostRun) -> String {
    let names: Vec<&str> = host.notified.iter().map(|notice| &*notice.name).collect();
    format!("{}: handlers that were notified: {}", host.name, names.join(", "))
}
