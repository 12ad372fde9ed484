//! Events as objects, and back: what the JSON lines print, and what the journal keeps.

use std::sync::Arc;

use convoy_protocol::{Diff, DiffSide, Key, Kind, Map, Value, map};

use super::fields::word;
use crate::events::{
    Ending, HostName, JobEvent, JobState, RunEvent, Stats, Tally, TaskKind, TaskResult, Verdict,
};
use crate::text::python::label;

mod read;

pub use read::event;

/// The words for kinds of tasks.
const KINDS: [(TaskKind, &str); 3] =
    [(TaskKind::Task, "task"), (TaskKind::Handler, "handler"), (TaskKind::Facts, "facts")];

/// The words for verdicts.
const VERDICTS: [(Verdict, &str); 7] = [
    (Verdict::Ok, "ok"),
    (Verdict::Changed, "changed"),
    (Verdict::Skipped, "skipped"),
    (Verdict::Failed, "failed"),
    (Verdict::Unreachable, "unreachable"),
    (Verdict::Refused, "refused"),
    (Verdict::Unknown, "unknown"),
];

/// The words for what has come of a job.
const JOBS: [(JobState, &str); 9] = [
    (JobState::Begins, "begins"),
    (JobState::Begun, "begun"),
    (JobState::Moves, "moves"),
    (JobState::Polled, "polled"),
    (JobState::Quiet, "quiet"),
    (JobState::Lost, "lost"),
    (JobState::Attached, "attached"),
    (JobState::Ok, "ok"),
    (JobState::Failed, "failed"),
];

/// The words for how a run ended.
const ENDINGS: [(Option<Ending>, &str); 6] = [
    (Some(Ending::Well), "finished"),
    (Some(Ending::Failed), "failed"),
    (Some(Ending::Unreachable), "unreachable"),
    (Some(Ending::Refused), "refused"),
    (Some(Ending::Interrupted), "interrupted"),
    (None, "error"),
];

/// Returns the word for how a run ended; without an ending, that it was by an error.
pub fn ending_word(ending: Option<Ending>) -> &'static str {
    word(&ENDINGS, ending)
}

/// Returns the event as an object. Keys of values that begin with `_ansible_` are left out; secrets are in it, with
/// their taint.
pub fn of(event: &RunEvent) -> Map {
    match event {
        RunEvent::PlaybookStart { path, plays } => {
            map! { "event" => "playbook_start", "path" => path.clone(), "plays" => i64::try_from(*plays).unwrap_or(i64::MAX) }
        }
        RunEvent::Resumed { run, by } => {
            map! { "event" => "resumed", "run" => run.clone(), "by" => by.clone() }
        }
        RunEvent::PlayStart { name, check } => {
            map! { "event" => "play_start", "name" => name.clone(), "check" => *check }
        }
        RunEvent::NoHostsMatched => map! { "event" => "no_hosts_matched" },
        RunEvent::NoHostsRemaining => map! { "event" => "no_hosts_remaining" },
        RunEvent::TaskStart { kind, name, path, check } => map! {
            "event" => "task_start",
            "kind" => word(&KINDS, *kind),
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
        RunEvent::Job(job) => of_job(job),
        RunEvent::Included { file, hosts, label } => included(file, hosts, label.as_ref()),
        RunEvent::Warning(text) => map! { "event" => "warning", "text" => text.as_str() },
        RunEvent::Notice(text) => map! { "event" => "warning", "text" => text.as_str(), "folded" => false },
        RunEvent::Verbose { level, host, text } => map! {
            "event" => "verbose",
            "level" => u32::from(*level),
            "host" => host.clone(),
            "text" => text.as_str(),
        },
        RunEvent::Recap { hosts, custom } => {
            map! { "event" => "recap", "hosts" => recap(hosts), "custom" => without_internal(custom) }
        }
        RunEvent::NotDone { lines, command } => {
            map! { "event" => "not_done", "lines" => texts(lines), "command" => command.clone() }
        }
        RunEvent::Noted(note) => crate::events::note::of(note),
        RunEvent::End { ending, code, hosts, errors } => map! {
            "event" => "end",
            "outcome" => ending_word(*ending),
            "code" => u32::from(*code),
            "hosts" => tally(hosts),
            "errors" => texts(errors),
        },
    }
}

fn of_job(job: &JobEvent) -> Map {
    let mut object = map! { "event" => "job" };
    add_host(&mut object, &job.host);
    object.extend(map! {
        "task" => job.task.clone(),
        "job" => job.job.clone(),
        "state" => word(&JOBS, job.state),
        "seconds" => i64::try_from(job.seconds).unwrap_or(i64::MAX),
        "line" => job.line.as_deref(),
    });
    object
}

fn task_result(event: &str, result: &TaskResult) -> Map {
    let mut object = map! { "event" => event };
    add_host(&mut object, &result.host);
    object.extend(map! {
        "task" => result.task.clone(),
        "action" => result.action.clone(),
        "verdict" => word(&VERDICTS, result.verdict),
        "ignored" => result.ignored,
        "looped" => result.looped,
        "shown" => result.show,
    });
    if result.before {
        object.insert("before".into(), true.into());
    }
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

/// Returns a list of texts.
pub fn texts(lines: &[String]) -> Value {
    lines.iter().map(|line| Value::from(line.as_str())).collect()
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

fn included(file: &Arc<str>, hosts: &[Arc<str>], label: Option<&Arc<str>>) -> Map {
    let mut object = map! { "event" => "included", "file" => file.clone(), "hosts" => names(hosts) };
    object.extend(label.map(|label| ("label".into(), label.clone().into())));
    object
}

fn recap(hosts: &[(Arc<str>, Stats)]) -> Map {
    hosts.iter().map(|(host, stats)| (host.clone().into(), counts(stats).into())).collect()
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
        "refused" => stats.refused,
    }
}

/// Returns numbers of hosts.
pub fn tally(hosts: &Tally) -> Map {
    map! {
        "all" => hosts.all,
        "changed" => hosts.changed,
        "failed" => hosts.failed,
        "unreachable" => hosts.unreachable,
        "refused" => hosts.refused,
    }
}

/// Returns the values without the keys that begin with `_ansible_`, at any depth.
pub fn without_internal(values: &Map) -> Map {
    let internal = |key: &Key| key.as_str().is_some_and(|key| key.starts_with("_ansible_"));
    values
        .iter()
        .filter(|(key, _)| !internal(key))
        .map(|(key, value)| (key.clone(), cleaned(value)))
        .collect()
}

fn cleaned(value: &Value) -> Value {
    let kind = match &value.kind {
        Kind::List(list) => Kind::List(Arc::new(list.iter().map(cleaned).collect())),
        Kind::Map(map) => Kind::Map(Arc::new(without_internal(map))),
        _ => return value.clone(),
    };
    Value { kind, ..value.clone() }
}
