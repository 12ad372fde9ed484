//! Sample events for tests, and streams that record what is written to them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use convoy_protocol::{Diff, DiffSide, Key, Map, Taint, Value, map};
use indicatif::TermLike;

use super::Sink;
use crate::events::{
    Ending, HostName, JobEvent, JobState, RunEvent, Stats, Tally, TaskKind, TaskResult, Verdict,
};
use crate::sync::lock;

/// A stream that records what is written to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    pub(crate) fn sink(&self) -> Sink {
        Box::new(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).unwrap()
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that records the text drawn on it, wherever it is drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terminal(Capture);

impl Terminal {
    pub(crate) fn text(&self) -> String {
        self.0.text()
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.clone().write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn host(name: &str) -> HostName {
    HostName { name: name.into(), delegate: None, address: None }
}

pub(crate) fn play(name: &str) -> RunEvent {
    RunEvent::PlayStart { name: name.into(), check: false }
}

pub(crate) fn task(name: &str) -> RunEvent {
    task_start(TaskKind::Task, name, "site.yml:5")
}

pub(crate) fn task_start(kind: TaskKind, name: &str, path: &str) -> RunEvent {
    RunEvent::TaskStart { kind, name: name.into(), path: path.into(), check: false }
}

/// Returns the result of a `ping`. Tests change the fields that they need.
pub(crate) fn task_result(name: &str, verdict: Verdict) -> TaskResult {
    TaskResult {
        host: host(name),
        verdict,
        action: "ping".into(),
        values: Arc::new(map! { "changed" => verdict == Verdict::Changed }),
        diff: Vec::new(),
        label: None,
        looped: false,
        ignored: false,
        show: false,
        before: false,
        task: "ping".into(),
    }
}

pub(crate) fn result(name: &str, verdict: Verdict) -> RunEvent {
    RunEvent::Result(task_result(name, verdict))
}

pub(crate) fn result_with(name: &str, verdict: Verdict, values: Map) -> RunEvent {
    RunEvent::Result(TaskResult { values: Arc::new(values), ..task_result(name, verdict) })
}

pub(crate) fn item(name: &str, verdict: Verdict, label: impl Into<Value>, values: Map) -> RunEvent {
    let item = task_result(name, verdict);
    RunEvent::Item(TaskResult { values: Arc::new(values), label: Some(label.into()), looped: true, ..item })
}

pub(crate) fn side(header: &str, text: &str) -> DiffSide {
    DiffSide { header: header.to_owned(), text: text.to_owned() }
}

pub(crate) fn job(state: JobState, line: Option<&str>) -> RunEvent {
    RunEvent::Job(JobEvent {
        host: host("web1"),
        task: "Migrate".into(),
        job: "j803412345678.4321".into(),
        state,
        seconds: 12,
        line: line.map(str::to_owned),
    })
}

/// Returns the result of a `copy` in `docs/json-output.md`.
fn copy_result() -> TaskResult {
    let copied = map! {
        "changed" => true,
        "dest" => "/etc/motd",
        "password" => Value::from("hunter2").tainted(Taint::SECRET),
        "_ansible_no_log" => false,
    };
    let diff = Diff::Text { before: side("/etc/motd", "old\n"), after: side("/etc/motd", "new\n") };
    TaskResult {
        host: HostName { delegate: Some("db1".into()), address: Some("10.0.0.9".into()), ..host("web1") },
        action: "copy".into(),
        diff: vec![diff, Diff::Prepared("mode: 0644 -> 0600\n".into())],
        task: "Greet".into(),
        values: Arc::new(copied),
        ..task_result("web1", Verdict::Changed)
    }
}

/// Returns the events in `docs/json-output.md`, in their order.
pub(crate) fn each_event() -> Vec<RunEvent> {
    let stats = Stats { ok: 12, changed: 3, rescued: 1, ..Stats::default() };
    vec![
        RunEvent::PlaybookStart { path: "site.yml".into(), plays: 2 },
        RunEvent::Resumed { run: "20261124-191530".into(), by: "ann@desk".into() },
        play("Web servers"),
        RunEvent::NoHostsMatched,
        RunEvent::NoHostsRemaining,
        task_start(TaskKind::Task, "base : Greet", "roles/base/tasks/main.yml:3"),
        RunEvent::Working { hosts: vec!["web1".into(), "web2".into()] },
        RunEvent::Result(copy_result()),
        item(
            "web1",
            Verdict::Ok,
            map! { "name" => "nginx" },
            map! { "changed" => false, "item" => map! { "name" => "nginx" } },
        ),
        RunEvent::Retry {
            host: host("web1"),
            task: "Wait for the port".into(),
            left: 2,
            values: Arc::new(map! { "attempts" => 1, "msg" => "refused", "retries" => 3 }),
        },
        job(JobState::Begun, Some("setsid")),
        job(JobState::Moves, Some("table 3 of 7")),
        RunEvent::Included {
            file: "/srv/site/web.yml".into(),
            hosts: vec!["web1".into(), "web2".into()],
            label: Some("nginx".into()),
        },
        RunEvent::Warning("no inventory was given".into()),
        RunEvent::Notice("[WARNING]: these hosts are refused:\n  web2".into()),
        RunEvent::Verbose { level: 3, host: Some("web1".into()), text: "connected in 52 ms".into() },
        RunEvent::Recap {
            hosts: vec![("web1".into(), stats)],
            custom: [(Key::from("_run"), map! { "packages" => 4 }.into())].into_iter().collect(),
        },
        RunEvent::NotDone {
            lines: vec!["not done on web2: 4 tasks after `Greet`".into()],
            command: Some("convoy resume 7".into()),
        },
        RunEvent::End {
            ending: Some(Ending::Failed),
            code: 2,
            hosts: Tally { all: 2, changed: 1, failed: 1, unreachable: 0, refused: 0 },
            errors: Vec::new(),
        },
    ]
}
