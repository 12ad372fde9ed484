//! What a resumed run did before: read from its journal, and handed out task by task.
//!
//! A resumed run starts again at its first task. Where the journal knows the outcome of an order that would be sent now, the
//! playbook sees that outcome, so that it decides as it did before. Each outcome is handed out once. What is done with it, see
//! `execute/replay.rs`; what is recorded, see `events/note.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::message::Order;
use convoy_protocol::{Digest, Map, Outcome, Status, Value, map};

use crate::events::Note;
use crate::playbook::ast::{LoopSource, Task};
use crate::services::endpoint::Endpoint;
use crate::text::json;

/// How much of a digest is written down, in hexadecimal digits.
const DIGITS: usize = 16;

/// How many tickets a run has, at most, each time it is gone on with.
const EACH: u64 = 1_000_000_000;

/// The first ticket of a run.
const FIRST: u64 = 1;

/// What the journal knows, and what it notes.
#[derive(Debug)]
pub struct ResumeLog {
    /// What holds for every task of the run.
    pub policy: ResumePolicy,
    next: u64,
    tasks: HashMap<TaskKey, Vec<Entry>>,
}

/// What holds for every task of a run that is, or can be, resumed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResumePolicy {
    /// Whether the journal records orders: there is a journal, and the run is not in check mode.
    pub records: bool,
    /// Whether the journal of an earlier run is known: the run is resumed.
    pub resumed: bool,
    /// What to do with a step whose outcome is unknown.
    pub in_doubt: InDoubt,
}

/// What to do with a step of which nobody knows how far it came, or whose result is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum InDoubt {
    /// Stop there, and name it
    #[default]
    Stop,
    /// Do it again
    Again,
    /// Take it for done
    Done,
}

/// A task on a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskKey {
    /// The play, counted from 1 through all playbooks.
    pub play: u32,
    /// The host it is done for.
    pub host: Arc<str>,
    /// A digest of the task as the user wrote it.
    pub task: Arc<str>,
}

#[derive(Debug, Clone)]
struct Entry {
    ticket: u64,
    asked: Arc<str>,
    answer: Option<Answer>,
    /// Whether a rescue ran after it.
    suspect: bool,
}

#[derive(Debug, Clone)]
struct Answer {
    status: Status,
    values: Map,
    fate: Fate,
}

/// What became of the host after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It went on.
    WentOn,
    /// It was a failure; whether the host went on the journal does not say.
    Failed,
    /// The host stopped.
    Stopped,
}

/// What is known of an order that would be asked now.
#[derive(Debug, Clone, PartialEq)]
pub enum PriorOutcome {
    /// It was begun; what came of it the journal does not know.
    Begun {
        /// Its ticket.
        ticket: u64,
    },
    /// It was done.
    Done {
        /// Its ticket.
        ticket: u64,
        /// What came of it.
        outcome: Outcome,
        /// Whether exactly that was asked; else the same task asked otherwise, for one order.
        exactly: bool,
        /// Whether a rescue ran after it, which may have undone it.
        suspect: bool,
    },
}

impl Default for ResumeLog {
    fn default() -> Self {
        Self { policy: ResumePolicy::default(), next: FIRST, tasks: HashMap::new() }
    }
}

impl ResumeLog {
    /// Gathers what a journal has noted, in its order; the run was gone on with so many `times` before.
    pub fn of(notes: impl IntoIterator<Item = Note>, times: u32, in_doubt: InDoubt) -> Self {
        // Where a machine went down, tickets may have been used that the journal does not know.
        let mut next = FIRST + (u64::from(times) + 1) * EACH;
        let mut places: HashMap<u64, TaskKey> = HashMap::new();
        let mut tasks: HashMap<TaskKey, Vec<Entry>> = HashMap::new();
        for note in notes {
            match note {
                Note::Begun { ticket, host, play, task, asked, instead, .. } => {
                    let key = TaskKey { play, host, task };
                    let entries = tasks.entry(key.clone()).or_default();
                    let entry = Entry { ticket, asked, answer: None, suspect: false };
                    match entries.iter_mut().find(|known| Some(known.ticket) == instead) {
                        Some(known) => *known = entry,
                        None => entries.push(entry),
                    }
                    places.insert(ticket, key);
                    next = next.max(ticket + 1);
                }
                Note::Answered { ticket, status, values, failed, .. } => {
                    let answer =
                        Answer { status, values, fate: if failed { Fate::Failed } else { Fate::WentOn } };
                    change(&places, &mut tasks, ticket, |entry| entry.answer = Some(answer));
                }
                Note::Ignored { tickets } => {
                    for ticket in tickets {
                        change(&places, &mut tasks, ticket, |entry| entry.meets(Fate::WentOn));
                    }
                }
                Note::Stopped { tickets } => {
                    for ticket in tickets {
                        change(&places, &mut tasks, ticket, |entry| entry.meets(Fate::Stopped));
                    }
                }
                Note::Rescued { host, from } => {
                    since(&mut tasks, &host, from).for_each(|entry| entry.meets(Fate::WentOn));
                }
                Note::Fell { host, from, turn, rescue } => {
                    let of_host = tasks.iter_mut().filter(|(key, _)| key.host == host);
                    for (_, entries) in of_host {
                        // What is done after a failure is done again after the next.
                        entries.retain(|entry| entry.ticket < turn);
                        for entry in entries.iter_mut().filter(|entry| entry.ticket >= from) {
                            entry.meets(Fate::Stopped);
                            entry.suspect |= rescue;
                        }
                    }
                }
                Note::Source { .. }
                | Note::Block(_)
                | Note::Set { .. }
                | Note::TakesBack { .. }
                | Note::Undone { .. }
                | Note::Notified { .. }
                | Note::Handled { .. } => {}
            }
        }
        forget_failures(places, &mut tasks);
        let policy = ResumePolicy { records: true, resumed: !tasks.is_empty(), in_doubt };
        Self { policy, next, tasks }
    }

    /// Returns a ticket that no order has.
    pub fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Returns the next ticket, without taking it.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes what is known of orders of a task; each thing is given out once.
    pub fn take(&mut self, key: &TaskKey, asked: &[Arc<str>]) -> Vec<Option<PriorOutcome>> {
        let Some(entries) = self.tasks.get_mut(key) else { return vec![None; asked.len()] };
        let mut known = Vec::new();
        for asked in asked {
            let at = entries.iter().position(|entry| entry.asked == *asked);
            known.push(at.map(|at| entries.remove(at).known(true)));
        }
        // A text that has the time in it is another one each time.
        if let ([None], [_]) = (&known[..], &entries[..]) {
            known[0] = entries.pop().map(|entry| entry.known(false));
        }
        known
    }
}

/// Forgets what a host stopped at: it is done anew. Where the journal does not say so, a host has gone on after a failure if
/// something was begun on it.
fn forget_failures(places: HashMap<u64, TaskKey>, tasks: &mut HashMap<TaskKey, Vec<Entry>>) {
    let mut last: HashMap<Arc<str>, u64> = HashMap::new();
    for (ticket, key) in places {
        let last = last.entry(key.host).or_default();
        *last = ticket.max(*last);
    }
    for (key, entries) in tasks {
        let last = last.get(&key.host).copied().unwrap_or_default();
        entries.retain(|entry| match entry.answer.as_ref().map(|answer| answer.fate) {
            None | Some(Fate::WentOn) => true,
            Some(Fate::Failed) => entry.ticket < last,
            Some(Fate::Stopped) => false,
        });
    }
}

fn since<'t>(
    tasks: &'t mut HashMap<TaskKey, Vec<Entry>>,
    host: &str,
    from: u64,
) -> impl Iterator<Item = &'t mut Entry> {
    let of_host = tasks.iter_mut().filter(move |(key, _)| *key.host == *host);
    of_host.flat_map(|(_, entries)| entries).filter(move |entry| entry.ticket >= from)
}

fn change(
    places: &HashMap<u64, TaskKey>,
    tasks: &mut HashMap<TaskKey, Vec<Entry>>,
    ticket: u64,
    change: impl FnOnce(&mut Entry),
) {
    let entries = places.get(&ticket).and_then(|key| tasks.get_mut(key));
    if let Some(entry) = entries.and_then(|entries| entries.iter_mut().find(|entry| entry.ticket == ticket)) {
        change(entry);
    }
}

impl Entry {
    /// Notes what became of the host after a failure.
    fn meets(&mut self, fate: Fate) {
        if let Some(answer) = self.answer.as_mut().filter(|answer| answer.fate == Fate::Failed) {
            answer.fate = fate;
        }
    }

    fn known(self, exactly: bool) -> PriorOutcome {
        let Self { ticket, suspect, .. } = self;
        let Some(Answer { status, values, .. }) = self.answer else { return PriorOutcome::Begun { ticket } };
        let outcome = Outcome { status, values, diff: Vec::new(), offer: None, millis: 0 };
        PriorOutcome::Done { ticket, outcome, exactly, suspect }
    }
}

/// Returns the digest of a task as the user wrote it, without its name, conditions and tags.
pub fn task_digest(task: &Task) -> Arc<str> {
    let items = match task.repeat.as_ref().map(|repeat| &repeat.source) {
        Some(LoopSource::Items(items)) => items.clone(),
        Some(LoopSource::With { lookup, terms }) => vec![Value::from(lookup.clone()), terms.clone()].into(),
        None => Value::null(),
    };
    digest(&map! {
        "role" => task.role.as_ref().map(|role| role.name.clone()),
        "action" => task.action_name.clone(),
        "args" => task.args.clone(),
        "items" => items,
    })
}

/// Returns the digest of what an order asks, and of whom. What is secret is left out: a digest can be guessed.
pub fn asked(order: &Order, endpoint: &Endpoint) -> Arc<str> {
    digest(&map! {
        "host" => endpoint.host.clone(),
        "address" => endpoint.address.as_str(),
        "user" => order.become_user.as_ref().map(|other| other.user.as_str()),
        "module" => order.module.clone(),
        "args" => order.args.clone(),
    })
}

/// Returns the digest of what an action is asked that talks with its node.
pub fn asked_of_action(action: &str, args: &Map, endpoint: &Endpoint) -> Arc<str> {
    digest(&map! { "host" => endpoint.host.clone(), "action" => action, "args" => args.clone() })
}

fn digest(map: &Map) -> Arc<str> {
    let text = json::to_string(&json::lossless::encode(&Value::from(map.clone())), json::Style::default());
    Digest::of(text.as_bytes()).to_string()[..DIGITS].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TaskKey {
        TaskKey { play: 1, host: "web1".into(), task: "t".into() }
    }

    fn begun(ticket: u64, asked: &str, instead: Option<u64>) -> Note {
        let TaskKey { play, host, task } = key();
        Note::Begun { ticket, host, play, task, asked: asked.into(), instead, blocks: Vec::new() }
    }

    fn answered(ticket: u64, status: Status) -> Note {
        Note::Answered {
            ticket,
            status,
            values: Map::new(),
            failed: status == Status::Failed,
            changed: status == Status::Changed,
        }
    }

    /// What is known, in one word: the ticket, and whether it was begun or done.
    fn words(known: &[Option<PriorOutcome>]) -> Vec<String> {
        let word = |before: &Option<PriorOutcome>| match before {
            None => "-".to_owned(),
            Some(PriorOutcome::Begun { ticket }) => format!("{ticket} begun"),
            Some(PriorOutcome::Done { ticket, suspect: true, .. }) => format!("{ticket} done suspect"),
            Some(PriorOutcome::Done { ticket, exactly: true, .. }) => format!("{ticket} done"),
            Some(PriorOutcome::Done { ticket, .. }) => format!("{ticket} done otherwise"),
        };
        known.iter().map(word).collect()
    }

    fn take(notes: &[Note], asked: &[&str]) -> (Vec<String>, ResumeLog) {
        let mut memory = ResumeLog::of(notes.to_vec(), 0, InDoubt::Stop);
        let asked: Vec<Arc<str>> = asked.iter().map(|asked| Arc::from(*asked)).collect();
        (words(&memory.take(&key(), &asked)), memory)
    }

    #[test]
    fn each_thing_is_given_out_once() {
        let notes = [
            begun(1, "a", None),
            begun(2, "a", None),
            begun(3, "b", None),
            answered(1, Status::Changed),
            answered(3, Status::Ran),
        ];
        let (known, mut memory) = take(&notes, &["b", "a", "a", "a", "c"]);
        assert_eq!(known, ["3 done", "1 done", "2 begun", "-", "-"]);
        assert_eq!(memory.ticket(), EACH + 1);
        assert_eq!(memory.ticket(), EACH + 2);
    }

    #[test]
    fn what_the_run_stopped_at_is_done_anew() {
        let failed = [begun(1, "a", None), answered(1, Status::Failed)];
        assert_eq!(take(&failed, &["a"]).0, ["-"]);
        let passed = [&failed[..], &[Note::Ignored { tickets: vec![1] }]].concat();
        assert_eq!(take(&passed, &["a"]).0, ["1 done"]);
        // The run was broken off in what follows the failure.
        let went_on = [&failed[..], &[begun(2, "b", None)]].concat();
        assert_eq!(take(&went_on, &["a", "-"]).0, ["1 done", "-"]);
        // That was a handler.
        let stopped = [&went_on[..], &[Note::Stopped { tickets: vec![1] }]].concat();
        assert_eq!(take(&stopped, &["a", "-"]).0, ["-", "-"]);
    }

    /// A block does `a` and `b`, which fails; `c` is done then.
    #[test]
    fn a_failure_in_a_block() {
        let fell = [
            begun(1, "z", None),
            answered(1, Status::Changed),
            begun(2, "a", None),
            answered(2, Status::Changed),
            begun(3, "b", None),
            answered(3, Status::Failed),
            begun(4, "c", None),
            answered(4, Status::Changed),
        ];
        let asked = ["z", "a", "b", "c"];
        let rescued = [&fell[..], &[Note::Rescued { host: "web1".into(), from: 2 }]].concat();
        assert_eq!(take(&rescued, &asked).0, ["1 done", "2 done", "3 done", "4 done"]);
        let fell = |rescue| {
            let note = Note::Fell { host: "web1".into(), from: 2, turn: 4, rescue };
            take(&[&fell[..], &[note]].concat(), &asked).0
        };
        assert_eq!(fell(false), ["1 done", "2 done", "-", "-"]);
        assert_eq!(fell(true), ["1 done", "2 done suspect", "-", "-"]);
    }

    #[test]
    fn of_several_tries_the_last_counts() {
        let tries = [
            begun(1, "a", None),
            answered(1, Status::Failed),
            begun(2, "a", Some(1)),
            answered(2, Status::Ran),
        ];
        assert_eq!(take(&tries, &["a", "a"]).0, ["2 done", "-"]);
    }

    #[test]
    fn one_order_that_is_asked_otherwise_is_found_all_the_same() {
        let notes = [begun(1, "at noon", None), answered(1, Status::Changed)];
        assert_eq!(take(&notes, &["at one"]).0, ["1 done otherwise"]);
        assert_eq!(take(&notes, &["at one", "at two"]).0, ["-", "-"], "of a loop nobody can tell which");
        let other = TaskKey { task: "u".into(), ..key() };
        assert_eq!(words(&take(&notes, &[]).1.take(&other, &["at noon".into()])), ["-"]);
    }
}
