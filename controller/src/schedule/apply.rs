//! What a result means for the host and for the others: variables, notifications, the recap, failures.

use std::collections::BTreeSet;
use std::sync::Arc;

use convoy_protocol::{Map, Value};

use crate::actions::VariableLevel;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::{Note, Verdict};
use crate::execute::effects::CallEffects;
use crate::execute::outcome::HostResult;
use crate::prepare::keywords;
use crate::prepare::task;
use crate::schedule::batch::{Batch, Ended, HostRun, Placed};
use crate::state::section::TaskRef;
use crate::state::undo_blocks;
use crate::template::unknown;
use crate::vars::Store;
use crate::vars::magic::search_path;

/// Applies the result of a task on one host. `also`: further hosts that get its variables (`run_once`).
///
/// # Errors
/// If a handler that is notified does not exist.
pub(crate) fn settle(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    index: usize,
    also: &[usize],
    result: &HostResult,
) -> Result<(), Diagnostics> {
    let host = batch.hosts[index].name.clone();
    let mut hosts = vec![host.clone()];
    hosts.extend(also.iter().filter(|i| **i != index).map(|i| batch.hosts[*i].name.clone()));
    remember(batch, task, &hosts, result);
    count(batch, &host, index, result);
    if !result.ignored && matches!(result.verdict, Verdict::Failed) {
        remember_failure(batch, task, index, result);
    }
    batch.show(task, &host, result);
    if !result.ignored && unknown::rest(&result.values).is_some() {
        doubt_rescues(batch, index);
    }
    if !result.failed.is_empty() {
        let tickets = result.failed.clone();
        if result.ignored {
            batch.engine.note(Note::Ignored { tickets });
        } else if !batch.hosts[index].cursor.can_be_rescued() {
            batch.engine.note(Note::Stopped { tickets });
        }
    }
    if task.handler && matches!(result.verdict, Verdict::Ok | Verdict::Changed | Verdict::Skipped) {
        batch.engine.note(Note::Handled { host: host.clone(), handler: batch.title(task, &host) });
    }
    note_set(batch, task, index, also, result);
    go_on(batch, index, result);
    batch.mark(index);
    if !batch.hosts[index].is_active() {
        let line =
            format!("{host}: task \"{}\" ({}) and what follows it", batch.title(task, &host), task.task.at);
        batch.engine.not_done.borrow_mut().push(line);
    }
    if let (Some(role), Verdict::Ok | Verdict::Changed | Verdict::Failed) = (&task.task.role, result.verdict)
    {
        batch.hosts[index].roles.entry(role.identity).or_insert_with(|| role.clone());
    }
    if !task.is_gathering(&batch.play) {
        crate::schedule::handlers::take_due(batch, index);
    }
    for effects in &result.calls {
        for notice in &effects.notify {
            crate::schedule::handlers::notify(batch, index, notice)?;
        }
    }
    Ok(())
}

/// Notes what the task has set, for the tasks that undo blocks.
fn note_set(batch: &Batch<'_>, task: &TaskRef, index: usize, also: &[usize], result: &HostResult) {
    let note = |host: &HostRun, first| undo_blocks::note_set(batch.engine, host, first, &task.task, result);
    note(&batch.hosts[index], true);
    also.iter().filter(|other| **other != index).for_each(|other| note(&batch.hosts[*other], true));
    // With `delegate_facts` it is another host that has them.
    let elsewhere: BTreeSet<&Arc<str>> =
        result.calls.iter().filter_map(|effects| effects.facts_host.as_ref()).collect();
    let known = |other: &usize| *other == index || also.contains(other);
    let others = (0..batch.hosts.len()).filter(|other| !known(other)).map(|other| &batch.hosts[other]);
    if !elsewhere.is_empty() {
        others.filter(|host| elsewhere.contains(&host.name)).for_each(|host| note(host, false));
    }
}

/// Stores facts, variables and the registered result.
fn remember(batch: &Batch<'_>, task: &TaskRef, hosts: &[Arc<str>], result: &HostResult) {
    let mut store = batch.engine.store.borrow_mut();
    let store = Arc::make_mut(&mut store);
    for effects in &result.calls {
        effects.store(store, hosts);
        batch.engine.keep(effects, hosts);
    }
    if let Some(name) = &task.task.register {
        let value = Value::from(result.values.clone());
        hosts.iter().for_each(|host| store.set(host, name, value.clone()));
    }
}

impl CallEffects {
    fn store(&self, store: &mut Store, hosts: &[Arc<str>]) {
        for host in self.facts_host.as_ref().map_or(hosts, std::slice::from_ref) {
            match &self.variables {
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
            if let Some(facts) = &self.facts {
                store.add_facts(host, facts);
            }
            if let Some(why) = &self.unknown_rest {
                store.set_unknown_rest(host, why);
            }
        }
    }
}

fn count(batch: &Batch<'_>, host: &Arc<str>, index: usize, result: &HostResult) {
    let rescued = batch.hosts[index].cursor.can_be_rescued();
    let changed = result.values.get("changed").and_then(Value::as_bool) == Some(true);
    batch.engine.count(host, |stats| match result.verdict {
        Verdict::Skipped => stats.skipped += 1,
        Verdict::Unknown => stats.unknown += 1,
        Verdict::Failed if !result.ignored && rescued => stats.rescued += 1,
        Verdict::Failed if !result.ignored => stats.failed += 1,
        Verdict::Unreachable if !result.ignored => stats.unreachable += 1,
        Verdict::Refused => stats.refused += 1,
        verdict => {
            stats.ok += 1;
            stats.changed += u32::from(changed);
            stats.ignored += u32::from(matches!(verdict, Verdict::Failed | Verdict::Unreachable));
        }
    });
}

/// Lets a rescue look at what failed.
fn remember_failure(batch: &Batch<'_>, task: &TaskRef, index: usize, result: &HostResult) {
    let host = &batch.hosts[index];
    if !host.cursor.can_be_rescued() {
        return;
    }
    let mut failed = Map::new();
    failed.insert("name".into(), task.task.name.clone().unwrap_or_default());
    failed.insert("action".into(), task.task.action_name.clone().into());
    failed.insert("args".into(), task.task.args.clone());
    failed
        .insert("tags".into(), task.task.keywords.tags.iter().map(|tag| Value::from(tag.clone())).collect());
    // Shown as written: a failed task is looked at, not done again.
    let failed = Value::from(failed).tainted(convoy_protocol::Taint::UNSAFE);
    let mut store = batch.engine.store.borrow_mut();
    let store = Arc::make_mut(&mut store);
    store.set(&host.name, "ansible_failed_task", failed);
    store.set(&host.name, "ansible_failed_result", result.values.clone().into());
}

/// Check mode: a task that may fail in earnest may lead to a rescue, of which nothing is done here.
fn doubt_rescues(batch: &Batch<'_>, index: usize) {
    let (engine, host) = (batch.engine, &batch.hosts[index].name);
    for task in batch.hosts[index].cursor.rescues() {
        let scope = engine.scope(host, Some(&Placed { task: &task.task, params: &task.params }));
        let context = engine.context(search_path(&task.task, Some(&batch.play)), false);
        let view = task::View { engine, task: &task.task, scope: &scope, context: &context };
        engine.doubts.note_possible(host, &task.task, task::might(view).as_ref(), &batch.title(&task, host));
    }
}

fn go_on(batch: &mut Batch<'_>, index: usize, result: &HostResult) {
    let selected = batch.selected();
    let host = &mut batch.hosts[index];
    match result.verdict {
        Verdict::Failed if !result.ignored => host.cursor.fail(&selected),
        verdict if verdict.is_lost() && !result.ignored => {
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
pub(crate) fn spread(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    group: &[usize],
    failed: &[usize],
) -> Result<(), Diagnostics> {
    if failed.is_empty() {
        return Ok(());
    }
    let Some(first) = group.first() else { return Ok(()) };
    let host = batch.hosts[*first].name.clone();
    let fatal = match task.task.keywords.any_errors_fatal.as_ref() {
        None => batch.engine.options.settings.any_errors_fatal,
        asked => batch.flag(task, &host, asked)?,
    };
    let selected = batch.selected();
    let broken = too_many(batch, task, &host)?;
    if broken {
        batch.end = Some(Ended::Broken);
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

fn too_many(batch: &Batch<'_>, task: &TaskRef, host: &Arc<str>) -> Result<bool, Diagnostics> {
    let Some(limit) = &batch.play.max_fail_percentage else { return Ok(false) };
    let engine = batch.engine;
    let scope = engine.scope(host, None);
    let context = engine.context(Vec::new(), true);
    let view = task::View { engine, task: &task.task, scope: &scope, context: &context };
    let wrong = |why: String| Diagnostic::user(why).at(batch.play.at.clone());
    let limit = view.render(limit).map_err(|error| wrong(error.to_string()))?;
    let limit = keywords::number(&limit).map_err(|why| wrong(format!("max_fail_percentage: {why}")))?;
    let lost = batch.hosts.iter().filter(|host| !host.is_active()).count();
    Ok(lost as f64 * 100.0 / batch.hosts.len() as f64 > limit)
}
