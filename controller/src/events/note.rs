//! What the journal notes besides what is shown: what is needed to go on with a run.

use std::sync::Arc;

use convoy_protocol::{Map, Status, Value, map};

use super::fields::{Fault, Fields, word};

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
        /// The blocks with `undo:` that it is in, by their numbers.
        blocks: Vec<u64>,
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
        /// Whether that is a change in the words of the playbook (`changed_when`).
        changed: bool,
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
    /// In a block with `undo:` an order is about to be sent, the first on this host.
    Block(BlockBegun),
    /// A task in blocks with `undo:` has set variables.
    Set {
        /// The host.
        host: Arc<str>,
        /// The blocks, by their numbers.
        blocks: Vec<u64>,
        /// The variables.
        vars: Map,
    },
    /// What was changed in the files of a host is about to be taken back.
    TakesBack {
        /// The host.
        host: Arc<str>,
    },
    /// The tasks that undo a block are done on a host.
    Undone {
        /// The host.
        host: Arc<str>,
        /// The block's numbers in the run that is undone.
        blocks: Vec<u64>,
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

/// A block with `undo:` in which something is about to be done, for the first time on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockBegun {
    /// Its number, which no order has as its ticket, and no other block.
    pub id: u64,
    /// The host.
    pub host: Arc<str>,
    /// The play, counted from 1 through all playbooks.
    pub play: u32,
    /// What the play is called, as the playbook has it.
    pub of_play: Arc<str>,
    /// Where it begins: file, line and column.
    pub at: Arc<str>,
    /// How many others stand there before it, since what they are in was brought in several times.
    pub nth: u32,
    /// What it is called, as the playbook has it.
    pub name: Arc<str>,
    /// What it is called, for people.
    pub title: Arc<str>,
    /// How it came into the play, the outermost include first.
    pub includes: Vec<Include>,
    /// What `set_fact` and `register` have set for the host.
    pub vars: Map,
}

/// How a file of tasks came into a play.
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    /// Where the include stands: file, line and column.
    pub at: Arc<str>,
    /// What it is called.
    pub name: Arc<str>,
    /// How many others stand there before it, since what they are in was brought in several times.
    pub nth: u32,
    /// What it included, with all names rendered.
    pub what: Map,
    /// The variables of its loop.
    pub vars: Map,
    /// How many items of its loop before this one brought in the same, as far as the journal can tell.
    pub item: u32,
}

/// The words for what an agent said of an order.
const STATUSES: [(Status, &str); 5] = [
    (Status::Same, "same"),
    (Status::Ran, "ran"),
    (Status::Changed, "changed"),
    (Status::Failed, "failed"),
    (Status::Interrupted, "broken"),
];

/// Returns the note as an object.
pub(super) fn of(note: &Note) -> Map {
    match note {
        Note::Source { path, digest } => {
            map! { "event" => "source", "path" => path.clone(), "digest" => digest.clone() }
        }
        Note::Begun { ticket, host, play, task, asked, instead, blocks } => {
            let mut object = map! {
                "event" => "begun",
                "ticket" => number(*ticket),
                "host" => host.clone(),
                "play" => *play,
                "task" => task.clone(),
                "asked" => asked.clone(),
            };
            object.extend(instead.iter().map(|ticket| ("instead".into(), number(*ticket))));
            if !blocks.is_empty() {
                object.insert("blocks".into(), numbers(blocks));
            }
            object
        }
        Note::Answered { ticket, status, values, failed, changed } => map! {
            "event" => "answered",
            "ticket" => number(*ticket),
            "status" => word(&STATUSES, *status),
            "failed" => *failed,
            "changed" => *changed,
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
        Note::Block(block) => block.object(),
        Note::Set { host, blocks, vars } => map! {
            "event" => "set", "host" => host.clone(), "blocks" => numbers(blocks), "vars" => vars.clone(),
        },
        Note::TakesBack { host } => map! { "event" => "takes_back", "host" => host.clone() },
        Note::Undone { host, blocks } => {
            map! { "event" => "undone", "host" => host.clone(), "blocks" => numbers(blocks) }
        }
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

impl BlockBegun {
    fn object(&self) -> Map {
        let Self { id, host, play, of_play, at, nth, name, title, includes, vars } = self.clone();
        map! {
            "event" => "block",
            "id" => number(id),
            "host" => host,
            "play" => play,
            "of_play" => of_play,
            "place" => at,
            "nth" => nth,
            "name" => name,
            "title" => title,
            "includes" => includes.iter().map(include).collect::<Value>(),
            "vars" => vars,
        }
    }

    fn read(of: Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            id: of.number("id")?,
            host: of.text("host")?,
            play: of.number("play")?,
            of_play: of.text("of_play")?,
            at: of.text("place")?,
            nth: of.number("nth")?,
            name: of.text("name")?,
            title: of.text("title")?,
            includes: of.objects("includes", read_include)?,
            vars: of.map("vars")?.clone(),
        })
    }
}

fn include(include: &Include) -> Value {
    let Include { at, name, nth, what, vars, item } = include.clone();
    map! { "place" => at, "name" => name, "nth" => nth, "what" => what, "vars" => vars, "item" => item }
        .into()
}

fn read_include(of: Fields<'_>) -> Result<Include, Fault> {
    Ok(Include {
        at: of.text("place")?,
        name: of.text("name")?,
        nth: of.number("nth")?,
        what: of.map("what")?.clone(),
        vars: of.map("vars")?.clone(),
        item: of.number("item")?,
    })
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
            blocks: if of.0.contains_key("blocks") { of.numbers("blocks")? } else { Vec::new() },
        },
        "answered" => Note::Answered {
            ticket: of.number("ticket")?,
            status: of.word("status", &STATUSES)?,
            values: of.map("values")?.clone(),
            failed: of.flag("failed")?,
            changed: of.flag("changed")?,
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
        "block" => Note::Block(BlockBegun::read(of)?),
        "set" => {
            Note::Set { host: of.text("host")?, blocks: of.numbers("blocks")?, vars: of.map("vars")?.clone() }
        }
        "takes_back" => Note::TakesBack { host: of.text("host")? },
        "undone" => Note::Undone { host: of.text("host")?, blocks: of.numbers("blocks")? },
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
    use crate::events::{RunEvent, object};

    #[test]
    fn notes_come_back_as_they_were() {
        let (host, handler): (Arc<str>, Arc<str>) = ("web1".into(), "nginx : restart".into());
        let begun = |instead, blocks| Note::Begun {
            ticket: 7,
            host: host.clone(),
            play: 2,
            task: "t".into(),
            asked: "a".into(),
            instead,
            blocks,
        };
        let notes = [
            Note::Source { path: "/srv/site.yml".into(), digest: "00".into() },
            begun(None, Vec::new()),
            begun(Some(6), vec![3, 5]),
            Note::Block(BlockBegun {
                id: 3,
                host: host.clone(),
                play: 1,
                at: "/srv/site.yml:3:5".into(),
                of_play: "Web".into(),
                nth: 0,
                name: "{{ word }}".into(),
                title: "Register".into(),
                includes: vec![Include {
                    at: "/srv/site.yml:2:5".into(),
                    name: "More".into(),
                    nth: 1,
                    what: map! { "file" => "more.yml" },
                    vars: map! { "item" => 1 },
                    item: 2,
                }],
                vars: map! { "answer" => map! { "rc" => 0 } },
            }),
            Note::Set { host: host.clone(), blocks: vec![3], vars: map! { "word" => "{{ x }}" } },
            Note::TakesBack { host: host.clone() },
            Note::Undone { host: host.clone(), blocks: vec![3] },
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
            changed: status == Status::Changed,
        });
        for note in notes.into_iter().chain(answers) {
            let event = RunEvent::Noted(note);
            assert_eq!(object::event(&object::of(&event)).as_ref(), Ok(&event));
        }
    }
}
