//! What is printed of jobs: Ansible's lines at their places, and more with `-v`.

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

const WARNINGS: &str = "[WARNING]: web1: the job j803412345678.4321 of the task \"Migrate\" has printed nothing for 5 minutes; \
    it goes on [WARNING]: web1: no answer for 30 s; the job j803412345678.4321 of the task \"Migrate\" goes on there, and is \
    looked for again ";

#[test]
fn lines_of_ansible() {
    let lines = "ASYNC POLL on web1: jid=j803412345678.4321 started=1 finished=0
ASYNC OK on web1: jid=j803412345678.4321
ASYNC FAILED on web1: jid=j803412345678.4321
";
    assert_eq!(printed(0), (lines.to_owned(), WARNINGS.to_owned()));
}

#[test]
fn progress() {
    let lines = "<web1> the job j803412345678.4321 has begun, detached by setsid
<web1> after 12 s: table 3 of 7
ASYNC POLL on web1: jid=j803412345678.4321 started=1 finished=0
<web1> the job j803412345678.4321 is followed again, after 3 s
ASYNC OK on web1: jid=j803412345678.4321
ASYNC FAILED on web1: jid=j803412345678.4321
";
    assert_eq!(printed(1), (lines.to_owned(), WARNINGS.to_owned()));
}
