//! Why a host is lost for the run, and the messages about it.

use std::fmt::Write as _;

use convoy_protocol::bootstrap::printable_tail;
use convoy_protocol::lock::{Holder, Refusal, RefusalReason};
use jiff::Timestamp;

/// Why a host is lost for the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It cannot be reached, or is lost.
    #[error("{0}")]
    Unreachable(String),
    /// The connection to its agent was cut: what was asked may have been done, and another connection may bring it back.
    #[error("{0}")]
    Disconnected(String),
    /// The run may not work on it.
    #[error("{0}")]
    Refused(String),
}

impl HostError {
    /// Returns the same where it makes no difference whether there was an agent.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Disconnected(why) => Self::Unreachable(why),
            lost => lost,
        }
    }
}

impl From<String> for HostError {
    fn from(why: String) -> Self {
        Self::Unreachable(why)
    }
}

/// Returns the message for a refusal. `worked`: whether the run has worked on that node before; `command` begins it again.
pub fn refusal(refusal: &Refusal, worked: bool, command: Option<&str>) -> String {
    let done = if worked { "nothing more was done here" } else { "nothing was done here" };
    let (user, lock) = (text(&refusal.user), text(&refusal.lock));
    let again = command.map_or_else(|| "start again".to_owned(), |line| format!("start again with `{line}`"));
    match &refusal.why {
        RefusalReason::Busy { holder, processes } => {
            let mut said = match holder {
                Some(holder) => format!(
                    "{} has been working on this node as {user} since {} (generation {})",
                    run(holder),
                    time(holder.since),
                    holder.generation
                ),
                None => format!(
                    "another run is working on this node as {user}; it is unknown which, because its record beside {lock} is damaged"
                ),
            };
            let processes: Vec<String> = processes
                .iter()
                .map(|process| format!("{} ({})", process.pid, text(&process.name)))
                .collect();
            // Writing to a text does not fail.
            let _ = write!(said, "; {done}. When it has ended, {again}. ");
            let _ = match processes.len() {
                0 => write!(said, "It holds {lock}"),
                1 => write!(said, "It holds {lock} with process {}", processes[0]),
                _ => write!(said, "It holds {lock} with processes {}", processes.join(", ")),
            };
            said
        }
        RefusalReason::Intervened { holder, given } => {
            let had = given.map(|given| format!("; this run had {given}")).unwrap_or_default();
            format!(
                "{} intervened at {} as {user} (generation {}{had}) while this run was disconnected; {done}. What this run \
                 knows about the node may be out of date: {again}",
                run(holder),
                time(holder.since),
                holder.generation
            )
        }
        RefusalReason::RecordLost { given, why } => format!(
            "this run had generation {given} of {lock}, and it is unknown whether another run intervened, because the \
             record beside the lock is lost ({}); {done}. {}",
            text(why),
            capital(&again)
        ),
        RefusalReason::Unavailable(why) => {
            format!("cannot lock this node for this run as {user}: {}; {done}", text(why))
        }
    }
}

/// Returns the message if the lock was taken, but who had it before is not known.
pub fn lost_record(why: &str) -> String {
    format!(
        "it is unknown which runs worked on this node before: the record of its lock is lost: {}",
        text(why)
    )
}

fn run(holder: &Holder) -> String {
    format!("run {} of {}", text(&holder.run), text(&holder.by))
}

/// What a node says is shown without what could change the terminal.
fn text(said: &str) -> String {
    printable_tail(said.as_bytes())
}

/// Returns a time of the node's clock.
fn time(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    time.unwrap_or_else(|_| format!("second {seconds}"))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use convoy_protocol::lock::Process;

    use super::*;

    fn of(why: RefusalReason, worked: bool, command: Option<&str>) -> String {
        refusal(&Refusal { user: "root".into(), lock: "/var/lib/convoy/lock".into(), why }, worked, command)
    }

    fn holder(since: i64) -> Holder {
        Holder { run: "20261128-140307-abcde".into(), by: "alice@ws".into(), since, generation: 7 }
    }

    #[test]
    fn what_is_said_of_a_run_that_works() {
        let busy = |holder, processes| {
            of(RefusalReason::Busy { holder, processes }, false, Some("convoy apply site.yml"))
        };
        let process = |pid, name: &str| Process { pid, name: name.into() };
        assert_eq!(
            busy(Some(holder(1_795_874_587)), vec![process(4711, "agent-0f3a")]),
            "run 20261128-140307-abcde of alice@ws has been working on this node as root since 2026-11-28 14:03:07 UTC \
             (generation 7); nothing was done here. When it has ended, start again with `convoy apply site.yml`. It holds \
             /var/lib/convoy/lock with process 4711 (agent-0f3a)"
        );
        let odd = Holder { by: "x\u{1b}[31m".into(), ..holder(i64::MAX) };
        assert_eq!(
            busy(Some(odd), vec![process(1, "a"), process(2, "b")]),
            format!(
                "run 20261128-140307-abcde of {} has been working on this node as root since second 9223372036854775807 \
                 (generation 7); nothing was done here. When it has ended, start again with `convoy apply site.yml`. It \
                 holds /var/lib/convoy/lock with processes 1 (a), 2 (b)",
                text("x\u{1b}[31m")
            )
        );
        assert_eq!(
            busy(None, Vec::new()),
            "another run is working on this node as root; it is unknown which, because its record beside \
             /var/lib/convoy/lock is damaged; nothing was done here. When it has ended, start again with `convoy apply \
             site.yml`. It holds /var/lib/convoy/lock"
        );
    }

    #[test]
    fn what_is_said_to_who_was_away() {
        let between = |given| RefusalReason::Intervened { holder: holder(-1), given };
        assert_eq!(
            of(between(Some(6)), true, None),
            "run 20261128-140307-abcde of alice@ws intervened at 1969-12-31 23:59:59 UTC as root (generation 7; this run \
             had 6) while this run was disconnected; nothing more was done here. What this run knows about the node may \
             be out of date: start again"
        );
        let lost = RefusalReason::RecordLost { given: 6, why: "it is missing".into() };
        assert_eq!(
            of(lost, true, Some("convoy apply site.yml")),
            "this run had generation 6 of /var/lib/convoy/lock, and it is unknown whether another run intervened, because \
             the record beside the lock is lost (it is missing); nothing more was done here. Start again with `convoy apply \
             site.yml`"
        );
        assert_eq!(
            of(RefusalReason::Unavailable("/var/lib/convoy: No space left on device".into()), false, None),
            "cannot lock this node for this run as root: /var/lib/convoy: No space left on device; nothing was done here"
        );
    }
}
