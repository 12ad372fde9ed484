//! Orders with a ticket: carried out once, however often they are requested.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use convoy_protocol::message::Ticket;

use super::work::until_gone;
use super::*;
use crate::link::LinkError;

/// An order that runs a shell line once, under a ticket with this number.
fn once(number: u64, line: &str) -> Order {
    ticketed(number, "shell", map! { "_raw_params" => line })
}

fn ticketed(number: u64, module: &str, args: Map) -> Order {
    Order { ticket: Some(Ticket { number, quiet: false, once: true }), ..order(module, args) }
}

async fn outcome(link: &Link, order: Order) -> Outcome {
    link.request(vec![step([order])]).await.unwrap().steps.remove(0).remove(0)
}

fn stdout(outcome: &Outcome) -> (Status, &str) {
    (outcome.status, outcome.values.get("stdout").and_then(|out| out.as_str()).unwrap_or_default())
}

async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns the tickets of the orders that the node has stored.
fn kept(home: &Path) -> Vec<String> {
    names(&home.join(".local/state/convoy/runs/test/steps"))
}

fn content(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[tokio::test]
async fn an_order_requested_twice_is_carried_out_once() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    let line =
        format!("echo x >> {0}/done; wc -l < {0}/done; echo to the other >&2; exit 3", home.path().display());
    let first = outcome(&link, once(7, &line)).await;
    assert_eq!(stdout(&first), (Status::Failed, "1"));
    assert_eq!(outcome(&link, once(7, &line)).await, first);
    let other = self::link(home.path(), opening(None));
    assert_eq!(outcome(&other, once(7, &line)).await, first);
    assert_eq!(stdout(&outcome(&other, once(8, &line)).await), (Status::Failed, "2"));
    assert_eq!(kept(home.path()), ["7", "8"]);

    other.acknowledge(vec![7, 8]);
    outcome(&other, order("ping", Map::new())).await;
    assert!(!home.path().join(".local/state/convoy/runs/test").exists());
    assert_eq!(
        stdout(&outcome(&other, once(7, &line)).await),
        (Status::Failed, "3"),
        "acknowledged orders are forgotten"
    );
}

/// Orders that only read, or run in check mode, leave nothing behind.
#[tokio::test]
async fn orders_that_change_nothing_are_not_stored() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    outcome(&link, ticketed(1, "stat", map! { "path" => "/" })).await;
    outcome(&link, Order { check: true, ..once(2, "true") }).await;
    assert_eq!(names(&home.path().join(".local/state/convoy/runs")), [""; 0]);
}

#[tokio::test]
async fn a_lost_answer_is_repeated() {
    let home = tempfile::tempdir().unwrap();
    let line = format!(
        "touch {0}/begun; until test -e {0}/go; do sleep 0.01; done; echo x >> {0}/done; echo well",
        home.path().display()
    );
    let first = link(home.path(), opening(None));
    let order = once(1, &line);
    let again = order.clone();
    let asked = tokio::spawn(async move { first.request(vec![step([order])]).await.map(drop) });
    until(|| home.path().join("begun").exists()).await;
    asked.abort();
    asked.await.unwrap_err();
    // The first agent continues on its own; the second waits for it.
    let second = link(home.path(), opening(None));
    let pid = second.welcome().await.unwrap().pid;
    let answer = tokio::spawn(async move { outcome(&second, again).await });
    until(|| content(format!("/proc/{pid}/task/{pid}/children").into()).trim().is_empty()).await;
    fs::write(home.path().join("go"), "").unwrap();
    assert_eq!(stdout(&answer.await.unwrap()), (Status::Changed, "well"));
    assert_eq!(content(home.path().join("done")), "x\n");
}

/// The outcome of an interrupted command is unknown. A file can be checked again.
#[tokio::test]
async fn an_interrupted_command_is_unknown_and_a_file_is_checked_again() {
    let home = tempfile::tempdir().unwrap();
    let first = link(home.path(), opening(None));
    let pid = first.welcome().await.unwrap().pid;
    let kill = once(1, &format!("kill -9 {pid}; sleep 1"));
    let error = first.request(vec![step([kill.clone()])]).await.unwrap_err();
    assert_eq!(error, LinkError::Closed("the node closed it".into()));
    let second = link(home.path(), opening(None));
    assert_eq!(outcome(&second, kill.clone()).await.status, Status::Interrupted);
    assert_eq!(outcome(&second, kill).await.status, Status::Interrupted, "also if it is requested again");

    let state = home.path().join(".local/state/convoy/runs/test/steps");
    let file = |number, name: &str| {
        let args = map! { "path" => home.path().join(name).display().to_string(), "state" => "directory" };
        ticketed(number, "file", args)
    };
    for (number, name) in [(2, "was not made"), (3, "was made")] {
        fs::copy(state.join("1"), state.join(number.to_string())).unwrap();
        if number == 3 {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        assert_eq!(outcome(&second, file(number, name)).await.status, Status::Changed);
        assert!(home.path().join(name).is_dir());
    }
    assert_eq!(outcome(&second, file(4, "was made")).await.status, Status::Same);
}

#[tokio::test]
async fn of_a_secret_result_only_the_status_is_stored() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    let order =
        Order { ticket: Some(Ticket { number: 1, quiet: true, once: true }), ..once(1, "echo hunter2") };
    assert_eq!(stdout(&outcome(&link, order.clone()).await), (Status::Changed, "hunter2"));
    let again = outcome(&link, order).await;
    let why = map! { "censored" => "the result is secret and was not stored on the node" };
    assert_eq!((again.status, again.values), (Status::Changed, why));
    let file = fs::read(home.path().join(".local/state/convoy/runs/test/steps/1")).unwrap();
    assert!(!file.windows(7).any(|part| part == b"hunter2"));
}

/// After a detach the node finishes its work; after a lost connection it stops when the silence limit is over.
#[tokio::test]
async fn a_node_finishes_after_a_detach_but_not_after_a_lost_connection() {
    for leaves in [true, false] {
        let home = tempfile::tempdir().unwrap();
        let opening = Opening::new(hello(1), None).unwrap();
        let link = link(home.path(), opening);
        let pid = link.welcome().await.unwrap().pid;
        let word = format!("1000.{}3", std::process::id());
        let line = format!(
            "touch {0}/begun; sleep 1.5; touch {0}/done; {1}",
            home.path().display(),
            match leaves {
                true => "true".to_owned(),
                false => format!("sleep {word}"),
            }
        );
        let asked = link.request(vec![step([once(1, &line)])]);
        let begun = until(|| home.path().join("begun").exists());
        tokio::select! { _ = asked => panic!("it was answered"), () = begun => {} }
        if leaves {
            link.control().detach().await;
        } else {
            drop(link);
        }
        until(|| !fs::exists(format!("/proc/{pid}")).unwrap()).await;
        until_gone(&word).await;
        let again = self::link(home.path(), super::opening(None));
        let expected = if leaves { Status::Changed } else { Status::Interrupted };
        assert_eq!(outcome(&again, once(1, &line)).await.status, expected);
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_recorded_is_not_begun() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join(".local/state/convoy/runs");
    fs::create_dir_all(&runs).unwrap();
    fs::write(runs.join("test"), "").unwrap();
    let link = link(home.path(), opening(None));
    let order = once(1, &format!("touch {}/done", home.path().display()));
    let why = "cannot record the start of this step on the node, so it was not started: File exists";
    assert_eq!(msg(&outcome(&link, order).await), (Status::Failed, why));
    assert!(!home.path().join("done").exists());
}
