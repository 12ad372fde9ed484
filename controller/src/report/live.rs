//! Prints a run as text and shows, below it, the current task and the hosts in progress.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::options::Options;
use super::plain::Plain;
use super::screen::Sink;
use crate::events::{JobState, Reporter, RunEvent};

/// How many hosts get a line of their own.
const MAX_LINES: usize = 8;

/// How many characters of a job's output are shown beside its host.
const MAX_OUTPUT: usize = 50;

/// How often the spinners move.
const TICK: Duration = Duration::from_millis(120);

const HEADING: &str = "{wide_msg}";
const PLAIN: &str = "  {spinner} {msg} {elapsed}";
const COLORED: &str = "  {spinner:.cyan} {msg} {elapsed:.dim}";

/// Prints a run as text, with a live display below it.
#[derive(Debug)]
pub struct Live {
    plain: Plain,
    display: MultiProgress,
    color: bool,
    task: Arc<str>,
    heading: Option<ProgressBar>,
    /// The hosts in progress, in the order in which they began; the first of them have a line.
    hosts: Vec<(Arc<str>, Option<ProgressBar>)>,
}

impl Reporter for Live {
    fn event(&mut self, event: &RunEvent) {
        if !matches!(event, RunEvent::Working { .. }) {
            let plain = &mut self.plain;
            self.display.suspend(|| plain.event(event));
        }
        match event {
            RunEvent::TaskStart { name, .. } => self.task = name.clone(),
            RunEvent::Working { hosts } => self.begin(hosts),
            RunEvent::Result(result) => self.end(&result.host.name),
            RunEvent::Job(job) if job.state == JobState::Moves => {
                self.show_output(&job.host.name, job.line.as_deref().unwrap_or_default());
            }
            RunEvent::Included { hosts, .. } => hosts.iter().for_each(|host| self.end(host)),
            RunEvent::PlayStart { .. } | RunEvent::Recap { .. } => self.clear(),
            _ => {}
        }
    }

    fn hide(&mut self) {
        self.clear();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.plain.fault()
    }
}

impl Live {
    /// Returns one that draws on the terminal that standard output is.
    pub fn on_terminal(options: &Options, out: Sink, err: Sink) -> Self {
        Self::new(options, out, err, ProgressDrawTarget::stdout())
    }

    fn new(options: &Options, out: Sink, err: Sink, target: ProgressDrawTarget) -> Self {
        Self {
            plain: Plain::new(options, out, err),
            display: MultiProgress::with_draw_target(target),
            color: options.color,
            task: Arc::default(),
            heading: None,
            hosts: Vec::new(),
        }
    }

    fn begin(&mut self, hosts: &[Arc<str>]) {
        for host in hosts {
            if !self.hosts.iter().any(|(known, _)| known == host) {
                self.hosts.push((host.clone(), None));
            }
        }
        self.draw();
    }

    fn end(&mut self, host: &str) {
        let Some(at) = self.hosts.iter().position(|(name, _)| &**name == host) else { return };
        if let (_, Some(line)) = self.hosts.remove(at) {
            self.remove(&line);
        }
        self.draw();
    }

    /// Shows the last line that a job has printed on a host.
    fn show_output(&self, host: &str, line: &str) {
        let shown = self.hosts.iter().find(|(name, _)| &**name == host).and_then(|(_, bar)| bar.as_ref());
        if let Some(bar) = shown {
            let line: String = line.chars().take(MAX_OUTPUT).collect();
            bar.set_message(format!("{host}: {line}"));
        }
    }

    fn clear(&mut self) {
        for (_, line) in std::mem::take(&mut self.hosts) {
            if let Some(line) = line {
                self.remove(&line);
            }
        }
        self.draw();
    }

    fn remove(&self, line: &ProgressBar) {
        line.finish_and_clear();
        self.display.remove(line);
    }

    /// Updates the heading, and gives lines to the first hosts.
    fn draw(&mut self) {
        if self.hosts.is_empty() {
            if let Some(heading) = self.heading.take() {
                self.remove(&heading);
            }
            return;
        }
        let heading = self.heading.get_or_insert_with(|| {
            let bar = ProgressBar::no_length().with_style(style(HEADING));
            self.display.insert(0, bar)
        });
        heading.set_message(summary(&self.task, self.hosts.len()));
        heading.tick();
        let template = if self.color { COLORED } else { PLAIN };
        for (host, line) in self.hosts.iter_mut().take(MAX_LINES).filter(|(_, line)| line.is_none()) {
            let bar = ProgressBar::no_length().with_style(style(template)).with_message(host.to_string());
            let bar = self.display.add(bar);
            bar.enable_steady_tick(TICK);
            *line = Some(bar);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

fn summary(task: &str, hosts: usize) -> String {
    let more = hosts.saturating_sub(MAX_LINES);
    let noun = if hosts == 1 { "host" } else { "hosts" };
    let shown = if more > 0 { format!(", {MAX_LINES} of them shown") } else { String::new() };
    format!("{task}: {hosts} {noun} in progress{shown}")
}

/// Returns the style of a template. The test below checks the templates; an invalid one would get the default style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Capture, Terminal};
    use super::*;
    use crate::events::Verdict;

    #[test]
    fn templates_are_valid() {
        for template in [HEADING, PLAIN, COLORED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    fn shown(live: &Live) -> Vec<String> {
        live.hosts.iter().filter_map(|(_, line)| line.as_ref()).map(ProgressBar::message).collect()
    }

    #[test]
    fn the_last_output_of_a_job_is_shown_beside_its_host() {
        let (out, terminal) = (Capture::default(), Terminal::default());
        let target = ProgressDrawTarget::term_like(Box::new(terminal));
        let mut live = Live::new(&Options::default(), out.sink(), Capture::default().sink(), target);
        live.event(&sample::task("migrate"));
        live.event(&RunEvent::Working { hosts: vec!["web1".into(), "web2".into()] });
        live.event(&sample::job(JobState::Moves, Some("table 3 of 7")));
        assert_eq!(shown(&live), ["web1: table 3 of 7", "web2"]);
        live.event(&sample::job(JobState::Moves, Some(&"x".repeat(200))));
        assert_eq!(shown(&live)[0], format!("web1: {}", "x".repeat(MAX_OUTPUT)));
    }

    #[test]
    fn hosts_are_shown_until_their_result() {
        let (out, terminal) = (Capture::default(), Terminal::default());
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut live = Live::new(&Options::default(), out.sink(), Capture::default().sink(), target);
        let hosts: Vec<Arc<str>> = (1..=10).map(|n| format!("web{n}").into()).collect();
        live.event(&sample::task("install"));
        live.event(&RunEvent::Working { hosts: hosts.clone() });
        assert!(
            terminal.text().contains("install: 10 hosts in progress, 8 of them shown"),
            "{}",
            terminal.text()
        );
        assert_eq!(shown(&live), ["web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8"]);
        live.event(&sample::result("web1", Verdict::Ok));
        assert_eq!(shown(&live), ["web2", "web3", "web4", "web5", "web6", "web7", "web8", "web9"]);
        for host in &hosts[1..] {
            live.event(&sample::result(host, Verdict::Ok));
        }
        assert!(live.hosts.is_empty() && live.heading.is_none());
        let rule = "*".repeat(65);
        let lines: String = hosts.iter().map(|host| format!("ok: [{host}]\n")).collect();
        assert_eq!(out.text(), format!("\nTASK [install] {rule}\n{lines}"));
    }
}
