//! The journal of a run that starts, or is resumed.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::events::RunEvent;
use crate::journal::{self, Header, Recorder, ResumedRun, Runs, Writer};
use crate::paths::absolute;
use crate::report;
use crate::schedule::Scheduler;
use crate::services::options::Options;
use crate::state::resume_log::{InDoubt, ResumeLog};

/// The journal of a run.
#[derive(Debug)]
pub enum Journal {
    /// The run starts a journal of its own.
    New {
        /// What the journal says of the run.
        header: Header,
        /// Where journals are kept.
        runs: Runs,
        /// Whether handlers that an earlier run left pending are run in this one.
        takes_over: bool,
    },
    /// An earlier run is resumed: its journal goes on.
    Resumed(Resumption),
}

/// A run that is resumed.
#[derive(Debug)]
pub struct Resumption {
    /// What its journal says.
    pub resumed: ResumedRun,
    /// The directory of its journal.
    pub folder: PathBuf,
    /// What to do with a step whose outcome is unknown.
    pub in_doubt: InDoubt,
}

impl Journal {
    /// Returns what the journal says of the run.
    pub fn header(&self) -> &Header {
        match self {
            Self::New { header, .. } => header,
            Self::Resumed(resumption) => &resumption.resumed.header,
        }
    }

    /// Lets a scheduler keep the journal.
    pub(super) fn attach(self, scheduler: Scheduler) -> Scheduler {
        match self {
            Self::New { header, runs, takes_over } => {
                let left =
                    if takes_over { runs.due_from_last_run(&header.folder, &header.playbooks) } else { None };
                let mut scheduler = start(scheduler, &runs, &header);
                if let Some((run, due)) = left {
                    scheduler.record_due(run.as_str(), &due);
                    scheduler.take_over_due(run.as_str(), due);
                }
                scheduler
            }
            Self::Resumed(Resumption { resumed, folder, in_doubt }) => {
                let mut scheduler = keep(scheduler, resumed.writer, folder);
                scheduler.world.due = journal::due_handlers(&resumed.notes, true);
                scheduler.world.resume_log = ResumeLog::of(resumed.notes, resumed.times, in_doubt);
                let (run, by) = (resumed.header.id.as_str().into(), journal::operator().into());
                scheduler.emit(RunEvent::Resumed { run, by });
                resumed.warning.into_iter().for_each(|text| scheduler.warn(text));
                scheduler
            }
        }
    }
}

/// Starts a journal. Without one the run can be carried out all the same, for one in a directory that is read-only: a warning says
/// so before anything is done.
fn start(scheduler: Scheduler, runs: &Runs, header: &Header) -> Scheduler {
    let folder = runs.folder_of(&header.id);
    match runs.begin(header) {
        Ok(writer) => {
            let mut scheduler = keep(scheduler, writer, folder.clone());
            scheduler.world.resume_log.policy.records = !header.check;
            scheduler.verbose(2, format!("journal: {}", folder.display()));
            scheduler
        }
        Err(fault) => {
            let mut scheduler = scheduler;
            scheduler.warn(format!(
                "this run keeps no journal, so that it cannot be shown again: {fault}; CONVOY_JOURNAL names another folder, \
                 or `off`"
            ));
            scheduler
        }
    }
}

fn keep(scheduler: Scheduler, writer: Writer, folder: PathBuf) -> Scheduler {
    scheduler.replace_reporter(|shown| Box::new(Recorder::new(writer, folder, shown)))
}

/// Returns what the journal says of a run that starts now.
pub fn header(
    options: &Options,
    runs: &Runs,
    playbooks: Vec<String>,
    inventory: Vec<String>,
    shown: report::Options,
) -> Header {
    let now = Timestamp::now();
    Header {
        id: runs.new_name(now),
        at: now,
        by: options.by.clone(),
        process: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        folder: absolute(".").display().to_string(),
        command: options.command_line.clone(),
        playbooks,
        undoes: None,
        inventory,
        check: options.check,
        shown,
    }
}
