//! The scheduler: plays, batches, the order of tasks, look-ahead, and what outcomes do to the run.
//!
//! [`Scheduler`] is the sole owner of the [`World`]: whatever changes while a run is in progress is changed by one of its methods,
//! which stand in the files of this directory by topic. A task is prepared from a snapshot of the world, executed beside others,
//! and its outcome applied here ([`apply`]). What a task cannot decide by itself while it executes it asks for by a [`Request`],
//! which is served here, too, in the order in which requests are sent.

mod apply;
pub mod batch;
mod batches;
mod facts;
mod free;
mod handlers;
mod headings;
pub mod host_keys;
pub mod include;
mod inventory;
mod linear;
mod lookahead;
mod meta;
mod planning;
pub mod play;
mod recap;
pub mod requests;
pub mod step;
pub mod strategy;
mod vars_files;
pub mod vars_prompt;
mod window;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::{Note, Reporter, RunEvent, Stats};
use crate::execute::Executor;
use crate::inventory::Inventory;
use crate::playbook::ast::{Play, Task};
use crate::services::Services;
use crate::settings;
use crate::state::request::{Heading, Request, Requests};
use crate::state::world::World;

/// Carries out plays. Owns all that changes while it does.
pub struct Scheduler {
    /// What all tasks share.
    pub services: Rc<Services>,
    /// What changes.
    pub world: World,
    reporter: Box<dyn Reporter>,
    requests: Requests,
    inbox: UnboundedReceiver<Request>,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("services", &self.services).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// Gets ready to run with an inventory.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub fn new(
        services: Services,
        inventory: Inventory,
        reporter: Box<dyn Reporter>,
    ) -> Result<Self, Diagnostics> {
        let (requests, inbox) = Requests::channel();
        let world = World::new(&services.options, inventory)?;
        let mut scheduler = Self { services: Rc::new(services), world, reporter, requests, inbox };
        scheduler.read_inventory()?;
        Ok(scheduler)
    }

    /// Puts another reporter in the place of the present one, made of it.
    pub fn replace_reporter(self, replace: impl FnOnce(Box<dyn Reporter>) -> Box<dyn Reporter>) -> Self {
        Self { reporter: replace(self.reporter), ..self }
    }

    /// Reports what is to be reported before all else: warnings, where the settings come from, and which have no effect. Reads
    /// the facts that earlier runs have kept.
    pub fn start(&mut self, read: &settings::LoadedSettings) {
        let services = self.services.clone();
        services.options.warnings.iter().for_each(|warning| self.warn(warning.as_str()));
        self.read_cache();
        for text in &read.verbose {
            self.verbose(1, text.clone());
        }
        read.warnings.iter().for_each(|warning| self.warn(warning.warning()));
    }

    /// Returns where requests to this scheduler are sent.
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Returns the first error of showing the run.
    pub fn fault(&self) -> Option<&io::Error> {
        self.reporter.fault()
    }

    /// Shows and records an event.
    pub fn emit(&mut self, event: RunEvent) {
        self.reporter.event(&event);
    }

    /// Shows and records a warning.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.emit(RunEvent::Warning(text.into()));
    }

    /// Shows a text from so many `-v` on.
    pub fn verbose(&mut self, level: u8, text: String) {
        self.emit(RunEvent::Verbose { level, host: None, text });
    }

    /// Shows the heading of a task, unless it is the one that was shown last.
    pub(crate) fn show_heading(&mut self, heading: Option<Heading>) {
        let Some(Heading { task, event }) = heading else { return };
        let last = self.world.progress.last_heading.replace(task.clone());
        if !last.is_some_and(|last| Arc::ptr_eq(&last, &task)) {
            self.emit(event);
        }
    }

    /// Takes the live display away before a question is put to the user.
    pub(crate) fn hide_display(&mut self) {
        self.reporter.hide();
    }

    /// Records something in the journal.
    pub fn record(&mut self, note: Note) {
        if self.world.resume_log.policy.records {
            self.emit(RunEvent::Noted(note));
        }
    }

    /// Records the files that were read since this was called last.
    pub fn record_sources(&mut self) {
        for (path, digest) in self.services.loader.take_sources() {
            let (path, digest) = (path.to_string_lossy().into(), digest.to_string().into());
            self.record(Note::Source { path, digest });
        }
    }

    /// Counts in the recap.
    pub(crate) fn count(&mut self, host: &Arc<str>, count: impl FnOnce(&mut Stats)) {
        count(self.world.recap.stats.entry(host.clone()).or_default());
    }

    /// Adds a line to what was not done.
    pub(crate) fn not_done(&mut self, line: String) {
        self.world.progress.not_done.push(line);
    }

    /// Returns whether the user has interrupted the run.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.services.interrupts.is_interrupted()
    }

    /// Returns the predicate of the tags.
    pub(crate) fn selected(&self) -> impl Fn(&Task) -> bool + use<> {
        let services = self.services.clone();
        move |task: &Task| services.options.tags.select(task)
    }

    /// Renders a value of a play for the whole play, without a host.
    ///
    /// # Errors
    /// If it cannot be rendered.
    pub(crate) fn render_for_play(&self, play: &Arc<Play>, value: &Value) -> Result<Value, Diagnostic> {
        self.world.vars.render_for_play(&self.services.templar, play, value)
    }

    /// Returns what executing a task needs of the run as it is now.
    pub(crate) fn executor<'a>(&self, services: &'a Services) -> Executor<'a> {
        Executor {
            services,
            requests: self.requests.clone(),
            snapshot: self.world.vars.clone(),
            play_number: self.world.progress.play_number,
            resume: self.world.resume_log.policy,
        }
    }

    /// Waits for work, and meanwhile serves the requests that it sends. When this returns, all of them are served.
    pub(crate) async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(request) = self.inbox.recv() => self.serve(request),
                done = &mut work => {
                    self.serve_pending();
                    return done;
                }
            }
        }
    }

    /// Serves the requests that were sent already.
    pub fn serve_pending(&mut self) {
        while let Ok(request) = self.inbox.try_recv() {
            self.serve(request);
        }
    }
}
