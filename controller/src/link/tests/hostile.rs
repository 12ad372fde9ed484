//! Nodes that do not behave as an agent does: each is an error, soon, and nothing else.

use convoy_protocol::frame::{MAGIC, encode};
use convoy_protocol::lock::{HeldLock, LockTaken, Refusal, RefusalReason};
use convoy_protocol::message::{Answer, FromAgent};
use convoy_protocol::{Digest, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::link::LinkError;

/// Has a window of one ping answered by a node that says `bytes` and then nothing more.
async fn hear(bytes: Vec<u8>) -> LinkError {
    let (ours, theirs) = duplex(1 << 20);
    let link = Link::open(ours, Opening::new(hello(1), Some(vec![ping("x")])).unwrap(), Arc::default());
    let (mut source, mut sink) = tokio::io::split(theirs);
    tokio::spawn(async move { tokio::io::copy(&mut source, &mut tokio::io::sink()).await });
    // The link may end before it has read all.
    tokio::spawn(async move {
        sink.write_all(&bytes).await.ok();
        std::future::pending::<()>().await;
    });
    link.first().await.unwrap_err()
}

fn said(messages: &[FromAgent]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    messages.iter().for_each(|message| bytes.extend(encode(message).unwrap()));
    bytes
}

fn answer(window: u64, steps: Vec<Vec<Outcome>>) -> Vec<u8> {
    said(&[FromAgent::Answer(Answer { window, steps })])
}

fn outcome(status: Status) -> Outcome {
    Outcome { status, values: Map::new(), diff: Vec::new(), offer: None, millis: 0 }
}

fn nonsense(why: &str) -> LinkError {
    LinkError::Nonsense(why.into())
}

#[tokio::test]
async fn silence_has_an_end() {
    assert_eq!(hear(Vec::new()).await, LinkError::Silent(1));
    assert_eq!(hear(MAGIC.to_vec()).await, LinkError::Silent(1));
    assert_eq!(LinkError::Silent(1).to_string(), "no answer for 1 s");
}

#[tokio::test]
async fn garbage_is_an_error() {
    let giant = [MAGIC.as_slice(), &[0xff; 4]].concat();
    assert_eq!(
        hear(giant).await,
        nonsense("a message of 4294967295 bytes is larger than the 33554432 bytes allowed")
    );
    let garbage = [MAGIC.as_slice(), &[3, 0, 0, 0, 0xee, 1, 2]].concat();
    assert!(matches!(hear(garbage).await, LinkError::Nonsense(_)));
    let needs: Vec<_> = (0..100u8).map(|n| FromAgent::Need(Digest::of(&[n]))).collect();
    assert_eq!(hear(said(&needs)).await, nonsense("it asks for too many contents at once"));
    let fault = said(&[FromAgent::Fault("\x1b[2Jno space".into())]);
    assert_eq!(hear(fault).await, LinkError::Fault("[2Jno space".into()));
    let entry =
        |uid| FromAgent::LockTaken(LockTaken { held: HeldLock { uid, generation: 1 }, record_lost: None });
    let entries: Vec<_> = (0..300).map(entry).collect();
    assert_eq!(hear(said(&entries)).await, nonsense("it locks for too many users"));
    let refusal = Refusal { user: "x".into(), lock: "y".into(), why: RefusalReason::Unavailable("z".into()) };
    let refused = said(&[entry(0), FromAgent::Refused(refusal.clone())]);
    assert_eq!(hear(refused).await, LinkError::Refused(refusal.into()));
    for (line, why) in [
        ("need vax gz\n", "it wants an agent that it was not offered"),
        ("need x86_64 gz\nconvoy-bootstrap-1 need x86_64 gz\n", "it wants the agent twice"),
        ("got 1\n", "it received more than was sent"),
    ] {
        assert_eq!(hear(format!("convoy-bootstrap-1 {line}").into_bytes()).await, nonsense(why));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_an_error() {
    let same = || outcome(Status::Same);
    for (bytes, why) in [
        (answer(7, vec![vec![same()]]), "an answer to the window 7, which nobody asked"),
        (answer(1, vec![]), "an answer without the first step"),
        (answer(1, vec![vec![same(), same()]]), "2 outcomes of 1 orders"),
        (answer(1, vec![vec![]]), "0 outcomes of 1 orders"),
        (answer(1, vec![vec![same()], vec![same()]]), "2 steps answered, 1 asked"),
        (answer(1, vec![vec![outcome(Status::WouldChange)]]), "an outcome that the order's mode cannot have"),
    ] {
        assert_eq!(hear(bytes).await, nonsense(why));
    }
}

#[tokio::test]
async fn later_steps_can_only_be_the_same() {
    let (ours, mut theirs) = duplex(1 << 20);
    let checked = step([Order { check: true, ..order("ping", Map::new()) }]);
    let link =
        Link::open(ours, Opening::new(hello(5), Some(vec![checked, ping("x")])).unwrap(), Arc::default());
    let steps = [Status::WouldChange, Status::Same].map(|status| vec![outcome(status)]).to_vec();
    theirs.write_all(&answer(1, steps)).await.unwrap();
    let error = link.first().await.unwrap_err();
    assert_eq!(error, nonsense("steps that were not all the same as asked, behind one another"));
    assert_eq!(link.ask(vec![ping("x")]).await.unwrap_err(), error, "what failed stays failed");
}

#[tokio::test]
async fn a_node_that_reads_nothing_does_not_fill_our_memory() {
    let (ours, mut theirs) = duplex(1024);
    let contents = Arc::new(Contents::default());
    let digest = contents.add_bytes(vec![0x55; 8 << 20]);
    let link = Link::open(ours, Opening::new(hello(1), None).unwrap(), contents);
    theirs.write_all(&said(&[FromAgent::Need(digest)])).await.unwrap();
    let mut some = [0; 10];
    theirs.read_exact(&mut some).await.unwrap();
    assert_eq!(link.ask(vec![ping("x")]).await.unwrap_err(), LinkError::Silent(1));
    assert!(link.bytes().0 < 2 << 20);
}
