//! JSON lines: one object for each event, on standard output. `docs/json-output.md` describes them.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use convoy_protocol::{Diff, DiffSide, Map, Value, map};

use super::shown::without_internal;
use super::{Options, Reporter, Sink};
use crate::json;
use crate::python::label;
use crate::run::event::{HostName, RunEvent, Stats, TaskKind, TaskResult, Verdict};

/// Prints a run as JSON lines.
pub struct Json {
    out: Sink,
    verbosity: u8,
    fault: Option<io::Error>,
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json")
            .field("verbosity", &self.verbosity)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl Json {
    /// Makes one that writes to `out`.
    pub fn new(options: &Options, out: Sink) -> Self {
        Self { out, verbosity: options.verbosity, fault: None }
    }
}

impl Reporter for Json {
    fn event(&mut self, event: &RunEvent) {
        if self.fault.is_some() {
            return;
        }
        if let RunEvent::Verbose { level, .. } = event
            && *level > self.verbosity
        {
            return;
        }
        let line = line(event);
        let written = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        self.fault = written.err();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }
}

/// Returns the event as one line, with its newline.
fn line(event: &RunEvent) -> String {
    let mut line =
        json::map_text(&object(event), json::Style { hide_secrets: true, ..json::Style::default() });
    line.push('\n');
    line
}

fn object(event: &RunEvent) -> Map {
    match event {
        RunEvent::PlaybookStart { path, plays } => {
            map! { "event" => "playbook_start", "path" => path.clone(), "plays" => i64::try_from(*plays).unwrap_or(i64::MAX) }
        }
        RunEvent::PlayStart { name, check } => {
            map! { "event" => "play_start", "name" => name.clone(), "check" => *check }
        }
        RunEvent::NoHostsMatched => map! { "event" => "no_hosts_matched" },
        RunEvent::NoHostsRemaining => map! { "event" => "no_hosts_remaining" },
        RunEvent::TaskStart { kind, name, path, check } => map! {
            "event" => "task_start",
            "kind" => kind_word(*kind),
            "name" => name.clone(),
            "path" => path.clone(),
            "check" => *check,
        },
        RunEvent::Working { hosts } => map! { "event" => "working", "hosts" => names(hosts) },
        RunEvent::Result(result) => task_result("result", result),
        RunEvent::Item(result) => task_result("item", result),
        RunEvent::Retry { host, task, left, values } => {
            let mut object = map! { "event" => "retry" };
            add_host(&mut object, host);
            object.extend(
                map! { "task" => task.clone(), "left" => *left, "values" => without_internal(values) },
            );
            object
        }
        RunEvent::Included { file, hosts, label } => {
            let mut object = map! { "event" => "included", "file" => file.clone(), "hosts" => names(hosts) };
            if let Some(label) = label {
                object.insert("label".into(), label.clone().into());
            }
            object
        }
        RunEvent::Warning(text) | RunEvent::Notice(text) => {
            map! { "event" => "warning", "text" => text.as_str() }
        }
        RunEvent::Verbose { level, host, text } => map! {
            "event" => "verbose",
            "level" => u32::from(*level),
            "host" => host.clone(),
            "text" => text.as_str(),
        },
        RunEvent::Recap { hosts, custom } => {
            let hosts: Map =
                hosts.iter().map(|(host, stats)| (host.clone().into(), counts(stats).into())).collect();
            map! { "event" => "recap", "hosts" => hosts, "custom" => without_internal(custom) }
        }
        RunEvent::NotDone { lines, command } => map! {
            "event" => "not_done",
            "lines" => lines.iter().map(|line| Value::from(line.as_str())).collect::<Value>(),
            "command" => command.clone(),
        },
    }
}

fn task_result(event: &str, result: &TaskResult) -> Map {
    let mut object = map! { "event" => event };
    add_host(&mut object, &result.host);
    object.extend(map! {
        "task" => result.task.clone(),
        "action" => result.action.clone(),
        "verdict" => verdict_word(result.verdict),
        "ignored" => result.ignored,
    });
    if event == "item" {
        object.insert("label".into(), label(result.label.as_ref()).into());
    }
    object.insert("values".into(), without_internal(&result.values).into());
    if !result.diff.is_empty() {
        object.insert("diff".into(), result.diff.iter().map(difference).collect());
    }
    object
}

fn add_host(object: &mut Map, host: &HostName) {
    object.insert("host".into(), host.name.clone().into());
    if let Some(delegate) = &host.delegate {
        object.insert("delegate".into(), delegate.clone().into());
    }
    if let Some(address) = &host.address {
        object.insert("delegate_address".into(), address.clone().into());
    }
}

fn names(hosts: &[Arc<str>]) -> Value {
    hosts.iter().map(|host| Value::from(host.clone())).collect()
}

/// Under Ansible's names.
fn difference(diff: &Diff) -> Value {
    match diff {
        Diff::Prepared(text) => map! { "prepared" => text.as_str() }.into(),
        Diff::Text { before, after } => {
            let mut object = Map::new();
            let mut add = |side: &DiffSide, word: &str| {
                if !side.header.is_empty() {
                    object.insert(format!("{word}_header").into(), side.header.as_str().into());
                }
                object.insert(word.into(), side.text.as_str().into());
            };
            add(before, "before");
            add(after, "after");
            object.into()
        }
    }
}

fn counts(stats: &Stats) -> Map {
    map! {
        "ok" => stats.ok,
        "changed" => stats.changed,
        "unreachable" => stats.unreachable,
        "failed" => stats.failed,
        "skipped" => stats.skipped,
        "rescued" => stats.rescued,
        "ignored" => stats.ignored,
        "unknown" => stats.unknown,
    }
}

fn kind_word(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Task => "task",
        TaskKind::Handler => "handler",
        TaskKind::Facts => "facts",
    }
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Changed => "changed",
        Verdict::Skipped => "skipped",
        Verdict::Failed => "failed",
        Verdict::Unreachable => "unreachable",
        Verdict::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Capture};
    use super::*;

    fn printed(events: &[RunEvent], verbosity: u8) -> String {
        let out = Capture::default();
        let mut json = Json::new(&Options { verbosity, ..Options::default() }, out.sink());
        events.iter().for_each(|event| json.event(event));
        assert!(json.fault().is_none());
        out.text()
    }

    #[test]
    fn the_page_shows_what_is_printed() {
        let page = include_str!("../../../docs/json-output.md");
        let shown: Vec<_> = page.lines().filter(|line| line.starts_with("{\"event\"")).collect();
        let printed = printed(&sample::each_event(), 4);
        assert_eq!(shown, printed.lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_line_is_json_and_no_secret_is_in_it() {
        let printed = printed(&sample::each_event(), 4);
        assert!(!printed.contains("hunter2"), "{printed}");
        for line in printed.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["event"].is_string(), "{line}");
        }
    }

    #[test]
    fn verbose_lines_come_only_if_asked_for() {
        let event = RunEvent::Verbose { level: 3, host: None, text: "connecting".into() };
        assert_eq!(printed(std::slice::from_ref(&event), 2), "");
        assert_eq!(
            printed(&[event], 3),
            "{\"event\": \"verbose\", \"level\": 3, \"host\": null, \"text\": \"connecting\"}\n"
        );
    }
}
