//! `convoy runs`: what happened in runs before.

mod list;
mod prune;
mod show;

use clap::Subcommand;

use super::run_options::Output;
use crate::diagnostic::Diagnostics;
use crate::journal::Runs;
use crate::settings;

/// Arguments of `convoy runs`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    action: Option<Action>,
    /// In what form the runs are listed
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show a run again, as it was shown then
    Show(show::Args),
    /// Remove journals of old runs
    Prune(prune::Args),
}

/// Does what the arguments say and returns the exit code.
///
/// # Errors
/// Why it cannot be done.
pub fn run(args: &Args) -> Result<u8, Diagnostics> {
    let read = settings::read()?;
    let runs = Runs::require(&read.settings)?;
    match &args.action {
        None => list::run(&runs, args.output)?,
        Some(Action::Show(args)) => show::run(&runs, args, &read.settings)?,
        Some(Action::Prune(args)) => prune::run(&runs, args)?,
    }
    Ok(0)
}
