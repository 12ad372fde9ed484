//! `convoy resume`: goes on with a run where it stopped.

use std::path::Path;

use clap::{ArgAction, Parser as _};

use super::{Cli, Command, apply};
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::Note;
use crate::journal::{self, ResumedRun, RunId, Runs};
use crate::settings;
use crate::start::Resumption;
use crate::state::resume_log::InDoubt;

/// Arguments of `convoy resume`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name, the beginning of its name, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// Resume although playbooks or roles have changed since
    #[arg(long)]
    accept_changes: bool,
    /// What to do with steps whose outcome is unknown
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    in_doubt: InDoubt,
    /// Show more than was asked for then; up to -vvvv
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// What --accept-changes does.
const GOES_ON: &str =
    "goes on all the same: tasks that are as they were are not done again, those that changed are";

/// Goes on with the run and returns the exit code.
///
/// # Errors
/// Why it cannot be resumed; then nothing was touched.
pub fn run(args: &Args) -> Result<u8, Diagnostics> {
    let read = settings::read()?;
    let runs = Runs::require(&read.settings)?;
    let id = runs.find_applied(&args.run)?;
    let resumed = runs.resume(&id)?;
    let _held = runs.lock(&id, "convoy resume")?;
    expect_not_taken_back(&runs, &id)?;
    if !args.accept_changes {
        check_sources(&resumed.notes, GOES_ON)?;
    }
    let mut asked = parsed(&resumed)?;
    if args.verbose > 0 {
        asked.set_verbosity(args.verbose);
    }
    let folder = Path::new(&resumed.header.folder);
    std::env::set_current_dir(folder).map_err(|error| {
        Diagnostic::user(format!("cannot go to the folder of the run, {}: {error}", folder.display()))
    })?;
    let line = resumed.header.command.clone();
    // What is said there may be another thing than here.
    let read = settings::read()?;
    let resumption = Resumption { resumed, folder: runs.folder_of(&id), in_doubt: args.in_doubt };
    apply::run_watched(asked, line, &read, Some(resumption), |reporter| reporter)
}

/// What was taken back is not there any more: nothing that is recorded of the run holds.
fn expect_not_taken_back(runs: &Runs, id: &RunId) -> Result<(), Diagnostic> {
    match runs.undone_by(id).map_err(|fault| Diagnostic::user(fault.to_string()))? {
        None => Ok(()),
        Some(by) => {
            let text = format!("the run {id} cannot be resumed: run {by} has taken it back, or a part of it");
            Err(Diagnostic::user(text).kind(Kind::Refused).hint("begin again with `convoy apply`".to_owned()))
        }
    }
}

/// Refuses if playbooks or roles are not what they were: what is recorded of them might be about something else.
/// `accepted` says what --accept-changes does.
pub(super) fn check_sources(notes: &[Note], accepted: &str) -> Result<(), Diagnostic> {
    let changed = journal::changed_sources(notes);
    if changed.is_empty() {
        return Ok(());
    }
    let mut problem = Diagnostic::user("playbooks or roles are not what they were when the run read them");
    problem.notes = changed.iter().map(|(path, word)| format!("{} {word}", path.display())).collect();
    Err(problem.kind(Kind::Refused).hint(format!("--accept-changes {accepted}")))
}

/// Reads the command line of the run.
fn parsed(resumed: &ResumedRun) -> Result<apply::Args, Diagnostic> {
    let cli = Cli::try_parse_from(&resumed.header.command);
    match cli.map(|cli| cli.command) {
        Ok(Command::Apply(args)) => Ok(*args),
        _ => Err(Diagnostic::user(format!(
            "the command line of the run {} is none of this convoy's: {}",
            resumed.header.id,
            resumed.header.command.join(" ")
        ))
        .kind(Kind::Refused)),
    }
}
