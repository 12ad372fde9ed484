//! `convoy runs show`: shows a run again, through the reporters that showed it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use clap::ArgAction;

use super::super::run_options::Output;
use crate::cli::tell_texts;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::events::{Reporter, RunEvent};
use crate::journal::{Entry, Header, HostFilter, Reader, RunId, RunState, Runs, Tail, hosts_of};
use crate::report::{self, Format};
use crate::settings::Settings;

/// Arguments of `convoy runs show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name, the beginning of its name, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// Show only what is about this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Output format
    #[arg(long, value_name = "FORM", default_value = "text")]
    output: Output,
    /// Show more than was shown then; up to -vvvv
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// Shows the run.
///
/// # Errors
/// If it cannot be read, or not to its end.
pub(super) fn run(runs: &Runs, args: &Args, settings: &Settings) -> Result<(), Diagnostics> {
    let id = runs.find(&args.run)?;
    if let Some(host) = &args.host {
        check_host(runs, &id, host)?;
    }
    // Asked before it is read: what was being written meanwhile is no damage.
    let running = matches!(runs.run(&id).state, RunState::Running);
    let (header, mut reader) = open(runs, &id)?;
    let options = options(&header, args, settings);
    let mut reporter = report::open(&options, Box::new(io::stdout()), Box::new(io::stderr()));
    let mut filter = args.host.as_deref().map(HostFilter::new);
    let mut seen = JournalSummary::default();
    while let Some(found) = reader.next_entry().map_err(|error| unreadable(&id, &error))? {
        for event in seen.add(found, filter.as_mut()) {
            reporter.event(&event);
        }
        match reporter.fault() {
            // The reader has enough.
            Some(fault) if fault.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Some(fault) => return Err(Diagnostic::user(format!("cannot write: {fault}")).into()),
            None => {}
        }
    }
    let rest = reader.tail().map_err(|error| unreadable(&id, &error))?;
    let outcome = seen.end(&id, running, rest, reporter.as_mut());
    drop(reporter);
    tell_texts(&seen.errors);
    outcome
}

/// What was seen on the way.
#[derive(Debug, Default)]
struct JournalSummary {
    ended: bool,
    /// The errors that ended the run.
    errors: Vec<String>,
    /// How many events could not be written down.
    lost: u64,
    /// How many records are not understood, and why the first one is not.
    strange: Option<(u64, String)>,
}

impl JournalSummary {
    /// Returns the events that are shown for a record.
    fn add(&mut self, found: Entry, filter: Option<&mut HostFilter>) -> Vec<RunEvent> {
        match found {
            Entry::Event(event) => {
                if let RunEvent::End { errors, .. } = &event {
                    self.ended = true;
                    self.errors.clone_from(errors);
                }
                return match filter {
                    Some(filter) => filter.filter(event),
                    None => vec![event],
                };
            }
            Entry::Missing(count) => self.lost += count,
            Entry::Unknown(why) => self.strange.get_or_insert((0, why)).0 += 1,
        }
        Vec::new()
    }

    /// Says what is missing.
    fn end(
        &self,
        id: &RunId,
        running: bool,
        rest: Option<Tail>,
        reporter: &mut dyn Reporter,
    ) -> Result<(), Diagnostics> {
        let mut warn = |text: String| reporter.event(&RunEvent::Warning(text));
        if self.lost > 0 {
            warn(format!("{} events could not be written down before the end, and are not shown", self.lost));
        }
        if let Some((count, why)) = &self.strange {
            warn(format!("{count} records are not shown, since this convoy does not know them: {why}"));
        }
        match rest {
            _ if self.ended && rest.is_none() => {}
            _ if running => warn("the run is in progress; this is what has happened so far".to_owned()),
            Some(Tail { records, bytes, torn: false, .. }) => {
                return Err(Diagnostic::user(format!("record {records} of the journal of {id} is damaged"))
                    .note(format!("it is not as it was written; {bytes} bytes from there on are not shown"))
                    .into());
            }
            Some(Tail { bytes, .. }) => warn(format!(
                "the run broke off here while a record was written, of which {bytes} bytes are there: it was killed, or the \
                 machine went down"
            )),
            None => warn("the run broke off here: it was killed, or the machine went down".to_owned()),
        }
        Ok(())
    }
}

/// Shown as then, but in colour if this terminal has it.
fn options(header: &Header, args: &Args, settings: &Settings) -> report::Options {
    let now = report::Options::detect(args.output.format(), 0, settings);
    let then = &header.shown;
    report::Options {
        format: now.format,
        color: now.color && now.format == Format::Text,
        live: false,
        verbosity: if args.verbose == 0 { then.verbosity } else { args.verbose },
        ..then.clone()
    }
}

/// A host that took no part is more likely to be misspelt than to be asked for.
fn check_host(runs: &Runs, id: &RunId, host: &str) -> Result<(), Diagnostics> {
    let (_, mut reader) = open(runs, id)?;
    let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
    while let Some(found) = reader.next_entry().map_err(|error| unreadable(id, &error))? {
        if let Entry::Event(event) = found {
            known.extend(hosts_of(&event).into_iter().cloned());
        }
    }
    if known.contains(host) {
        return Ok(());
    }
    let none = Diagnostic::user(format!("`{host}` took no part in the run {id}"));
    Err(none.hint(did_you_mean(host, known.iter().map(|name| &**name))).into())
}

fn open(runs: &Runs, id: &RunId) -> Result<(Header, Reader), Diagnostics> {
    Reader::open(&runs.folder_of(id)).map_err(|error| unreadable(id, &error))
}

fn unreadable(id: &RunId, why: &dyn std::fmt::Display) -> Diagnostics {
    Diagnostic::user(format!("the run {id} cannot be shown: {why}")).into()
}
