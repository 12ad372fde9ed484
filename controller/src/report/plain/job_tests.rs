//! What is printed for asynchronous jobs: Ansible's lines, and more with `-v`.

use super::super::Options;
use super::super::sample::{self, Capture};
use super::Plain;
use crate::events::{JobState, Reporter};

fn printed(verbosity: u8) -> (String, String) {
    let (out, err) = (Capture::default(), Capture::default());
    let options = Options { verbosity, ..Options::default() };
    let mut plain = Plain::new(&options, out.sink(), err.sink());
    for (state, line) in [
        (JobState::Begins, None),
        (JobState::Begun, Some("setsid")),
        (JobState::Moves, Some("table 3 of 7")),
        (JobState::Polled, None),
        (JobState::Quiet, Some("5 minutes")),
        (JobState::Lost, Some("no answer for 30 s")),
        (JobState::Attached, Some("after 3 s")),
        (JobState::Ok, None),
        (JobState::Failed, None),
    ] {
        plain.event(&sample::job(state, line));
    }
    (out.text(), err.text().replace('\n', " "))
}

const WARNINGS: &str = "[WARNING]: web1: job j803412345678.4321 of task \"Migrate\" has printed nothing for 5 minutes; it \
    continues [WARNING]: web1: no answer for 30 s; job j803412345678.4321 of task \"Migrate\" continues on the host; \
    reconnecting to it ";

#[test]
fn ansibles_lines_are_printed() {
    let lines = "ASYNC POLL on web1: jid=j803412345678.4321 started=1 finished=0
ASYNC OK on web1: jid=j803412345678.4321
ASYNC FAILED on web1: jid=j803412345678.4321
";
    assert_eq!(printed(0), (lines.to_owned(), WARNINGS.to_owned()));
}

#[test]
fn progress_is_printed_with_v() {
    let lines = "<web1> job j803412345678.4321 has started, detached by setsid
<web1> after 12 s: table 3 of 7
ASYNC POLL on web1: jid=j803412345678.4321 started=1 finished=0
<web1> following job j803412345678.4321 again after 3 s
ASYNC OK on web1: jid=j803412345678.4321
ASYNC FAILED on web1: jid=j803412345678.4321
";
    assert_eq!(printed(1), (lines.to_owned(), WARNINGS.to_owned()));
}
