//! The one bootstrap of all commands that run something: `apply`, `exec`, `resume`, `undo` and `demo`.
//!
//! A command reads its own options, and gives a [`Launch`] what it has made of them. [`Launch::scheduler`] puts the services, the
//! world and the journal together, and [`run`] gives the scheduler a runtime and listens for Ctrl-C.

mod journal;
mod playbooks;
mod session;

use crate::diagnostic::Diagnostics;
use crate::events::Reporter;
use crate::inventory::Inventory;
use crate::playbook::{self, Loader};
use crate::schedule::Scheduler;
use crate::services::Services;
use crate::services::options::Options;
use crate::settings;

pub use journal::{Journal, Resumption, header};
pub use playbooks::load_playbooks;
pub use session::run;

/// What a run is made of.
#[derive(Debug)]
pub struct Launch<'a> {
    /// How the run was asked for.
    pub options: Options,
    /// What has read the playbooks, and reads what they include.
    pub loader: Loader,
    /// The hosts.
    pub inventory: Inventory,
    /// Shows the run.
    pub reporter: Box<dyn Reporter>,
    /// The journal that the run keeps, if any.
    pub journal: Option<Journal>,
    /// The settings, and where they come from.
    pub read: &'a settings::LoadedSettings,
}

impl Launch<'_> {
    /// Returns a scheduler that is ready to run plays. What there is to report before all else is reported.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub fn scheduler(self) -> Result<Scheduler, Diagnostics> {
        let Self { mut options, loader, inventory, reporter, journal, read } = self;
        if let Some(journal) = &journal {
            options.run = journal.header().id.to_string();
            options.records = !options.check;
        }
        let mut scheduler = Scheduler::new(Services::new(options, loader), inventory, reporter)?;
        if let Some(journal) = journal {
            scheduler = journal.attach(scheduler);
        }
        scheduler.start(read);
        Ok(scheduler)
    }
}

/// Returns what reads playbooks as the settings say, with the passwords of the run.
pub fn loader(options: &Options) -> Loader {
    let settings = playbook::Options::of(&options.settings, std::env::var_os("HOME"));
    Loader::new(settings, options.vault.clone())
}
