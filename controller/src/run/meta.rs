//! `meta`: tasks about the run itself.

use std::sync::Arc;

use convoy_protocol::Map;

use super::batch::{Batch, Ended, Placed};
use super::cursor::{Item, TaskRef};
use super::event::{RunEvent, Verdict};
use super::job::{self, View};
use super::perform::HostResult;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::playbook::ast::{Meta, Role};
use crate::vars::magic::search_path;

/// Does a meta task for the hosts of a group.
///
/// # Errors
/// If its condition cannot be decided.
pub(super) async fn run(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    action: Meta,
    group: &[usize],
) -> Result<(), Diagnostics> {
    let selected = batch.selected();
    for (rank, &index) in group.iter().enumerate() {
        if rank > 0 && for_each_host(action) {
            batch.announce(task, &group[rank..]);
        }
        if !holds(batch, task, index)? {
            let host = batch.hosts[index].name.clone();
            batch.show(task, &host, &HostResult::of(&host, Map::new(), Verdict::Skipped));
            let text = format!("META: {}", passed_over(action, task, &host));
            batch.engine.tell(RunEvent::Verbose { level: 1, host: Some(host), text });
            batch.hosts[index].cursor.advance(&selected);
            continue;
        }
        let text = act(batch, task, action, index).await?;
        let host = batch.hosts[index].name.clone();
        batch.engine.tell(RunEvent::Verbose { level: 1, host: Some(host), text: format!("META: {text}") });
    }
    // Handlers that are flushed see to it themselves.
    if !matches!(action, Meta::Noop | Meta::FlushHandlers) {
        batch.hosts.iter_mut().for_each(|host| host.seen.clear());
    }
    Ok(())
}

/// Says that the condition does not hold, and what that means.
fn passed_over(action: Meta, task: &TaskRef, host: &str) -> String {
    let role = task.task.role.as_ref().map_or("", |role| &role.name);
    let (name, rest) = match action {
        Meta::Noop => ("noop", String::new()),
        Meta::FlushHandlers => ("flush_handlers", format!(", not running handlers for {host}")),
        Meta::RefreshInventory => ("refresh_inventory", String::new()),
        Meta::ClearFacts => ("clear_facts", format!(", not clearing facts and fact cache for {host}")),
        Meta::ClearHostErrors => ("clear_host_errors", format!(", not clearing host error state for {host}")),
        Meta::ResetConnection => ("reset_connection", String::new()),
        Meta::EndHost => ("end_host", format!(", continuing execution for {host}")),
        Meta::EndBatch => ("end_batch", ", continuing current batch".to_owned()),
        Meta::EndPlay => ("end_play", ", continuing play".to_owned()),
        Meta::EndRole => ("end_role", format!(", continuing role {role} for {host}")),
    };
    format!("{name} conditional evaluated to False{rest}")
}

/// Whether Ansible does this once for each host, each time with its own heading.
fn for_each_host(action: Meta) -> bool {
    matches!(action, Meta::Noop | Meta::FlushHandlers | Meta::EndHost | Meta::EndRole | Meta::ResetConnection)
}

fn holds(batch: &Batch<'_>, task: &TaskRef, index: usize) -> Result<bool, Diagnostics> {
    let engine = batch.engine;
    let scope =
        engine.scope(&batch.hosts[index].name, Some(&Placed { task: &task.task, params: &task.params }));
    let context = engine.context(search_path(&task.task, Some(&batch.play)), true);
    let view = View { engine, task: &task.task, scope: &scope, context: &context };
    let failing = job::failing_condition(view)
        .map_err(|error| Diagnostic::user(error.to_string()).at(task.task.at.clone()))?;
    Ok(failing.is_none())
}

/// Does it for one host, and says what was done.
async fn act(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    action: Meta,
    index: usize,
) -> Result<String, Diagnostics> {
    let selected = batch.selected();
    let name = batch.hosts[index].name.clone();
    let advance = |batch: &mut Batch<'_>| batch.hosts[index].cursor.advance(&selected);
    Ok(match action {
        Meta::Noop => {
            advance(batch);
            "noop".to_owned()
        }
        Meta::FlushHandlers => {
            let flush = vec![Item::Flush { after: 0 }];
            batch.hosts[index].cursor.enter(flush, &selected);
            format!("triggered running handlers for {name}")
        }
        Meta::EndHost => {
            batch.hosts[index].cursor.end();
            format!("ending play for {name}")
        }
        Meta::EndBatch | Meta::EndPlay => {
            batch.hosts.iter_mut().filter(|host| host.is_active()).for_each(|host| host.cursor.end());
            batch.end = (action == Meta::EndPlay).then_some(Ended::Play).or(batch.end);
            if action == Meta::EndPlay { "ending play".to_owned() } else { "ending batch".to_owned() }
        }
        Meta::EndRole => {
            end_role(batch, task, index);
            format!("ending role for {name}")
        }
        Meta::ClearFacts => {
            Arc::make_mut(&mut batch.engine.store.borrow_mut()).clear_facts(&name);
            advance(batch);
            "facts cleared".to_owned()
        }
        Meta::ClearHostErrors => {
            for host in &mut batch.hosts {
                host.unreachable = false;
                host.cursor.clear_failure();
            }
            batch.engine.lost.borrow_mut().clear();
            advance(batch);
            "cleared host errors".to_owned()
        }
        Meta::RefreshInventory => {
            batch.engine.read_inventory()?;
            advance(batch);
            "inventory successfully refreshed".to_owned()
        }
        Meta::ResetConnection => {
            batch.engine.connections.reset(&name).await;
            advance(batch);
            "reset connection".to_owned()
        }
    })
}

/// Passes over what is left of the task's role.
fn end_role(batch: &mut Batch<'_>, task: &TaskRef, index: usize) {
    let selected = batch.selected();
    let cursor = &mut batch.hosts[index].cursor;
    let Some(role) = &task.task.role else { return cursor.advance(&selected) };
    loop {
        cursor.advance(&selected);
        match cursor.current() {
            Some(Item::Task(next)) if next.task.role.as_ref().is_some_and(|other| within(other, role)) => {}
            _ => return,
        }
    }
}

fn within(role: &Arc<Role>, outer: &Arc<Role>) -> bool {
    Arc::ptr_eq(role, outer) || role.parents.first() == Some(&outer.name)
}
