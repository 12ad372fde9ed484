//! What the journal notes besides what is shown: what is needed to go on with a run.

use std::sync::Arc;

use convoy_protocol::{Map, Status, Value, map};

use super::object::{Fault, Fields, word};

/// Something that is noted and never shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// A file of the playbooks and roles was read.
    Source {
        /// Its path, absolute.
        path: Arc<str>,
        /// The SHA-256 digest of what was read, in hexadecimal.
        digest: Arc<str>,
    },
    /// An order is about to be sent.
    Begun {
        /// Its ticket, which no other has.
        ticket: u64,
        /// The host it is done for.
        host: Arc<str>,
        /// The play, counted from 1 through all playbooks.
        play: u32,
        /// A digest of the task as the user wrote it.
        task: Arc<str>,
        /// A digest of what is asked, without what is secret.
        asked: Arc<str>,
        /// The ticket of an earlier try, which this one takes the place of.
        instead: Option<u64>,
    },
    /// An order was answered.
    Answered {
        /// Its ticket.
        ticket: u64,
        /// What the agent said.
        status: Status,
        /// The values that came with it.
        values: Map,
        /// Whether that is a failure of the task.
        failed: bool,
    },
    /// The run went on although orders failed, since that is ignored.
    Ignored {
        /// Their tickets.
        tickets: Vec<u64>,
    },
    /// A host stopped, since orders failed.
    Stopped {
        /// Their tickets.
        tickets: Vec<u64>,
    },
    /// A failure in a block was rescued: the run goes on behind the block.
    Rescued {
        /// The host.
        host: Arc<str>,
        /// The first ticket in the block.
        from: u64,
    },
    /// A failure in a block went on outwards, after what the block does then.
    Fell {
        /// The host.
        host: Arc<str>,
        /// The first ticket in the block.
        from: u64,
        /// The first ticket of what is done after the failure.
        turn: u64,
        /// Whether that is a rescue, which may have undone what the block did.
        rescue: bool,
    },
    /// A handler was notified.
    Notified {
        /// The host.
        host: Arc<str>,
        /// The handler's name as it is shown, with its role before it.
        handler: Arc<str>,
        /// The run that notified it, if that was an earlier one, in which it did not run any more.
        from: Option<Arc<str>>,
    },
    /// A handler that was notified has run, and did not fail.
    Handled {
        /// The host.
        host: Arc<str>,
        /// The handler's name as it is shown, with its role before it.
        handler: Arc<str>,
    },
}

/// The words for what an agent said of an order.
const STATUSES: [(Status, &str); 5] = [
    (Status::Same, "same"),
    (Status::Ran, "ran"),
    (Status::Changed, "changed"),
    (Status::Failed, "failed"),
    (Status::Broken, "broken"),
];

/// Returns the note as an object.
pub(super) fn of(note: &Note) -> Map {
    match note {
        Note::Source { path, digest } => {
            map! { "event" => "source", "path" => path.clone(), "digest" => digest.clone() }
        }
        Note::Begun { ticket, host, play, task, asked, instead } => {
            let mut object = map! {
                "event" => "begun",
                "ticket" => number(*ticket),
                "host" => host.clone(),
                "play" => *play,
                "task" => task.clone(),
                "asked" => asked.clone(),
            };
            object.extend(instead.iter().map(|ticket| ("instead".into(), number(*ticket))));
            object
        }
        Note::Answered { ticket, status, values, failed } => map! {
            "event" => "answered",
            "ticket" => number(*ticket),
            "status" => word(&STATUSES, *status),
            "failed" => *failed,
            "values" => values.clone(),
        },
        Note::Ignored { tickets } => map! { "event" => "ignored", "tickets" => numbers(tickets) },
        Note::Stopped { tickets } => map! { "event" => "stopped", "tickets" => numbers(tickets) },
        Note::Rescued { host, from } => {
            map! { "event" => "rescued", "host" => host.clone(), "from" => number(*from) }
        }
        Note::Fell { host, from, turn, rescue } => map! {
            "event" => "fell",
            "host" => host.clone(),
            "from" => number(*from),
            "turn" => number(*turn),
            "rescue" => *rescue,
        },
        Note::Notified { host, handler, from } => {
            let mut object =
                map! { "event" => "notified", "host" => host.clone(), "handler" => handler.clone() };
            object.extend(from.iter().map(|run| ("from".into(), run.clone().into())));
            object
        }
        Note::Handled { host, handler } => {
            map! { "event" => "handled", "host" => host.clone(), "handler" => handler.clone() }
        }
    }
}

fn numbers(tickets: &[u64]) -> Value {
    tickets.iter().map(|ticket| number(*ticket)).collect()
}

fn number(ticket: u64) -> Value {
    i64::try_from(ticket).unwrap_or(i64::MAX).into()
}

/// Reads the note that an object is; `None` if it has another name.
pub(super) fn read(name: &str, of: Fields<'_>) -> Result<Option<Note>, Fault> {
    Ok(Some(match name {
        "source" => Note::Source { path: of.text("path")?, digest: of.text("digest")? },
        "begun" => Note::Begun {
            ticket: of.number("ticket")?,
            host: of.text("host")?,
            play: of.number("play")?,
            task: of.text("task")?,
            asked: of.text("asked")?,
            instead: of.0.contains_key("instead").then(|| of.number("instead")).transpose()?,
        },
        "answered" => Note::Answered {
            ticket: of.number("ticket")?,
            status: of.word("status", &STATUSES)?,
            values: of.map("values")?.clone(),
            failed: of.flag("failed")?,
        },
        "ignored" => Note::Ignored { tickets: of.numbers("tickets")? },
        "stopped" => Note::Stopped { tickets: of.numbers("tickets")? },
        "rescued" => Note::Rescued { host: of.text("host")?, from: of.number("from")? },
        "fell" => Note::Fell {
            host: of.text("host")?,
            from: of.number("from")?,
            turn: of.number("turn")?,
            rescue: of.flag("rescue")?,
        },
        "notified" => Note::Notified {
            host: of.text("host")?,
            handler: of.text("handler")?,
            from: of.text_if_any("from")?,
        },
        "handled" => Note::Handled { host: of.text("host")?, handler: of.text("handler")? },
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::{RunEvent, object};

    #[test]
    fn notes_come_back_as_they_were() {
        let (host, handler): (Arc<str>, Arc<str>) = ("web1".into(), "nginx : restart".into());
        let begun = |instead| Note::Begun {
            ticket: 7,
            host: host.clone(),
            play: 2,
            task: "t".into(),
            asked: "a".into(),
            instead,
        };
        let notes = [
            Note::Source { path: "/srv/site.yml".into(), digest: "00".into() },
            begun(None),
            begun(Some(6)),
            Note::Ignored { tickets: vec![1, 2] },
            Note::Stopped { tickets: vec![3] },
            Note::Rescued { host: host.clone(), from: 3 },
            Note::Fell { host: host.clone(), from: 3, turn: 5, rescue: true },
            Note::Notified { host: host.clone(), handler: handler.clone(), from: None },
            Note::Notified { host: host.clone(), handler: handler.clone(), from: Some("run".into()) },
            Note::Handled { host, handler },
        ];
        let answers = STATUSES.map(|(status, _)| Note::Answered {
            ticket: 7,
            status,
            values: map! { "rc" => 0 },
            failed: status == Status::Failed,
        });
        for note in notes.into_iter().chain(answers) {
            let event = RunEvent::Noted(note);
            assert_eq!(object::event(&object::of(&event)).as_ref(), Ok(&event));
        }
    }
}
