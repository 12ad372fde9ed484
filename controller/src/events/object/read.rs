//! Objects read back as events.

use std::sync::Arc;

use convoy_protocol::{Diff, DiffSide, Map, Value};

use super::{ENDINGS, JOBS, KINDS, VERDICTS};
use crate::events::fields::{Fault, Fields};
use crate::events::{HostName, JobEvent, RunEvent, Stats, Tally, TaskResult};

/// Returns the event that an object is. It looks as the first one did wherever it is shown; of a label, that is its
/// text.
///
/// # Errors
/// Why it is none.
pub fn event(object: &Map) -> Result<RunEvent, Fault> {
    let of = Fields(object);
    let name = of.text("event")?;
    Ok(match &*name {
        "playbook_start" => RunEvent::PlaybookStart { path: of.text("path")?, plays: of.number("plays")? },
        "resumed" => RunEvent::Resumed { run: of.text("run")?, by: of.text("by")? },
        "play_start" => RunEvent::PlayStart { name: of.text("name")?, check: of.flag("check")? },
        "no_hosts_matched" => RunEvent::NoHostsMatched,
        "no_hosts_remaining" => RunEvent::NoHostsRemaining,
        "task_start" => RunEvent::TaskStart {
            kind: of.word("kind", &KINDS)?,
            name: of.text("name")?,
            path: of.text("path")?,
            check: of.flag("check")?,
        },
        "working" => RunEvent::Working { hosts: of.texts("hosts")? },
        "result" => RunEvent::Result(of.task_result()?),
        "item" => RunEvent::Item(of.task_result()?),
        "retry" => RunEvent::Retry {
            host: of.host()?,
            task: of.text("task")?,
            left: of.number("left")?,
            values: Arc::new(of.map("values")?.clone()),
        },
        "job" => RunEvent::Job(JobEvent {
            host: of.host()?,
            task: of.text("task")?,
            job: of.text("job")?,
            state: of.word("state", &JOBS)?,
            seconds: of.number("seconds")?,
            line: of.text_if_any("line")?.map(|line| line.to_string()),
        }),
        "included" => RunEvent::Included {
            file: of.text("file")?,
            hosts: of.texts("hosts")?,
            label: of.text_if_any("label")?,
        },
        "warning" if object.contains_key("folded") => RunEvent::Notice(of.string("text")?),
        "warning" => RunEvent::Warning(of.string("text")?),
        "verbose" => RunEvent::Verbose {
            level: of.number("level")?,
            host: of.text_if_any("host")?,
            text: of.string("text")?,
        },
        "recap" => RunEvent::Recap { hosts: of.recap()?, custom: of.map("custom")?.clone() },
        "not_done" => RunEvent::NotDone {
            lines: of.strings("lines")?,
            command: of.text_if_any("command")?.map(|text| text.to_string()),
        },
        "end" => RunEvent::End {
            ending: of.word("outcome", &ENDINGS)?,
            code: of.number("code")?,
            hosts: of.tally()?,
            errors: of.strings("errors")?,
        },
        other => match crate::events::note::read(other, of)? {
            Some(note) => RunEvent::Noted(note),
            None => return Err(Fault::Unknown(name)),
        },
    })
}

impl Fields<'_> {
    fn host(self) -> Result<HostName, Fault> {
        Ok(HostName {
            name: self.text("host")?,
            delegate: self.text_if_any("delegate")?,
            address: self.text_if_any("delegate_address")?,
        })
    }

    fn task_result(self) -> Result<TaskResult, Fault> {
        Ok(TaskResult {
            host: self.host()?,
            verdict: self.word("verdict", &VERDICTS)?,
            action: self.text("action")?,
            values: Arc::new(self.map("values")?.clone()),
            diff: self.differences()?,
            label: self.text_if_any("label")?.map(Value::from),
            looped: self.flag("looped")?,
            ignored: self.flag("ignored")?,
            show: self.flag("shown")?,
            before: self.0.contains_key("before"),
            task: self.text("task")?,
        })
    }

    fn differences(self) -> Result<Vec<Diff>, Fault> {
        let Some(list) = self.0.get("diff") else { return Ok(Vec::new()) };
        let list = list.as_list().ok_or(Fault::Field("diff"))?;
        list.iter().map(|diff| difference(Fields(diff.as_map().ok_or(Fault::Field("diff"))?))).collect()
    }

    fn recap(self) -> Result<Vec<(Arc<str>, Stats)>, Fault> {
        let host = |(key, value): (&convoy_protocol::Key, &Value)| {
            let name = key.as_str().ok_or(Fault::Field("hosts"))?;
            let of = Fields(value.as_map().ok_or(Fault::Field("hosts"))?);
            let stats = Stats {
                ok: of.number("ok")?,
                changed: of.number("changed")?,
                unreachable: of.number("unreachable")?,
                failed: of.number("failed")?,
                skipped: of.number("skipped")?,
                rescued: of.number("rescued")?,
                ignored: of.number("ignored")?,
                unknown: of.number("unknown")?,
                refused: of.number("refused")?,
            };
            Ok((Arc::from(name), stats))
        };
        self.map("hosts")?.iter().map(host).collect()
    }

    fn tally(self) -> Result<Tally, Fault> {
        let of = Fields(self.map("hosts")?);
        Ok(Tally {
            all: of.number("all")?,
            changed: of.number("changed")?,
            failed: of.number("failed")?,
            unreachable: of.number("unreachable")?,
            refused: of.number("refused")?,
        })
    }
}

fn difference(of: Fields<'_>) -> Result<Diff, Fault> {
    if of.0.contains_key("prepared") {
        return of.string("prepared").map(Diff::Prepared);
    }
    let side = |header: &'static str, text: &'static str| {
        let header = of.text_if_any(header)?.map(|text| text.to_string()).unwrap_or_default();
        Ok(DiffSide { header, text: of.string(text)? })
    };
    Ok(Diff::Text { before: side("before_header", "before")?, after: side("after_header", "after")? })
}

#[cfg(test)]
mod tests {
    use convoy_protocol::map;

    use super::*;
    use crate::events::object::of;
    use crate::events::{Ending, TaskKind, Verdict};
    use crate::report::sample;

    /// Returns the event as it comes back.
    fn again(told: &RunEvent) -> RunEvent {
        event(&of(told)).unwrap()
    }

    #[test]
    fn every_event_comes_back_as_it_was() {
        for told in sample::each_event() {
            let mut expected = told.clone();
            // A label comes back as it is shown, and what is internal not at all.
            if let RunEvent::Result(result) | RunEvent::Item(result) = &mut expected {
                result.label =
                    result.label.take().map(|label| crate::text::python::label(Some(&label)).into());
                result.values = Arc::new(crate::events::object::without_internal(&result.values));
            }
            assert_eq!(again(&told), expected);
        }
    }

    #[test]
    fn every_word_comes_back() {
        for verdict in [
            Verdict::Ok,
            Verdict::Changed,
            Verdict::Skipped,
            Verdict::Failed,
            Verdict::Unreachable,
            Verdict::Refused,
            Verdict::Unknown,
        ] {
            assert_eq!(again(&sample::result("a", verdict)), sample::result("a", verdict));
        }
        for kind in [TaskKind::Task, TaskKind::Handler, TaskKind::Facts] {
            assert_eq!(again(&sample::task_start(kind, "t", "p")), sample::task_start(kind, "t", "p"));
        }
        for ending in [
            None,
            Some(Ending::Well),
            Some(Ending::Failed),
            Some(Ending::Unreachable),
            Some(Ending::Refused),
            Some(Ending::Interrupted),
        ] {
            let end =
                RunEvent::End { ending, code: 3, hosts: Tally::default(), errors: vec!["error: x".into()] };
            assert_eq!(again(&end), end);
        }
    }

    #[test]
    fn what_is_no_event_is_named() {
        for (object, error) in [
            (map! { "event" => "later" }, "no event is called `later`"),
            (map! { "name" => "x" }, "`event` is missing, or is not what it should be"),
            (
                map! { "event" => "retry", "host" => "a", "task" => "t", "left" => -1 },
                "`left` is missing, or is not what it should be",
            ),
            (
                map! { "event" => "working", "hosts" => vec![Value::from(1)] },
                "`hosts` is missing, or is not what it should be",
            ),
            (
                map! { "event" => "task_start", "kind" => "x" },
                "`kind` is missing, or is not what it should be",
            ),
        ] {
            assert_eq!(event(&object).unwrap_err().to_string(), error);
        }
    }
}
