//! `convoy runs`: lists runs, the last one last.

use convoy_protocol::map;
use jiff::tz::TimeZone;

use super::super::run_options::Output;
use crate::cli::{print, tell_texts};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::object::{self, texts};
use crate::events::{RunEvent, Tally};
use crate::journal::{Run, RunState, Runs};
use crate::text::json;

/// Lists the runs.
///
/// # Errors
/// If they cannot be read.
pub(super) fn run(runs: &Runs, output: Output) -> Result<(), Diagnostics> {
    let names = runs.names().map_err(|fault| Diagnostic::user(fault.to_string()))?;
    let found: Vec<Run> = names.iter().map(|id| runs.run(id)).collect();
    match output {
        Output::Json => print(&found.iter().map(line).collect::<String>()),
        Output::Text if found.is_empty() => {
            tell_texts(&[format!("there are no runs in {}", runs.folder().display())]);
            Ok(())
        }
        Output::Text => print(&table(&found)),
    }
}

/// Returns the runs in columns.
pub(super) fn table(runs: &[Run]) -> String {
    let heading = ["RUN", "BEGAN", "BY", "OUTCOME", "HOSTS", "PLAYBOOK", "INVENTORY"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(heading).chain(runs.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(run: &Run) -> [String; 7] {
    let began = run.began().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let hosts = tally(run).map_or_else(|| "-".to_owned(), |tally| tally.all.to_string());
    let (by, playbooks, inventory) = match &run.header {
        Some(header) => (header.by.clone(), header.playbooks.join(" "), header.inventory.join(" ")),
        None => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
    };
    [run.id.to_string(), began, by, outcome(run), hosts, playbooks, inventory]
}

/// Returns what became of the run, in words for people.
fn outcome(run: &Run) -> String {
    let mut text = word(run).replace('_', " ");
    if let Some(tally) = tally(run) {
        let number = match &run.state {
            RunState::Ended(RunEvent::End { code: 2, .. }) => tally.failed,
            RunState::Ended(RunEvent::End { code: 3, .. }) => tally.refused,
            RunState::Ended(RunEvent::End { code: 4, .. }) => tally.unreachable,
            _ => 0,
        };
        if number > 0 {
            text.push_str(&format!(" ({number} of {})", tally.all));
        }
    }
    if let RunState::Unreadable(why) = &run.state {
        text.push_str(&format!(": {why}"));
    }
    if run.header.as_ref().is_some_and(|header| header.check) {
        text.push_str(" (check)");
    }
    text
}

fn word(run: &Run) -> &'static str {
    match &run.state {
        RunState::Running => "running",
        RunState::Ended(RunEvent::End { ending, .. }) => object::ending_word(*ending),
        RunState::Ended(_) | RunState::BrokenOff => "broken_off",
        RunState::Unreadable(_) => "unreadable",
    }
}

fn tally(run: &Run) -> Option<&Tally> {
    match &run.state {
        RunState::Ended(RunEvent::End { hosts, .. }) => Some(hosts),
        _ => None,
    }
}

/// Returns a run as one line of JSON.
fn line(run: &Run) -> String {
    let mut shown = map! {
        "run" => run.id.as_str(),
        "began" => format!("{:.3}", run.began()),
        "outcome" => word(run),
        "bytes" => i64::try_from(run.bytes).unwrap_or(i64::MAX),
    };
    if let RunState::Ended(RunEvent::End { code, hosts, .. }) = &run.state {
        shown.insert("code".into(), u32::from(*code).into());
        shown.insert("hosts".into(), object::tally(hosts).into());
    }
    if let RunState::Unreadable(why) = &run.state {
        shown.insert("why".into(), why.to_string().into());
    }
    if let Some(header) = &run.header {
        shown.extend(map! {
            "check" => header.check,
            "by" => header.by.as_str(),
            "process" => header.process,
            "version" => header.version.as_str(),
            "folder" => header.folder.as_str(),
            "command" => texts(&header.command),
            "playbooks" => texts(&header.playbooks),
            "inventory" => texts(&header.inventory),
        });
    }
    json::map_to_string(&shown, json::Style::default()) + "\n"
}
