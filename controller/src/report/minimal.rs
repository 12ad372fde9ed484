//! Prints the results of `convoy exec`: one block per host, as Ansible's `minimal` callback does.

use std::io;

use super::diff;
use super::options::Options;
use super::result_view::ResultView;
use super::screen::{Color, Screen, Sink};
use crate::events::{Reporter, RunEvent, TaskResult, Verdict};
use crate::text::python;

/// Modules whose output is printed as it is, not as JSON.
const RAW: [&str; 4] = ["command", "raw", "script", "shell"];

/// Prints the results of one module.
#[derive(Debug)]
pub struct Minimal {
    screen: Screen,
    verbosity: u8,
}

impl Minimal {
    /// Returns a reporter that prints to `out`, and warnings to `err`.
    pub fn new(options: &Options, out: Sink, err: Sink) -> Self {
        let screen = Screen::new(out, err, options.color, options.columns);
        Self { screen, verbosity: options.verbosity }
    }

    fn result(&mut self, result: &TaskResult) {
        let host = &result.host.name;
        let (word, color) = match result.verdict {
            Verdict::Ok => ("SUCCESS", Color::Ok),
            Verdict::Changed => ("CHANGED", Color::Changed),
            Verdict::Failed => ("FAILED", Color::Error),
            Verdict::Unreachable => ("UNREACHABLE", Color::Unreachable),
            Verdict::Refused => ("REFUSED", Color::Unreachable),
            Verdict::Unknown => ("UNKNOWN", Color::Skip),
            Verdict::Skipped => return self.screen.line(&format!("{host} | SKIPPED"), Some(Color::Skip)),
        };
        if result.verdict == Verdict::Changed {
            let text = diff::text(&result.diff, |line, color| self.screen.paint(line, color));
            if !text.is_empty() {
                self.screen.line(&text, None);
            }
        }
        let action = result.action.rsplit('.').next().unwrap_or_default();
        // A job is printed as JSON, which has the name that is needed to ask for it later.
        let is_job = result.verdict != Verdict::Failed && result.values.contains_key("ansible_job_id");
        if RAW.contains(&action) && !result.verdict.is_lost() && !is_job {
            return self.screen.line(&Self::output(host, word, result), Some(color));
        }
        let mut view = ResultView::new(result);
        for warning in view.take_warnings() {
            self.screen.warning(&warning);
        }
        let mark = if result.verdict == Verdict::Failed || result.verdict.is_lost() { "!" } else { "" };
        let json = view.json_indented(self.verbosity, Some(4));
        self.screen.line(&format!("{host} | {word}{mark} => {json}"), Some(color));
    }

    fn output(host: &str, word: &str, result: &TaskResult) -> String {
        let text =
            |name: &str| result.values.get(name).map(|value| python::label(Some(value))).unwrap_or_default();
        let rc = result.values.get("rc").map_or_else(|| "-1".to_owned(), |value| python::label(Some(value)));
        format!("{host} | {word} | rc={rc} >>\n{}{}{}", text("stdout"), text("stderr"), text("msg"))
    }
}

impl Reporter for Minimal {
    fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Result(result) => self.result(result),
            RunEvent::Warning(text) => self.screen.warning(text),
            RunEvent::Notice(text) => self.screen.error_line(text, Some(Color::Warn)),
            RunEvent::NoHostsMatched => self.screen.warning("No hosts matched, nothing to do"),
            RunEvent::Verbose { level, text, .. } if *level <= self.verbosity => {
                self.screen.line(text, Some(Color::Verbose));
            }
            _ => {}
        }
        self.screen.flush();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.screen.fault()
    }
}
