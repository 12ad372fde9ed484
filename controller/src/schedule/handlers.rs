//! Handlers: what is notified, and when it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use convoy_protocol::{Map, Value};

use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::events::{Note, RunEvent};
use crate::execute::effects::Notice;
use crate::journal::DueHandler;
use crate::playbook::ast::Entry;
use crate::schedule::batch::Batch;
use crate::schedule::engine::Engine;
use crate::state::section::{Item, Section, TaskRef};

/// Lists handlers in the order in which they run; blocks among them are opened.
pub(crate) fn list(entries: &[Entry], params: &Arc<Map>) -> Vec<TaskRef> {
    let mut handlers = Vec::new();
    for entry in entries {
        match entry {
            Entry::Task(task) => {
                handlers.push(TaskRef {
                    task: task.clone(),
                    params: params.clone(),
                    handler: true,
                    doubt: None,
                });
            }
            Entry::Block(block) => handlers.extend(list(&block.body, params)),
        }
    }
    handlers
}

/// Notes that a host notified `name`: a handler's name, `role : name`, or a topic that handlers listen to.
///
/// # Errors
/// If there is no such handler.
pub(crate) fn notify(batch: &mut Batch<'_>, index: usize, notice: &Notice) -> Result<(), Diagnostics> {
    let name = &notice.name;
    let host = batch.hosts[index].name.clone();
    if !batch.handlers.iter().any(|handler| answers_to(batch, &host, handler, name)) {
        let known: Vec<String> =
            batch.handlers.iter().flat_map(|handler| called(batch, &host, handler)).collect();
        let message = format!(
            "the requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
        );
        let missing = Diagnostic::user(message).hint(did_you_mean(name, known.iter().map(String::as_str)));
        if !batch.engine.options.settings.error_on_missing_handler {
            batch.engine.warn(missing.warning());
            return Ok(());
        }
        return Err(missing.into());
    }
    if notice.doubt.is_none() && !batch.hosts[index].notified.iter().any(|known| known.name == *name) {
        note(batch, &host, name);
    }
    let notified = &mut batch.hosts[index].notified;
    match notified.iter_mut().find(|known| known.name == *name) {
        // Once it is certain it stays so.
        Some(known) if notice.doubt.is_none() => known.doubt = None,
        Some(_) => {}
        None => notified.push(notice.clone()),
    }
    Ok(())
}

/// Notes which handlers are due, so that a later run can run them if this one does not come to it.
fn note(batch: &Batch<'_>, host: &Arc<str>, name: &str) {
    for handler in matching(batch, host, name) {
        let handler = batch.title(&batch.handlers[handler], host);
        batch.engine.note(Note::Notified { host: host.clone(), handler, from: None });
    }
}

/// Lets handlers run on a host that an earlier run has notified and did not run any more, where the play has them: as if the
/// task that is done now had notified them.
pub(crate) fn take_due(batch: &mut Batch<'_>, index: usize) {
    let host = batch.hosts[index].name.clone();
    if !batch.engine.due.borrow().iter().any(|due| due.host == host) {
        return;
    }
    let titles: Vec<Arc<str>> = batch.handlers.iter().map(|handler| batch.title(handler, &host)).collect();
    batch.engine.due.borrow_mut().retain(|due| {
        let is_here = due.host == host && titles.contains(&due.handler);
        if is_here {
            batch.hosts[index].notified.push(Notice { name: due.handler.clone(), doubt: None });
        }
        !is_here
    });
}

impl Engine {
    /// Notes which handlers a run before has left due: they are so until they have run.
    pub fn note_due(&self, run: &str, due: &[DueHandler]) {
        for DueHandler { host, handler } in due.iter().cloned() {
            self.note(Note::Notified { host, handler, from: Some(run.into()) });
        }
    }

    /// Takes over handlers that a run before has left due, and says so.
    pub fn take_over_due(&self, run: &str, due: Vec<DueHandler>) {
        let mut hosts: BTreeMap<&Arc<str>, Vec<&str>> = BTreeMap::new();
        let names: Vec<Arc<str>> = due.iter().map(|due| due.host.clone()).collect();
        let left = self.inventory.borrow().limited(&names, self.options.limit.as_deref()).unwrap_or_default();
        for DueHandler { host, handler } in due.iter().filter(|due| left.contains(&due.host)) {
            hosts.entry(host).or_default().push(handler);
        }
        if !hosts.is_empty() {
            let lines = hosts.iter().map(|(host, handlers)| format!("{host}: {}", handlers.join(", ")));
            self.warn(format!(
                "the run {run} has notified handlers and did not come to run them; they are run in this one: {}",
                lines.collect::<Vec<_>>().join("; ")
            ));
        }
        self.due.replace(due);
    }
}

/// Returns the names and topics of a handler.
fn called(batch: &Batch<'_>, host: &Arc<str>, handler: &TaskRef) -> Vec<String> {
    let scope = batch.engine.scope(host, None);
    let context = batch.engine.context(Vec::new(), true);
    let render = |value: &Value| {
        batch.engine.templar.render(value, &scope, &context).unwrap_or_else(|_| value.clone())
    };
    let mut names: Vec<String> =
        handler.task.listen.iter().map(|topic| crate::python::str(&render(topic))).collect();
    if let Some(name) = &handler.task.name {
        let name = crate::python::str(&render(name));
        if let Some(role) = &handler.task.role {
            names.push(format!("{} : {name}", role.name));
        }
        names.push(name);
    }
    names
}

fn answers_to(batch: &Batch<'_>, host: &Arc<str>, handler: &TaskRef, name: &str) -> bool {
    called(batch, host, handler).iter().any(|called| called == name)
}

/// Lets the notified handlers of a host run, in the order in which they are defined, from the `after`th on.
///
/// Of several handlers with one name the last defined runs, as in Ansible; all that listen to a topic do.
pub(crate) fn flush(batch: &mut Batch<'_>, index: usize, after: usize) {
    let selected = batch.selected();
    let host = batch.hosts[index].name.clone();
    let mut due: BTreeMap<usize, Option<Arc<str>>> = BTreeMap::new();
    let mut left = Vec::new();
    for notice in batch.hosts[index].notified.clone() {
        let found = matching(batch, &host, &notice.name);
        for handler in found.iter().filter(|handler| **handler >= after) {
            let doubt = due.entry(*handler).or_insert_with(|| notice.doubt.clone());
            *doubt = doubt.take().filter(|_| notice.doubt.is_some());
        }
        if found.iter().all(|handler| *handler < after) {
            left.push(notice);
        }
    }
    batch.hosts[index].notified = left;
    let Some((last, _)) = due.last_key_value() else {
        return batch.hosts[index].cursor.advance(&selected);
    };
    // They stand where nothing was thought to be done, so what they do came into no window: they may wait, or ask here.
    batch.hosts.iter_mut().for_each(|host| host.seen.clear());
    let mut body: Vec<Item> = Vec::new();
    let next = last + 1;
    for (handler, doubt) in due {
        let called = batch.title(&batch.handlers[handler], &host);
        let text = format!("NOTIFIED HANDLER {called} for {host}");
        batch.engine.tell(RunEvent::Verbose { level: 2, host: None, text });
        let body_of_one = vec![Item::Task(TaskRef { doubt, ..batch.handlers[handler].clone() })];
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

fn matching(batch: &Batch<'_>, host: &Arc<str>, name: &str) -> Vec<usize> {
    let named = |handler: &TaskRef| {
        let topics = &handler.task.listen;
        let all = called(batch, host, handler);
        all.iter().skip(topics.len()).any(|called| called == name)
    };
    let mut found: Vec<usize> = batch.handlers.iter().rposition(named).into_iter().collect();
    for (index, handler) in batch.handlers.iter().enumerate() {
        let topics = handler.task.listen.len();
        if called(batch, host, handler).iter().take(topics).any(|topic| topic == name)
            && !found.contains(&index)
        {
            found.push(index);
        }
    }
    found
}
