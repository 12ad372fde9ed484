//! The tasks that undo blocks: play by play and block by block, the last first.

use std::sync::Arc;

use convoy_protocol::Map;

use super::begun::{self, Begun, Undone};
use super::find;
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::playbook::ast::{Entry, Play};
use crate::prompt;
use crate::run::batch::{Batch, Ended, HostRun};
use crate::run::cursor::{Item, Section, TaskRef};
use crate::run::engine::Engine;
use crate::run::event::{Note, RunEvent};
use crate::run::{handlers, include, play, vars_prompt};
use crate::vars::magic::PlayFacts;

/// All that is to be done by tasks.
pub(super) struct Tasks<'e> {
    batches: Vec<OfBatch<'e>>,
    /// The hosts on which something was done.
    pub(super) worked: Vec<Arc<str>>,
}

/// What is to be done in one batch of a play.
struct OfBatch<'e> {
    number: u32,
    facts: Arc<PlayFacts>,
    batch: Batch<'e>,
    blocks: Vec<Ready>,
}

/// A block, ready to be undone.
struct Ready {
    title: Arc<str>,
    section: Arc<Section>,
    hosts: Vec<OnHost>,
}

/// A block on a host of the batch.
struct OnHost {
    index: usize,
    of: begun::Host,
}

/// Makes ready what is to be done on these hosts.
///
/// # Errors
/// If a block cannot be found any more, or something in the playbooks is wrong.
pub(super) fn prepare<'e>(
    engine: &'e Engine,
    plays: &[Arc<Play>],
    begun: &Begun,
    undone: &Undone,
    hosts: &[Arc<str>],
) -> Result<Tasks<'e>, Diagnostics> {
    let is_there = |block: &&begun::Block| block.hosts.iter().any(|host| hosts.contains(&host.name));
    let blocks: Vec<&begun::Block> = begun.blocks.iter().rev().filter(is_there).collect();
    let mut numbers: Vec<u32> = blocks.iter().map(|block| block.play).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.dedup();
    let mut batches = Vec::new();
    for number in numbers {
        let blocks: Vec<&begun::Block> =
            blocks.iter().copied().filter(|block| block.play == number).collect();
        let play = plays.get(number as usize - 1).ok_or_else(|| gone(blocks[0]))?;
        let play = ask(engine, play)?;
        let is_in = |host: &&Arc<str>| blocks.iter().any(|block| block.on(host).is_some());
        let hosts: Vec<Arc<str>> = hosts.iter().filter(is_in).cloned().collect();
        for hosts in play::batches(engine, &play, &hosts)? {
            batches.push(OfBatch::new(engine, &play, number, hosts, &blocks, undone)?);
        }
    }
    Ok(Tasks { batches, worked: Vec::new() })
}

fn gone(block: &begun::Block) -> Diagnostic {
    Diagnostic::user(format!("the block \"{}\" is not in the playbooks any more", block.title()))
        .kind(Kind::Refused)
        .note(format!("it was at {}, and the run has begun it: {}", block.at, block.names()))
        .hint(
            "put it back with its name and its `undo:`, or take back files alone with --files-only"
                .to_owned(),
        )
}

/// Asks for what the play asks for.
fn ask(engine: &Engine, play: &Arc<Play>) -> Result<Arc<Play>, Diagnostics> {
    if !prompt::is_interactive() {
        let problems = vars_prompt::unanswered(std::iter::once(play), &engine.options.extra_vars);
        if !problems.is_empty() {
            return Err(problems);
        }
    }
    vars_prompt::ask(engine, play)
}

impl Tasks<'_> {
    /// Does it. What fails on a host ends its part there.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn run(&mut self, undone: &Undone) -> Result<(), Diagnostics> {
        for of_batch in &mut self.batches {
            for index in 0..of_batch.blocks.len() {
                let ended = of_batch.block(index, undone, &mut self.worked).await?;
                if ended == Ended::Broken {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Runs the handlers that were notified, now that the files are as they were.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn handlers(&mut self) -> Result<(), Diagnostics> {
        for of_batch in &mut self.batches {
            of_batch.handlers().await?;
        }
        Ok(())
    }
}

impl<'e> OfBatch<'e> {
    fn new(
        engine: &'e Engine,
        play: &Arc<Play>,
        number: u32,
        hosts: Vec<Arc<str>>,
        blocks: &[&begun::Block],
        undone: &Undone,
    ) -> Result<Self, Diagnostics> {
        *engine.play.borrow_mut() = play::facts(engine, play, &hosts);
        let strategy = play::strategy(engine, play)?;
        let mut batch = Batch::new(engine, play, hosts, Arc::default(), strategy);
        let ready = |block: &&begun::Block| match Ready::new(&mut batch, block) {
            // Nothing is left to do for it.
            Err(_) if block.hosts.iter().all(|host| host.is_undone(undone)) => None,
            ready => Some(ready),
        };
        let blocks = blocks.iter().filter_map(ready).collect::<Result<_, _>>()?;
        let facts = engine.play.borrow().clone();
        Ok(Self { number, facts, batch, blocks })
    }

    /// Lets magic variables, and the journal, know of this play.
    fn take_the_stage(&self) {
        let engine = self.batch.engine;
        *engine.play.borrow_mut() = self.facts.clone();
        engine.play_number.set(self.number);
        engine.headed.take();
    }

    fn is_left(&self, index: usize) -> bool {
        let host = &self.batch.hosts[index];
        !host.unreachable && !self.batch.engine.lost.borrow().contains(&host.name)
    }

    /// Undoes one block.
    async fn block(
        &mut self,
        index: usize,
        undone: &Undone,
        worked: &mut Vec<Arc<str>>,
    ) -> Result<Ended, Diagnostics> {
        let engine = self.batch.engine;
        let Ready { title, section, hosts } = &self.blocks[index];
        let open = |host: &&OnHost| self.is_left(host.index) && !host.of.is_undone(undone);
        let hosts: Vec<&OnHost> = hosts.iter().filter(open).collect();
        if engine.interrupted.get() {
            let lines = hosts.iter().map(|host| format!("{}: block \"{title}\"", host.of.name));
            engine.not_done.borrow_mut().extend(lines);
        }
        if hosts.is_empty() || engine.interrupted.get() {
            return Ok(Ended::Batch { lost: 0 });
        }
        self.take_the_stage();
        for host in &hosts {
            Arc::make_mut(&mut engine.store.borrow_mut()).replace_set(&host.of.name, host.of.vars.clone());
        }
        let name = format!("Undo of block \"{title}\"").into();
        engine.tell(RunEvent::PlayStart { name, check: engine.options.check });
        let indices: Vec<usize> = hosts.iter().map(|host| host.index).collect();
        self.batch.restart(&indices, section);
        self.batch.keep_facts();
        let ended = self.batch.run().await?;
        for host in hosts {
            let run = &self.batch.hosts[host.index];
            if run.is_active() && run.cursor.current().is_none() {
                engine.note(Note::Undone { host: run.name.clone(), blocks: host.of.ids.clone() });
                worked.push(run.name.clone());
            }
        }
        Ok(ended)
    }

    async fn handlers(&mut self) -> Result<(), Diagnostics> {
        let engine = self.batch.engine;
        self.take_the_stage();
        let left: Vec<usize> = (0..self.batch.hosts.len()).filter(|index| self.is_left(*index)).collect();
        left.iter().for_each(|index| handlers::take_due(&mut self.batch, *index));
        let notified = |index: &usize| !self.batch.hosts[*index].notified.is_empty();
        let notified: Vec<usize> = left.into_iter().filter(notified).collect();
        if engine.interrupted.get() {
            let hosts = notified.iter().map(|index| &self.batch.hosts[*index]);
            let name = |host: &HostRun| {
                host.notified.iter().map(|notice| &*notice.name).collect::<Vec<_>>().join(", ")
            };
            let lines =
                hosts.map(|host| format!("{}: handlers that were notified: {}", host.name, name(host)));
            engine.not_done.borrow_mut().extend(lines);
            return Ok(());
        }
        if notified.is_empty() {
            return Ok(());
        }
        engine.tell(RunEvent::PlayStart { name: "Handlers of the undo".into(), check: engine.options.check });
        let flush = Section { body: vec![Item::Flush { after: 0 }], ..Section::default() };
        self.batch.restart(&notified, &Arc::new(flush));
        self.batch.run().await?;
        Ok(())
    }
}

impl Ready {
    fn new(batch: &mut Batch<'_>, block: &begun::Block) -> Result<Self, Diagnostics> {
        let play = batch.play.clone();
        let tasks: Vec<Entry> = play.sections.iter().flatten().cloned().collect();
        let mut handler = false;
        let mut entries = tasks;
        let mut params: Arc<Map> = Arc::default();
        for (depth, include) in block.includes.iter().enumerate() {
            let mut found = find::include(&entries, include);
            if found.is_none() && depth == 0 {
                found = find::include(&play.handlers, include);
                handler = found.is_some();
            }
            let task = found.ok_or_else(|| gone(block))?;
            let task = TaskRef { task, params, handler, doubt: None };
            (entries, params) = include::again(batch, &task, include)?;
        }
        let found = find::block(&entries, &block.at, &block.name).ok_or_else(|| gone(block))?;
        let undo = Section::of(&found.undo, &params, false);
        let body = play::gathering(batch.engine, &play)?.into_iter().chain([Item::Section(Arc::new(undo))]);
        let section = Section { body: body.collect(), ..Section::default() };
        let on_host =
            |(index, host): (usize, &HostRun)| Some(OnHost { index, of: block.on(&host.name)?.clone() });
        let hosts = batch.hosts.iter().enumerate().filter_map(on_host).collect();
        Ok(Self { title: block.title().clone(), section: Arc::new(section), hosts })
    }
}
