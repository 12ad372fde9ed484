//! Nodes that violate the protocol: each violation is an error, soon, and has no other effect.

use convoy_protocol::frame::{MAGIC, encode};
use convoy_protocol::lock::{HeldLock, LockTaken, Refusal, RefusalReason};
use convoy_protocol::message::{Answer, FromAgent};
use convoy_protocol::{Digest, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::link::LinkError;

/// Sends a window with one ping to a node that answers `bytes` and then nothing more; returns the error.
async fn error_after(bytes: Vec<u8>) -> LinkError {
    let (ours, theirs) = duplex(1 << 20);
    let link = Link::open(ours, Opening::new(hello(1), Some(vec![ping("x")])).unwrap(), Arc::default());
    let (mut source, mut sink) = tokio::io::split(theirs);
    tokio::spawn(async move { tokio::io::copy(&mut source, &mut tokio::io::sink()).await });
    // The link may end before it has read all.
    tokio::spawn(async move {
        sink.write_all(&bytes).await.ok();
        std::future::pending::<()>().await;
    });
    link.first_answer().await.unwrap_err()
}

fn encoded(messages: &[FromAgent]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    messages.iter().for_each(|message| bytes.extend(encode(message).unwrap()));
    bytes
}

fn answer(window: u64, steps: Vec<Vec<Outcome>>) -> Vec<u8> {
    encoded(&[FromAgent::Answer(Answer { window, steps })])
}

fn outcome(status: Status) -> Outcome {
    Outcome { status, values: Map::new(), diff: Vec::new(), offer: None, millis: 0 }
}

fn violation(why: &str) -> LinkError {
    LinkError::Protocol(why.into())
}

#[tokio::test]
async fn a_silent_node_is_given_up() {
    assert_eq!(error_after(Vec::new()).await, LinkError::Silent(1));
    assert_eq!(error_after(MAGIC.to_vec()).await, LinkError::Silent(1));
    assert_eq!(LinkError::Silent(1).to_string(), "no answer for 1 s");
}

#[tokio::test]
async fn messages_that_no_agent_sends_are_errors() {
    let giant = [MAGIC.as_slice(), &[0xff; 4]].concat();
    assert_eq!(
        error_after(giant).await,
        violation("a message of 4294967295 bytes is larger than the 33554432 bytes allowed")
    );
    let garbage = [MAGIC.as_slice(), &[3, 0, 0, 0, 0xee, 1, 2]].concat();
    assert!(matches!(error_after(garbage).await, LinkError::Protocol(_)));
    let needs: Vec<_> = (0..100u8).map(|n| FromAgent::Need(Digest::of(&[n]))).collect();
    assert_eq!(error_after(encoded(&needs)).await, violation("it asks for too many contents at once"));
    let fault = encoded(&[FromAgent::Fault("\x1b[2Jno space".into())]);
    assert_eq!(error_after(fault).await, LinkError::Agent("[2Jno space".into()));
    let entry =
        |uid| FromAgent::LockTaken(LockTaken { held: HeldLock { uid, generation: 1 }, record_lost: None });
    let entries: Vec<_> = (0..300).map(entry).collect();
    assert_eq!(error_after(encoded(&entries)).await, violation("it takes locks for too many users"));
    let refusal = Refusal { user: "x".into(), lock: "y".into(), why: RefusalReason::Unavailable("z".into()) };
    let refused = encoded(&[entry(0), FromAgent::Refused(refusal.clone())]);
    assert_eq!(error_after(refused).await, LinkError::Refused(refusal.into()));
    for (line, why) in [
        ("need vax gz\n", "it asks for an agent that it was not offered"),
        ("need x86_64 gz\nconvoy-bootstrap-1 need x86_64 gz\n", "it asks for the agent twice"),
        ("got 1\n", "it received more than was sent"),
    ] {
        assert_eq!(error_after(format!("convoy-bootstrap-1 {line}").into_bytes()).await, violation(why));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_window_is_an_error() {
    let same = || outcome(Status::Same);
    for (bytes, why) in [
        (answer(7, vec![vec![same()]]), "an answer to window 7, which is not pending"),
        (answer(1, vec![]), "an answer without the first step"),
        (answer(1, vec![vec![same(), same()]]), "2 outcomes for 1 orders"),
        (answer(1, vec![vec![]]), "0 outcomes for 1 orders"),
        (answer(1, vec![vec![same()], vec![same()]]), "2 steps answered, 1 requested"),
        (
            answer(1, vec![vec![outcome(Status::WouldChange)]]),
            "an outcome that is impossible in the order's mode",
        ),
    ] {
        assert_eq!(error_after(bytes).await, violation(why));
    }
}

#[tokio::test]
async fn an_answer_beyond_a_step_that_differs_is_an_error() {
    let (ours, mut theirs) = duplex(1 << 20);
    let checked = step([Order { check: true, ..order("ping", Map::new()) }]);
    let link =
        Link::open(ours, Opening::new(hello(5), Some(vec![checked, ping("x")])).unwrap(), Arc::default());
    let steps = [Status::WouldChange, Status::Same].map(|status| vec![outcome(status)]).to_vec();
    theirs.write_all(&answer(1, steps)).await.unwrap();
    let error = link.first_answer().await.unwrap_err();
    assert_eq!(error, violation("steps answered beyond one whose outcome was not `same`"));
    assert_eq!(
        link.request(vec![ping("x")]).await.unwrap_err(),
        error,
        "a link that has failed stays failed"
    );
}

#[tokio::test]
async fn memory_stays_bounded_when_a_node_reads_nothing() {
    let (ours, mut theirs) = duplex(1024);
    let contents = Arc::new(Contents::default());
    let digest = contents.add_bytes(vec![0x55; 8 << 20]);
    let link = Link::open(ours, Opening::new(hello(1), None).unwrap(), contents);
    theirs.write_all(&encoded(&[FromAgent::Need(digest)])).await.unwrap();
    let mut some = [0; 10];
    theirs.read_exact(&mut some).await.unwrap();
    assert_eq!(link.request(vec![ping("x")]).await.unwrap_err(), LinkError::Silent(1));
    assert!(link.bytes().0 < 2 << 20);
}
