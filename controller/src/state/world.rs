//! All that changes while a run is in progress. The scheduler owns it, and alone changes it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::async_jobs::AsyncJobs;
use super::custom_stats::CustomStats;
use super::fact_cache::FactCache;
use super::irreversible::Irreversible;
use super::pending::PendingChanges;
use super::resume_log::ResumeLog;
use super::snapshot::Snapshot;
use crate::diagnostic::Diagnostics;
use crate::events::{Ending, Stats};
use crate::inventory::Inventory;
use crate::journal::DueHandler;
use crate::playbook::ast::Task;
use crate::services::options::Options;
use crate::vars::Store;
use crate::vars::magic::PlayFacts;

/// All that changes while a run is in progress.
#[derive(Debug)]
pub struct World {
    /// The hosts.
    pub inventory: Inventory,
    /// Whether something was added to the inventory that variables do not show yet.
    pub inventory_extended: bool,
    /// The variables of all hosts, as they are now.
    pub vars: Snapshot,
    /// Facts that outlive the run.
    pub fact_cache: Option<FactCache>,
    /// How far the run is.
    pub progress: Progress,
    /// The numbers of the recap.
    pub recap: Recap,
    /// Check mode: what was not done.
    pub dry_run: DryRun,
    /// What was done before, if the run is resumed, and what is recorded for that.
    pub resume_log: ResumeLog,
    /// Handlers that earlier runs have notified and not run, until the play comes that has them.
    pub due: Vec<DueHandler>,
    /// The asynchronous jobs of the run.
    pub jobs: AsyncJobs,
}

/// How far a run is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Which play is in progress, counted from 1 through all playbooks.
    pub play_number: u32,
    /// Hosts that are out, failed or unreachable: no later play has them.
    pub lost: HashSet<Arc<str>>,
    /// The task to start at, until it is found.
    pub start_at: Option<String>,
    /// Whether the user is asked before each task.
    pub stepping: bool,
    /// The task whose heading was shown last, where results come in any order.
    pub last_heading: Option<Arc<Task>>,
    /// What was not done, in lines for the end of the run.
    pub not_done: Vec<String>,
}

/// The numbers of the recap.
#[derive(Debug, Default)]
pub struct Recap {
    /// By host.
    pub stats: BTreeMap<Arc<str>, Stats>,
    /// What `set_stats` collected.
    pub custom: CustomStats,
}

/// Check mode: what was not done.
#[derive(Debug, Default)]
pub struct DryRun {
    /// What earlier tasks would have changed.
    pub pending: PendingChanges,
    /// What could not be undone.
    pub irreversible: Irreversible,
}

impl World {
    /// Returns the world in which a run starts.
    ///
    /// # Errors
    /// If the settings ask for a fact cache that cannot be made.
    pub fn new(options: &Options, inventory: Inventory) -> Result<Self, Diagnostics> {
        let store = Store::new(options.extra_vars.clone(), options.settings.inject_facts_as_vars);
        Ok(Self {
            inventory,
            inventory_extended: false,
            vars: Snapshot { store: Arc::new(store), ..Snapshot::default() },
            fact_cache: FactCache::of(&options.settings)?,
            progress: Progress {
                stepping: options.step,
                start_at: options.start_at_task.clone(),
                ..Progress::default()
            },
            recap: Recap::default(),
            dry_run: DryRun::default(),
            resume_log: ResumeLog::default(),
            due: Vec::new(),
            jobs: AsyncJobs::default(),
        })
    }

    /// Returns the variables of all hosts, to be changed.
    pub fn store(&mut self) -> &mut Store {
        Arc::make_mut(&mut self.vars.store)
    }

    /// Returns what magic variables say of the play in progress, to be changed.
    pub fn play_facts(&mut self) -> &mut PlayFacts {
        Arc::make_mut(&mut self.vars.play)
    }

    /// Returns how the run would end if it ended now. `interrupted`: whether the user has interrupted it.
    pub fn ending(&self, interrupted: bool) -> Ending {
        let any = |has: fn(&Stats) -> bool| self.recap.stats.values().any(has);
        if interrupted {
            Ending::Interrupted
        } else if any(|stats| stats.refused > 0) {
            Ending::Refused
        } else if any(|stats| stats.unreachable > 0) {
            Ending::Unreachable
        } else if any(|stats| stats.failed > 0) {
            Ending::Failed
        } else {
            Ending::Well
        }
    }
}
