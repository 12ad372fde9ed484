//! What an outcome means for the host and for the others: variables, notifications, the recap, failures.

use std::collections::BTreeSet;
use std::sync::Arc;

use convoy_protocol::{Map, Taint, Value};

use super::Scheduler;
use super::batch::Batch;
use super::planning::Prepared;
use crate::actions::VariableLevel;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::{Note, Verdict};
use crate::execute::effects::Effects;
use crate::execute::outcome::TaskOutcome;
use crate::playbook::ast::Task;
use crate::prepare::{call, values};
use crate::services::context;
use crate::state::batch::{BatchEnd, HostProgress};
use crate::state::section::TaskRef;
use crate::template::unknown;
use crate::vars::Store;

impl Scheduler {
    /// Applies the outcome of a task on one host. `also`: further hosts that get its variables (`run_once`).
    ///
    /// # Errors
    /// If a handler that is notified does not exist.
    pub(super) fn apply_outcome(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        index: usize,
        also: &[usize],
        outcome: &TaskOutcome,
    ) -> Result<(), Diagnostics> {
        let host = batch.host(index);
        let mut hosts = vec![host.clone()];
        hosts.extend(also.iter().filter(|i| **i != index).map(|i| batch.host(*i)));
        self.store_variables(task, &hosts, outcome);
        self.count_outcome(batch, index, outcome);
        if !outcome.ignored && matches!(outcome.verdict, Verdict::Failed) {
            self.store_failure(batch, task, index, outcome);
        }
        self.show(batch, task, &host, outcome);
        if !outcome.ignored && unknown::rest(&outcome.values).is_some() {
            self.expect_rescues(batch, index);
        }
        self.record_outcome(batch, task, index, also, outcome);
        self.move_on(batch, index, outcome);
        self.record_blocks(batch, index);
        if !batch.hosts[index].is_active() {
            let title = self.title(task, &host);
            self.not_done(format!("{host}: task \"{title}\" ({}) and what follows it", task.task.at));
        }
        if let (Some(role), Verdict::Ok | Verdict::Changed | Verdict::Failed) =
            (&task.task.role, outcome.verdict)
        {
            batch.hosts[index].roles.entry(role.identity).or_insert_with(|| role.clone());
        }
        if !task.is_gathering(&batch.play) {
            self.take_due(batch, index);
        }
        for effects in &outcome.effects {
            for notification in &effects.notify {
                self.notify(batch, index, notification)?;
            }
        }
        Ok(())
    }

    /// Records in the journal what a later resume, or undo, needs to know of an outcome.
    fn record_outcome(
        &mut self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
        also: &[usize],
        outcome: &TaskOutcome,
    ) {
        if !outcome.failed.is_empty() {
            let tickets = outcome.failed.clone();
            if outcome.ignored {
                self.record(Note::Ignored { tickets });
            } else if !batch.hosts[index].cursor.can_be_rescued() {
                self.record(Note::Stopped { tickets });
            }
        }
        if task.handler && matches!(outcome.verdict, Verdict::Ok | Verdict::Changed | Verdict::Skipped) {
            let host = batch.host(index);
            let handler = self.title(task, &host);
            self.record(Note::Handled { host, handler });
        }
        self.record_set(batch, task, index, also, outcome);
    }

    /// Records what the task has set, for the tasks that undo blocks.
    fn record_set(
        &mut self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
        also: &[usize],
        outcome: &TaskOutcome,
    ) {
        let mut notes = vec![set_note(&batch.hosts[index], true, &task.task, outcome)];
        let others = also.iter().filter(|other| **other != index);
        notes.extend(others.map(|other| set_note(&batch.hosts[*other], true, &task.task, outcome)));
        // With `delegate_facts` it is another host that has them.
        let elsewhere: BTreeSet<&Arc<str>> =
            outcome.effects.iter().filter_map(|effects| effects.facts_host.as_ref()).collect();
        let is_known = |other: usize| other == index || also.contains(&other);
        let others = batch.hosts.iter().enumerate().filter(|(_, host)| elsewhere.contains(&host.name));
        let others = others.filter(|(other, _)| !is_known(*other)).map(|(_, host)| host);
        notes.extend(others.map(|host| set_note(host, false, &task.task, outcome)));
        notes.into_iter().flatten().for_each(|note| self.record(note));
    }

    /// Stores facts, variables and the registered result.
    fn store_variables(&mut self, task: &TaskRef, hosts: &[Arc<str>], outcome: &TaskOutcome) {
        for effects in &outcome.effects {
            store(effects, self.world.store(), hosts);
            self.keep(effects, hosts);
        }
        if let Some(name) = &task.task.register {
            let value = Value::from(outcome.values.clone());
            let store = self.world.store();
            hosts.iter().for_each(|host| store.set(host, name, value.clone()));
        }
    }

    fn count_outcome(&mut self, batch: &Batch, index: usize, outcome: &TaskOutcome) {
        let rescued = batch.hosts[index].cursor.can_be_rescued();
        let changed = outcome.values.get("changed").and_then(Value::as_bool) == Some(true);
        self.count(&batch.host(index), |stats| match outcome.verdict {
            Verdict::Skipped => stats.skipped += 1,
            Verdict::Unknown => stats.unknown += 1,
            Verdict::Failed if !outcome.ignored && rescued => stats.rescued += 1,
            Verdict::Failed if !outcome.ignored => stats.failed += 1,
            Verdict::Unreachable if !outcome.ignored => stats.unreachable += 1,
            Verdict::Refused => stats.refused += 1,
            verdict => {
                stats.ok += 1;
                stats.changed += u32::from(changed);
                stats.ignored += u32::from(matches!(verdict, Verdict::Failed | Verdict::Unreachable));
            }
        });
    }

    /// Lets a rescue look at what failed.
    fn store_failure(&mut self, batch: &Batch, task: &TaskRef, index: usize, outcome: &TaskOutcome) {
        let host = &batch.hosts[index];
        if !host.cursor.can_be_rescued() {
            return;
        }
        let tags = task.task.keywords.tags.iter().map(|tag| Value::from(tag.clone()));
        let mut failed = Map::new();
        failed.insert("name".into(), task.task.name.clone().unwrap_or_default());
        failed.insert("action".into(), task.task.action_name.clone().into());
        failed.insert("args".into(), task.task.args.clone());
        failed.insert("tags".into(), tags.collect());
        // Shown as written: a failed task is looked at, not done again.
        let failed = Value::from(failed).tainted(Taint::UNSAFE);
        let store = self.world.store();
        store.set(&host.name, "ansible_failed_task", failed);
        store.set(&host.name, "ansible_failed_result", outcome.values.clone().into());
    }

    /// Check mode: a task that may fail when the run is not in check mode may lead to a rescue, of which nothing is done here.
    fn expect_rescues(&mut self, batch: &Batch, index: usize) {
        let host = batch.host(index);
        for task in batch.hosts[index].cursor.rescues() {
            let seen = self.prepared(batch, &task, index, false);
            let might = call::possible_order(self.view(&task.task, &seen));
            let title = self.title(&task, &host);
            self.world.dry_run.pending.record_possible(&host, &task.task, might.as_ref(), &title);
        }
    }

    fn move_on(&mut self, batch: &mut Batch, index: usize, outcome: &TaskOutcome) {
        let selected = self.selected();
        let host = &mut batch.hosts[index];
        match outcome.verdict {
            Verdict::Failed if !outcome.ignored => host.cursor.fail(&selected),
            verdict if verdict.is_lost() && !outcome.ignored => {
                host.unreachable = true;
                host.cursor.fall();
                // `clear_host_errors` brings the host back: to the next task, not to this one.
                host.cursor.advance(&selected);
            }
            _ => host.cursor.advance(&selected),
        }
    }

    /// Spreads failures to hosts that had none, as `any_errors_fatal`, `max_fail_percentage` and `run_once` say.
    ///
    /// # Errors
    /// If one of them cannot be rendered.
    pub(super) fn spread_failures(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
        failed: &[usize],
    ) -> Result<(), Diagnostics> {
        if failed.is_empty() {
            return Ok(());
        }
        let Some(first) = group.first() else { return Ok(()) };
        let host = batch.host(*first);
        let fatal = match task.task.keywords.any_errors_fatal.as_ref() {
            None => self.services.options.settings.any_errors_fatal,
            asked => self.flag(task, &host, asked)?,
        };
        let selected = self.selected();
        let broken = self.too_many_failed(batch, task, &host)?;
        if broken {
            batch.end = Some(BatchEnd::Broken);
        }
        if fatal || broken {
            for (index, host) in batch.hosts.iter_mut().enumerate() {
                if !failed.contains(&index) && host.is_active() {
                    host.cursor.fail(&selected);
                }
            }
        }
        Ok(())
    }

    fn too_many_failed(&self, batch: &Batch, task: &TaskRef, host: &Arc<str>) -> Result<bool, Diagnostics> {
        let Some(limit) = &batch.play.max_fail_percentage else { return Ok(false) };
        let seen = Prepared { scope: self.world.vars.scope(host, None), context: context(Vec::new(), true) };
        let view = self.view(&task.task, &seen);
        let wrong = |why: String| Diagnostic::user(why).at(batch.play.at.clone());
        let limit = view.render(limit).map_err(|error| wrong(error.to_string()))?;
        let limit = values::number(&limit).map_err(|why| wrong(format!("max_fail_percentage: {why}")))?;
        let lost = batch.hosts.iter().filter(|host| !host.is_active()).count();
        Ok(lost as f64 * 100.0 / batch.hosts.len() as f64 > limit)
    }
}

/// Stores the variables and facts that a call leaves behind.
fn store(effects: &Effects, store: &mut Store, hosts: &[Arc<str>]) {
    for host in effects.facts_host.as_ref().map_or(hosts, std::slice::from_ref) {
        match &effects.variables {
            Some((variables, VariableLevel::IncludeVars)) => store.include(host, variables),
            Some((variables, kept)) => {
                if *kept == VariableLevel::CacheableFact {
                    store.add_facts(host, variables);
                }
                for (name, value) in variables {
                    store.set(host, &name.to_string(), value.clone());
                }
            }
            None => {}
        }
        if let Some(facts) = &effects.facts {
            store.add_facts(host, facts);
        }
        if let Some(why) = &effects.unknown_rest {
            store.set_unknown_rest(host, why);
        }
    }
}

/// Returns what the journal is to know of the variables that a task set for a host, if the host is in a block with `undo:`.
/// `first`: whether it is a host that the task was for, so that it has the registered result.
fn set_note(host: &HostProgress, first: bool, task: &Task, outcome: &TaskOutcome) -> Option<Note> {
    let blocks: Vec<u64> = host.cursor.undo_blocks().iter().filter_map(|block| block.id()).collect();
    if blocks.is_empty() {
        return None;
    }
    let mut vars = Map::new();
    for effects in &outcome.effects {
        let is_here = effects.facts_host.as_ref().map_or(first, |elsewhere| *elsewhere == host.name);
        if let (true, Some((set, VariableLevel::SetFact | VariableLevel::CacheableFact))) =
            (is_here, &effects.variables)
        {
            vars.extend(set.clone());
        }
    }
    let registered = task.register.iter().filter(|_| first);
    vars.extend(registered.map(|name| (name.clone().into(), outcome.values.clone().into())));
    (!vars.is_empty()).then(|| Note::Set { host: host.name.clone(), blocks, vars })
}
