//! `meta`: tasks about the run itself.

use std::sync::Arc;

use convoy_protocol::map;

use super::Scheduler;
use super::batch::Batch;
use crate::diagnostic::Diagnostics;
use crate::events::Verdict;
use crate::execute::call::CallOutcome;
use crate::execute::outcome::TaskOutcome;
use crate::playbook::ast::{Meta, Role};
use crate::prepare::call;
use crate::state::batch::BatchEnd;
use crate::state::section::{Item, TaskRef};
use crate::template::{Error, Kind as ErrorKind};

impl Scheduler {
    /// Does a meta task for the hosts of a group.
    ///
    /// # Errors
    /// If its condition cannot be decided.
    pub(super) async fn run_meta(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        action: Meta,
        group: &[usize],
    ) -> Result<(), Diagnostics> {
        let selected = self.selected();
        if has_no_condition(action) && !task.task.keywords.when.is_empty() {
            self.warn(format!("{} task does not support when conditional", action.name()));
        }
        for (rank, &index) in group.iter().enumerate() {
            if rank > 0 && !for_each_host(action) {
                batch.hosts[index].cursor.advance(&selected);
                continue;
            }
            if rank > 0 {
                self.announce(batch, task, &group[rank..]);
            }
            let host = batch.hosts[index].name.clone();
            let holds = match self.meta_holds(batch, task, action, index) {
                Ok(holds) => holds,
                Err(error) if error.kind == ErrorKind::Unknown => {
                    let values = CallOutcome::unknown(&error.message.into()).values;
                    self.apply_outcome(
                        batch,
                        task,
                        index,
                        &[],
                        &TaskOutcome::of(&host, values, Verdict::Unknown),
                    )?;
                    continue;
                }
                Err(error) => return Err(error.diagnostic().at(task.task.at.clone()).into()),
            };
            if holds {
                let text = self.act(batch, task, action, index).await?;
                self.verbose(2, format!("META: {text}"));
                continue;
            }
            let why = passed_over(action, task, &host);
            self.verbose(2, format!("META: {why}"));
            let values = map! { "msg" => action.name(), "skipped" => true, "skip_reason" => why };
            self.show(batch, task, &host, &TaskOutcome::of(&host, values, Verdict::Skipped));
            batch.hosts[index].cursor.advance(&selected);
        }
        // Handlers that are flushed see to it themselves.
        if !matches!(action, Meta::Noop | Meta::FlushHandlers) {
            batch.drop_prefetched();
        }
        Ok(())
    }

    fn meta_holds(&self, batch: &Batch, task: &TaskRef, action: Meta, index: usize) -> Result<bool, Error> {
        if has_no_condition(action) {
            return Ok(true);
        }
        if let Some(why) = batch.uncertain(index) {
            return Err(Error::unknown(why));
        }
        let seen = self.prepared(batch, task, index, true);
        Ok(call::failing_condition(self.view(&task.task, &seen))?.is_none())
    }

    /// Does it for one host, and says what was done.
    async fn act(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        action: Meta,
        index: usize,
    ) -> Result<String, Diagnostics> {
        let selected = self.selected();
        let name = batch.hosts[index].name.clone();
        let advance = |batch: &mut Batch| batch.hosts[index].cursor.advance(&selected);
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
                batch.end = (action == Meta::EndPlay).then_some(BatchEnd::Play).or(batch.end);
                if action == Meta::EndPlay { "ending play".to_owned() } else { "ending batch".to_owned() }
            }
            Meta::EndRole => {
                self.end_role(batch, task, index);
                format!("ending role for {name}")
            }
            Meta::ClearFacts => {
                batch.hosts.iter().for_each(|host| self.clear_facts(&host.name));
                advance(batch);
                "facts cleared".to_owned()
            }
            Meta::ClearHostErrors => {
                for host in &mut batch.hosts {
                    host.unreachable = false;
                    host.cursor.clear_failure();
                }
                self.world.progress.lost.clear();
                advance(batch);
                "cleared host errors".to_owned()
            }
            Meta::RefreshInventory => {
                self.refresh_inventory()?;
                advance(batch);
                "inventory successfully refreshed".to_owned()
            }
            Meta::ResetConnection => {
                let services = self.services.clone();
                self.drive(services.connections.reset(&name)).await;
                advance(batch);
                "reset connection".to_owned()
            }
        })
    }

    /// Passes over what is left of the task's role.
    fn end_role(&self, batch: &mut Batch, task: &TaskRef, index: usize) {
        let selected = self.selected();
        let cursor = &mut batch.hosts[index].cursor;
        let Some(role) = &task.task.role else { return cursor.advance(&selected) };
        loop {
            cursor.advance(&selected);
            match cursor.current() {
                Some(Item::Task(next))
                    if next.task.role.as_ref().is_some_and(|other| is_within(other, role)) => {}
                _ => return,
            }
        }
    }
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
    format!("{} conditional evaluated to False{rest}", action.name())
}

/// Whether Ansible does this whatever its `when` says.
fn has_no_condition(action: Meta) -> bool {
    matches!(action, Meta::Noop | Meta::RefreshInventory | Meta::ResetConnection)
}

/// Whether this is done for each host, each time with its own heading; else once, as the first host has it.
fn for_each_host(action: Meta) -> bool {
    matches!(action, Meta::Noop | Meta::FlushHandlers | Meta::EndHost | Meta::EndRole | Meta::ResetConnection)
}

/// Returns whether a use of a role is another, or is brought by it.
fn is_within(role: &Arc<Role>, outer: &Arc<Role>) -> bool {
    Arc::ptr_eq(role, outer) || role.parents.first().is_some_and(|(name, _)| *name == outer.name)
}
