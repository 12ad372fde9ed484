//! Prints a run as text, line for line as ansible-core's `default` callback does.

use std::io;
use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Diff, Map, Value};

use super::diff;
use super::options::Options;
use super::result_view::ResultView;
use super::screen::{Color, Screen, Sink};
use crate::events::{HostName, JobEvent, JobState, Reporter, RunEvent, Stats, TaskKind, TaskResult, Verdict};
use crate::text::python::label;

/// Prints a run as text.
#[derive(Debug)]
pub struct Plain {
    screen: Screen,
    verbosity: u8,
    custom_stats: bool,
    ok_hosts: bool,
    skipped_hosts: bool,
    /// The heading of a task, held back until one of its results is shown. Used only if some results are hidden.
    heading: Option<(TaskKind, Arc<str>, Arc<str>)>,
}

impl Reporter for Plain {
    fn event(&mut self, event: &RunEvent) {
        self.print(event);
        self.screen.flush();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.screen.fault()
    }
}

impl Plain {
    /// Returns a reporter that prints to `out`, and warnings to `err`.
    pub fn new(options: &Options, out: Sink, err: Sink) -> Self {
        Self {
            screen: Screen::new(out, err, options.color, options.columns),
            verbosity: options.verbosity,
            custom_stats: options.custom_stats,
            ok_hosts: options.ok_hosts,
            skipped_hosts: options.skipped_hosts,
            heading: None,
        }
    }

    fn print(&mut self, event: &RunEvent) {
        match event {
            RunEvent::PlaybookStart { path, plays } => self.playbook(path, *plays),
            RunEvent::PlayStart { name, .. } => match name.trim() {
                "" => self.screen.banner("PLAY"),
                name => self.screen.banner(&format!("PLAY [{name}]")),
            },
            RunEvent::NoHostsMatched => self.screen.line("skipping: no hosts matched", Some(Color::Skip)),
            RunEvent::NoHostsRemaining => self.screen.banner("NO MORE HOSTS LEFT"),
            RunEvent::TaskStart { kind, name, path, .. } => {
                if self.ok_hosts && self.skipped_hosts {
                    self.task(*kind, name, path);
                } else {
                    self.heading = Some((*kind, name.clone(), path.clone()));
                }
            }
            RunEvent::Working { .. } | RunEvent::Noted(_) | RunEvent::End { .. } => {}
            RunEvent::Resumed { run, by } => self.screen.banner(&format!("RESUMED [{run}] by {by}")),
            RunEvent::Result(result) if self.is_shown(result.verdict) => self.result(result),
            RunEvent::Item(result) if self.is_shown(result.verdict) => self.item(result),
            RunEvent::Result(_) | RunEvent::Item(_) => {}
            RunEvent::Retry { host, task, left, values } => self.retry(host, task, *left, values),
            RunEvent::Job(job) => self.job(job),
            RunEvent::Included { file, hosts, label } => {
                let item = label.as_ref().map(|label| format!(" => (item={label})")).unwrap_or_default();
                let line = format!("included: {file} for {}{item}", hosts.join(", "));
                self.screen.line(&line, Some(Color::Included));
            }
            RunEvent::Warning(text) => self.screen.warning(text),
            RunEvent::Notice(text) => self.screen.error_line(text, Some(Color::Warn)),
            RunEvent::Verbose { level, host, text } => {
                if self.verbosity >= *level {
                    let host = host.as_ref().map(|host| format!("<{host}> ")).unwrap_or_default();
                    self.screen.line(&format!("{host}{text}"), Some(Color::Verbose));
                }
            }
            RunEvent::Recap { hosts, custom } => {
                self.recap(hosts.iter().map(|(host, stats)| (&**host, stats)));
                self.custom(custom);
            }
            RunEvent::NotDone { lines, command } => self.not_done(lines, command.as_deref()),
        }
    }

    fn playbook(&mut self, path: &str, plays: usize) {
        if self.verbosity >= 2 {
            let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            self.screen.banner(&format!("PLAYBOOK: {name}"));
            self.screen.line(&format!("{plays} plays in {path}"), Some(Color::Verbose));
        }
    }

    fn task(&mut self, kind: TaskKind, name: &str, path: &str) {
        let word = match kind {
            TaskKind::Task | TaskKind::Facts => "TASK",
            TaskKind::Handler => "RUNNING HANDLER",
        };
        self.screen.banner(&format!("{word} [{}]", name.trim()));
        if self.verbosity >= 2 && !path.is_empty() {
            self.screen.line(&format!("task path: {path}"), Some(Color::Debug));
        }
    }

    /// Returns whether results with this verdict are shown; if so, prints the pending heading.
    fn is_shown(&mut self, verdict: Verdict) -> bool {
        let shown = match verdict {
            Verdict::Ok => self.ok_hosts,
            Verdict::Skipped => self.skipped_hosts,
            Verdict::Changed | Verdict::Failed | Verdict::Unknown => true,
            Verdict::Unreachable | Verdict::Refused => true,
        };
        if let Some((kind, name, path)) = self.heading.take_if(|_| shown) {
            self.task(kind, &name, &path);
        }
        shown
    }

    fn result(&mut self, result: &TaskResult) {
        let mut view = ResultView::new(result);
        let items = result.looped && view.has_items();
        let host = host_label(&result.host);
        match result.verdict {
            Verdict::Ok | Verdict::Changed => {
                self.diff_if_changed(result);
                self.warnings(&mut view);
                if !items {
                    let (word, color) = success(result.verdict);
                    self.detailed(&format!("{word}: [{host}]{}", done_before(result)), &view, color);
                }
            }
            Verdict::Skipped => {
                let line = format!("skipping: [{}]", result.host.name);
                let view = if items { view.without_items() } else { view };
                self.detailed(&line, &view, Color::Skip);
            }
            Verdict::Failed => {
                self.exception(&view);
                self.warnings(&mut view);
                if !items {
                    let line = format!("fatal: [{host}]: FAILED! => {}", view.json(self.verbosity));
                    self.screen.line(&line, Some(Color::Error));
                }
            }
            Verdict::Unreachable | Verdict::Refused => {
                let word = if result.verdict == Verdict::Refused { "REFUSED" } else { "UNREACHABLE" };
                let line = format!("fatal: [{host}]: {word}! => {}", view.json(self.verbosity));
                self.screen.line(&line, Some(Color::Unreachable));
            }
            Verdict::Unknown => {
                self.diff(&result.diff);
                if !items {
                    self.unknown(&format!("unknown: [{host}]"), &view);
                }
            }
        }
        if result.ignored && matches!(result.verdict, Verdict::Failed | Verdict::Unreachable) {
            self.screen.line("...ignoring", Some(Color::Skip));
        }
    }

    fn item(&mut self, result: &TaskResult) {
        let mut view = ResultView::new(result);
        let host = host_label(&result.host);
        let item = format!("(item={})", label(result.label.as_ref()));
        match result.verdict {
            Verdict::Ok | Verdict::Changed => {
                self.diff_if_changed(result);
                let (word, color) = success(result.verdict);
                self.detailed(&format!("{word}: [{host}] => {item}{}", done_before(result)), &view, color);
            }
            Verdict::Skipped => {
                // Ansible prints a space at the end.
                self.detailed(&format!("skipping: [{}] => {item} ", result.host.name), &view, Color::Skip);
            }
            Verdict::Failed | Verdict::Unreachable | Verdict::Refused => {
                self.exception(&view);
                self.warnings(&mut view);
                let line = format!("failed: [{host}] {item} => {}", view.json(self.verbosity));
                self.screen.line(&line, Some(Color::Error));
            }
            Verdict::Unknown => {
                self.diff(&result.diff);
                self.unknown(&format!("unknown: [{host}] => {item}"), &view);
            }
        }
    }

    /// Prints a line, followed by the result if the verbosity or the action asks for it.
    fn detailed(&mut self, line: &str, view: &ResultView, color: Color) {
        if (self.verbosity > 0 || view.always) && !view.never {
            self.screen.line(&format!("{line} => {}", view.json(self.verbosity)), Some(color));
        } else {
            self.screen.line(line, Some(color));
        }
    }

    fn diff_if_changed(&mut self, result: &TaskResult) {
        if result.verdict == Verdict::Changed {
            self.diff(&result.diff);
        }
    }

    fn diff(&mut self, diffs: &[Diff]) {
        let text = diff::text(diffs, |line, color| self.screen.paint(line, color));
        if !text.is_empty() {
            self.screen.line(&text, None);
        }
    }

    /// Prints why the result is unknown until run. Ansible has no such line.
    fn unknown(&mut self, line: &str, view: &ResultView) {
        self.screen.line(&format!("{line}: {}", view.message()), Some(Color::Skip));
    }

    fn warnings(&mut self, view: &mut ResultView) {
        for warning in view.take_warnings() {
            self.screen.warning(&warning);
        }
    }

    fn exception(&mut self, view: &ResultView) {
        let Some(traceback) = view.exception() else { return };
        let line = if self.verbosity < 3 {
            let error = traceback.trim().rsplit('\n').next().unwrap_or_default();
            format!(
                "An exception occurred during task execution. To see the full traceback, use -vvv. The error was: {error}"
            )
        } else {
            format!("The full traceback is:\n{traceback}")
        };
        self.screen.line(&line, Some(Color::Error));
    }

    fn retry(&mut self, host: &HostName, task: &str, left: u32, values: &Map) {
        let mut line = format!("FAILED - RETRYING: [{}]: {task} ({left} retries left).", host_label(host));
        if self.verbosity > 2 {
            line.push_str("Result was: ");
            line.push_str(&ResultView::of_attempt(values).json(self.verbosity));
        }
        self.screen.line(&line, Some(Color::Debug));
    }

    /// Prints an event of an asynchronous job. The lines that begin with `ASYNC` are Ansible's.
    fn job(&mut self, job: &JobEvent) {
        let (host, id, after) = (&job.host.name, &job.job, job.seconds);
        let line = job.line.as_deref().unwrap_or_default();
        match job.state {
            JobState::Polled => {
                let text = format!("ASYNC POLL on {host}: jid={id} started=1 finished=0");
                self.screen.line(&text, Some(Color::Debug));
            }
            JobState::Ok => self.screen.line(&format!("ASYNC OK on {host}: jid={id}"), Some(Color::Debug)),
            JobState::Failed => {
                self.screen.line(&format!("ASYNC FAILED on {host}: jid={id}"), Some(Color::Debug));
            }
            JobState::Quiet => self.screen.warning(&format!(
                "{host}: job {id} of task \"{}\" has printed nothing for {line}; it continues",
                job.task
            )),
            JobState::Lost => self.screen.warning(&format!(
                "{host}: {line}; job {id} of task \"{}\" continues on the host; reconnecting to it",
                job.task
            )),
            JobState::Begun => self.verbose(host, &format!("job {id} has started, detached by {line}")),
            JobState::Attached => self.verbose(host, &format!("following job {id} again {line}")),
            JobState::Moves => self.verbose(host, &format!("after {after} s: {line}")),
            JobState::Begins => {}
        }
    }

    fn verbose(&mut self, host: &str, text: &str) {
        if self.verbosity > 0 {
            self.screen.line(&format!("<{host}> {text}"), Some(Color::Verbose));
        }
    }

    fn recap<'e>(&mut self, hosts: impl Iterator<Item = (&'e str, &'e Stats)>) {
        self.screen.banner("PLAY RECAP");
        for (host, stats) in hosts {
            let counts = [
                ("ok", stats.ok, Color::Ok),
                ("changed", stats.changed, Color::Changed),
                ("unreachable", stats.unreachable, Color::Unreachable),
                ("failed", stats.failed, Color::Error),
                ("skipped", stats.skipped, Color::Skip),
                ("rescued", stats.rescued, Color::Ok),
                ("ignored", stats.ignored, Color::Warn),
            ];
            let counts = counts.map(|(word, number, color)| {
                let count = format!("{word}={number:<4}");
                if number == 0 { count } else { self.screen.paint(&count, color) }
            });
            let mut line = format!("{} : {}", self.recap_host(host, stats), counts.join(" "));
            for (word, number, color) in
                [("unknown", stats.unknown, Color::Skip), ("refused", stats.refused, Color::Unreachable)]
            {
                if number > 0 {
                    line.push(' ');
                    line.push_str(&self.screen.paint(&format!("{word}={number:<4}"), color));
                }
            }
            self.screen.line(&line, None);
        }
        self.screen.line("", None);
    }

    /// Returns the host's column of the recap. In color, the width includes the eleven characters of the color codes.
    fn recap_host(&self, host: &str, stats: &Stats) -> String {
        let color = if stats.failed != 0 || stats.unreachable != 0 || stats.refused != 0 {
            Color::Error
        } else if stats.changed != 0 {
            Color::Changed
        } else {
            Color::Ok
        };
        let host = self.screen.paint(host, color);
        if self.screen.is_colored() { format!("{host:<37}") } else { format!("{host:<26}") }
    }

    fn custom(&mut self, custom: &Map) {
        if custom.is_empty() || !self.custom_stats {
            return;
        }
        self.screen.banner("CUSTOM STATS: ");
        let mut hosts: Vec<_> = custom.iter().map(|(host, stats)| (host.to_string(), stats)).collect();
        hosts.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (host, stats) in hosts.iter().filter(|(host, _)| host != "_run") {
            let line = format!("\t{host}: {}", self.one_line(stats));
            self.screen.line(&line, None);
        }
        if let Some(stats) = custom.get("_run") {
            self.screen.line("", None);
            let line = format!("\tRUN: {}", self.one_line(stats));
            self.screen.line(&line, None);
        }
        self.screen.line("", None);
    }

    /// Returns statistics as Ansible prints them: indented by one, then with the line breaks removed.
    fn one_line(&self, stats: &Value) -> String {
        let stats = stats.as_map().map(ResultView::of_values);
        stats.map(|stats| stats.json_indented(self.verbosity, Some(1)).replace('\n', "")).unwrap_or_default()
    }

    fn not_done(&mut self, lines: &[String], command: Option<&str>) {
        for line in lines {
            self.screen.error_line(line, None);
        }
        if let Some(command) = command {
            self.screen.error_line(&format!("\nhint: continue with `{command}`"), None);
        }
    }
}

/// Returns what is appended to the line of a result from before the run was resumed.
fn done_before(result: &TaskResult) -> &'static str {
    if result.before { " (done before)" } else { "" }
}

fn success(verdict: Verdict) -> (&'static str, Color) {
    if verdict == Verdict::Changed { ("changed", Color::Changed) } else { ("ok", Color::Ok) }
}

fn host_label(host: &HostName) -> String {
    let Some(delegate) = host.delegate.as_ref().filter(|delegate| **delegate != host.name) else {
        return host.name.to_string();
    };
    match host.address.as_ref().filter(|address| *address != delegate) {
        Some(address) => format!("{} -> {delegate}({address})", host.name),
        None => format!("{} -> {delegate}", host.name),
    }
}

#[cfg(test)]
mod job_tests;
#[cfg(test)]
mod tests;
