//! `convoy runs prune`: removes journals of old runs, after it was shown which.

use clap::ArgGroup;
use jiff::{SignedDuration, Timestamp};

use super::list;
use crate::cli::{print, tell_texts};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::journal::{Run, RunState, Runs};

/// Arguments of `convoy runs prune`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["keep", "older_than"])))]
pub(super) struct Args {
    /// Keep the last N runs, however old they are
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Remove only runs that began more than so many days ago
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
    /// Remove them; without this they are only shown
    #[arg(short, long)]
    yes: bool,
}

/// Removes runs, or shows which would be.
///
/// # Errors
/// If one cannot be removed.
pub(super) fn run(runs: &Runs, args: &Args) -> Result<(), Diagnostics> {
    let names = runs.names().map_err(|fault| Diagnostic::user(fault.to_string()))?;
    let old = names.len().saturating_sub(args.keep.unwrap_or(0));
    let before = args
        .older_than
        .and_then(|days| Timestamp::now().checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok());
    let mut going: Vec<Run> = names[..old]
        .iter()
        .map(|id| runs.run(id))
        .filter(|run| args.older_than.is_none() || before.is_some_and(|before| run.began() < before))
        .filter(|run| !matches!(run.state, RunState::Running))
        .collect();
    let mut problems = Diagnostics::new();
    if args.yes {
        going.retain(|run| match runs.remove(&run.id) {
            Ok(gone) => gone,
            Err(fault) => {
                problems.push(Diagnostic::user(fault.to_string()));
                false
            }
        });
    }
    if going.is_empty() {
        tell_texts(&["there is nothing to remove"]);
    } else {
        let bytes: u64 = going.iter().map(|run| run.bytes).sum();
        let (word, noun) = (if args.yes { "removed" } else { "would remove" }, noun(going.len()));
        print(&format!("{word} {noun}, {} kB:\n{}", bytes.div_ceil(1000), list::table(&going)))?;
        if !args.yes {
            tell_texts(&["hint: remove them with --yes"]);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn noun(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}
