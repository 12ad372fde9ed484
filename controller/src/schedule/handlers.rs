//! Handlers: what is notified, and when it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use convoy_protocol::Value;

use super::Scheduler;
use super::batch::Batch;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::events::Note;
use crate::journal::DueHandler;
use crate::playbook::ast::Entry;
use crate::services::context;
use crate::state::batch::Notification;
use crate::state::section::{Item, Section, TaskRef};

/// Lists handlers in the order in which they run; blocks among them are opened.
pub(super) fn list(entries: &[Entry]) -> Vec<TaskRef> {
    let mut handlers = Vec::new();
    for entry in entries {
        match entry {
            Entry::Task(task) => handlers.push(TaskRef::new(task.clone(), Arc::default(), true)),
            Entry::Block(block) => handlers.extend(list(&block.body)),
        }
    }
    handlers
}

impl Scheduler {
    /// Notes that a host notified `name`: a handler's name, `role : name`, or a topic that handlers listen to.
    ///
    /// # Errors
    /// If there is no such handler.
    pub(super) fn notify(
        &mut self,
        batch: &mut Batch,
        index: usize,
        notification: &Notification,
    ) -> Result<(), Diagnostics> {
        let name = &notification.name;
        let host = batch.hosts[index].name.clone();
        if !batch.handlers.iter().any(|handler| self.answers_to(&host, handler, name)) {
            let known: Vec<String> =
                batch.handlers.iter().flat_map(|handler| self.handler_names(&host, handler)).collect();
            let message = format!(
                "the requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
            );
            let missing =
                Diagnostic::user(message).hint(did_you_mean(name, known.iter().map(String::as_str)));
            if !self.services.options.settings.error_on_missing_handler {
                self.warn(missing.warning());
                return Ok(());
            }
            return Err(missing.into());
        }
        if notification.uncertain.is_none()
            && !batch.hosts[index].notified.iter().any(|known| known.name == *name)
        {
            self.record_notified(batch, &host, name);
        }
        let notified = &mut batch.hosts[index].notified;
        match notified.iter_mut().find(|known| known.name == *name) {
            // Once it is certain it stays so.
            Some(known) if notification.uncertain.is_none() => known.uncertain = None,
            Some(_) => {}
            None => notified.push(notification.clone()),
        }
        Ok(())
    }

    /// Notes which handlers are due, so that a later run can run them if this one does not come to it.
    fn record_notified(&mut self, batch: &Batch, host: &Arc<str>, name: &str) {
        for handler in self.matching(batch, host, name) {
            let handler = self.title(&batch.handlers[handler], host);
            self.record(Note::Notified { host: host.clone(), handler, from: None });
        }
    }

    /// Lets handlers run on a host that an earlier run has notified and did not run any more, where the play has them: as if the
    /// task that is done now had notified them.
    pub(crate) fn take_due(&mut self, batch: &mut Batch, index: usize) {
        let host = batch.hosts[index].name.clone();
        if !self.world.due.iter().any(|due| due.host == host) {
            return;
        }
        let titles: Vec<Arc<str>> = batch.handlers.iter().map(|handler| self.title(handler, &host)).collect();
        self.world.due.retain(|due| {
            let is_here = due.host == host && titles.contains(&due.handler);
            if is_here {
                batch.hosts[index].notified.push(Notification { name: due.handler.clone(), uncertain: None });
            }
            !is_here
        });
    }

    /// Returns the names and topics of a handler.
    fn handler_names(&self, host: &Arc<str>, handler: &TaskRef) -> Vec<String> {
        let scope = self.world.vars.scope(host, None);
        let context = context(Vec::new(), true);
        let render = |value: &Value| {
            self.services.templar.render(value, &scope, &context).unwrap_or_else(|_| value.clone())
        };
        let mut names: Vec<String> =
            handler.task.listen.iter().map(|topic| crate::text::python::str(&render(topic))).collect();
        if let Some(name) = &handler.task.name {
            let name = crate::text::python::str(&render(name));
            if let Some(role) = &handler.task.role {
                names.push(format!("{} : {name}", role.name));
            }
            names.push(name);
        }
        names
    }

    fn answers_to(&self, host: &Arc<str>, handler: &TaskRef, name: &str) -> bool {
        self.handler_names(host, handler).iter().any(|called| called == name)
    }

    /// Lets the notified handlers of a host run, in the order in which they are defined, from the `after`th on.
    ///
    /// Of several handlers with one name the last defined runs, as in Ansible; all that listen to a topic do.
    pub(super) fn flush_handlers(&mut self, batch: &mut Batch, index: usize, after: usize) {
        let selected = self.selected();
        let host = batch.hosts[index].name.clone();
        let mut due: BTreeMap<usize, Option<Arc<str>>> = BTreeMap::new();
        let mut left = Vec::new();
        for notification in batch.hosts[index].notified.clone() {
            let found = self.matching(batch, &host, &notification.name);
            for handler in found.iter().filter(|handler| **handler >= after) {
                let uncertain = due.entry(*handler).or_insert_with(|| notification.uncertain.clone());
                *uncertain = uncertain.take().filter(|_| notification.uncertain.is_some());
            }
            if found.iter().all(|handler| *handler < after) {
                left.push(notification);
            }
        }
        batch.hosts[index].notified = left;
        let Some((last, _)) = due.last_key_value() else {
            return batch.hosts[index].cursor.advance(&selected);
        };
        // They stand where nothing was thought to be done, so what they do came into no window: they may wait, or ask here.
        batch.drop_prefetched();
        let mut body: Vec<Item> = Vec::new();
        let next = last + 1;
        for (handler, uncertain) in due {
            let title = self.title(&batch.handlers[handler], &host);
            let text = format!("NOTIFIED HANDLER {title} for {host}");
            self.verbose(2, text);
            let body_of_one = vec![Item::Task(TaskRef { uncertain, ..batch.handlers[handler].clone() })];
            body.push(Item::Section(Arc::new(Section {
                body: body_of_one,
                rank: Some(handler),
                ..Section::default()
            })));
        }
        // What these handlers notify in turn runs too, if it is defined after them.
        let rest = Section {
            body: vec![Item::Flush { after: next }],
            rank: Some(batch.handlers.len()),
            ..Section::default()
        };
        body.push(Item::Section(Arc::new(rest)));
        batch.hosts[index].cursor.enter(body, &selected);
    }

    fn matching(&self, batch: &Batch, host: &Arc<str>, name: &str) -> Vec<usize> {
        let named = |handler: &TaskRef| {
            let topics = &handler.task.listen;
            let all = self.handler_names(host, handler);
            all.iter().skip(topics.len()).any(|called| called == name)
        };
        let mut found: Vec<usize> = batch.handlers.iter().rposition(named).into_iter().collect();
        for (index, handler) in batch.handlers.iter().enumerate() {
            let topics = handler.task.listen.len();
            if self.handler_names(host, handler).iter().take(topics).any(|topic| topic == name)
                && !found.contains(&index)
            {
                found.push(index);
            }
        }
        found
    }

    /// Records which handlers an earlier run has left pending: they are so until they have run.
    pub fn record_due(&mut self, run: &str, due: &[DueHandler]) {
        for DueHandler { host, handler } in due.iter().cloned() {
            self.record(Note::Notified { host, handler, from: Some(run.into()) });
        }
    }

    /// Takes over handlers that an earlier run has left pending, and says so.
    pub fn take_over_due(&mut self, run: &str, due: Vec<DueHandler>) {
        let mut hosts: BTreeMap<&Arc<str>, Vec<&str>> = BTreeMap::new();
        let names: Vec<Arc<str>> = due.iter().map(|due| due.host.clone()).collect();
        let left =
            self.world.inventory.limited(&names, self.services.options.limit.as_deref()).unwrap_or_default();
        for DueHandler { host, handler } in due.iter().filter(|due| left.contains(&due.host)) {
            hosts.entry(host).or_default().push(handler);
        }
        if !hosts.is_empty() {
            let lines = hosts.iter().map(|(host, handlers)| format!("{host}: {}", handlers.join(", ")));
            self.warn(format!(
                "the run {run} left handlers pending; running them now: {}",
                lines.collect::<Vec<_>>().join("; ")
            ));
        }
        self.world.due = due;
    }
}
