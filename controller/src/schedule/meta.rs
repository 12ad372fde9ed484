//! `meta`: tasks about the run itself.

use std::sync::Arc;

use convoy_protocol::map;

use crate::diagnostic::Diagnostics;
use crate::events::{RunEvent, Verdict};
use crate::execute::call::CallResult;
use crate::execute::outcome::HostResult;
use crate::playbook::ast::{Meta, Role};
use crate::prepare::task::{self, View};
use crate::schedule::apply;
use crate::schedule::batch::{Batch, Ended, Placed};
use crate::state::section::{Item, TaskRef};
use crate::template::{Error, Kind as ErrorKind};
use crate::vars::magic::search_path;

/// Does a meta task for the hosts of a group.
///
/// # Errors
/// If its condition cannot be decided.
pub(crate) async fn run(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    action: Meta,
    group: &[usize],
) -> Result<(), Diagnostics> {
    let selected = batch.selected();
    if has_no_condition(action) && !task.task.keywords.when.is_empty() {
        batch.engine.warn(format!("{} task does not support when conditional", name(action)));
    }
    for (rank, &index) in group.iter().enumerate() {
        if rank > 0 && !for_each_host(action) {
            batch.hosts[index].cursor.advance(&selected);
            continue;
        }
        if rank > 0 {
            batch.announce(task, &group[rank..]);
        }
        let host = batch.hosts[index].name.clone();
        let say = |batch: &Batch<'_>, text: &str| {
            batch.engine.tell(RunEvent::Verbose { level: 2, host: None, text: format!("META: {text}") });
        };
        let holds = match holds(batch, task, action, index) {
            Ok(holds) => holds,
            Err(error) if error.kind == ErrorKind::Unknown => {
                let values = CallResult::unknown(&error.message.into()).values;
                apply::settle(batch, task, index, &[], &HostResult::of(&host, values, Verdict::Unknown))?;
                continue;
            }
            Err(error) => return Err(error.diagnostic().at(task.task.at.clone()).into()),
        };
        if holds {
            let text = act(batch, task, action, index).await?;
            say(batch, &text);
            continue;
        }
        let why = passed_over(action, task, &host);
        say(batch, &why);
        let values = map! { "msg" => name(action), "skipped" => true, "skip_reason" => why };
        batch.show(task, &host, &HostResult::of(&host, values, Verdict::Skipped));
        batch.hosts[index].cursor.advance(&selected);
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
    let rest = match action {
        Meta::Noop | Meta::RefreshInventory | Meta::ResetConnection => String::new(),
        Meta::FlushHandlers => format!(", not running handlers for {host}"),
        Meta::ClearFacts => format!(", not clearing facts and fact cache for {host}"),
        Meta::ClearHostErrors => format!(", not clearing host error state for {host}"),
        Meta::EndHost => format!(", continuing execution for {host}"),
        Meta::EndBatch => ", continuing current batch".to_owned(),
        Meta::EndPlay => ", continuing play".to_owned(),
        Meta::EndRole => format!(", continuing role {role} for {host}"),
    };
    format!("{} conditional evaluated to False{rest}", name(action))
}

fn name(action: Meta) -> &'static str {
    match action {
        Meta::Noop => "noop",
        Meta::FlushHandlers => "flush_handlers",
        Meta::RefreshInventory => "refresh_inventory",
        Meta::ClearFacts => "clear_facts",
        Meta::ClearHostErrors => "clear_host_errors",
        Meta::ResetConnection => "reset_connection",
        Meta::EndHost => "end_host",
        Meta::EndBatch => "end_batch",
        Meta::EndPlay => "end_play",
        Meta::EndRole => "end_role",
    }
}

/// Whether Ansible does this whatever its `when` says.
fn has_no_condition(action: Meta) -> bool {
    matches!(action, Meta::Noop | Meta::RefreshInventory | Meta::ResetConnection)
}

/// Whether this is done for each host, each time with its own heading; else once, as the first host has it.
fn for_each_host(action: Meta) -> bool {
    matches!(action, Meta::Noop | Meta::FlushHandlers | Meta::EndHost | Meta::EndRole | Meta::ResetConnection)
}

fn holds(batch: &Batch<'_>, task: &TaskRef, action: Meta, index: usize) -> Result<bool, Error> {
    if has_no_condition(action) {
        return Ok(true);
    }
    if let Some(why) = batch.doubt(index) {
        return Err(Error::unknown(why));
    }
    let engine = batch.engine;
    let scope =
        engine.scope(&batch.hosts[index].name, Some(&Placed { task: &task.task, params: &task.params }));
    let context = engine.context(search_path(&task.task, Some(&batch.play)), true);
    let view = View { engine, task: &task.task, scope: &scope, context: &context };
    Ok(task::failing_condition(view)?.is_none())
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
            batch.hosts.iter().for_each(|host| batch.engine.clear_facts(&host.name));
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
            batch.engine.refresh_inventory()?;
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
    Arc::ptr_eq(role, outer) || role.parents.first().is_some_and(|(name, _)| *name == outer.name)
}
