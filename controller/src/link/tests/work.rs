//! Windows of work carried out by the real agent.

use std::fs;
use std::time::Duration;

use super::*;
use crate::link::LinkError;

fn command(line: &str) -> Order {
    order("command", map! { "_raw_params" => line })
}

fn statuses(answer: &convoy_protocol::message::Answer) -> Vec<Vec<Status>> {
    answer.steps.iter().map(|outcomes| outcomes.iter().map(|outcome| outcome.status).collect()).collect()
}

/// Waits until no process has `word` among its arguments.
pub(super) async fn until_gone(word: &str) {
    let running = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .any(|line| line.split(|byte| *byte == 0).any(|arg| arg == word.as_bytes()))
    };
    while running() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn looking_ahead_stops_at_the_first_step_that_is_not_same() {
    use Status::{Changed, Failed, Same, WouldChange};
    let home = tempfile::tempdir().unwrap();
    let file = |check| {
        let path = home.path().join("new").to_str().unwrap().to_owned();
        step([Order { check, ..order("file", map! { "path" => path, "state" => "directory" }) }])
    };
    let link = link(home.path(), opening(None));
    let none = order("no_such_module", Map::new());
    for (steps, expected) in [
        (vec![ping("a"), ping("b"), ping("c")], vec![vec![Same], vec![Same], vec![Same]]),
        (vec![ping("a"), ping("crash"), ping("c")], vec![vec![Same]]),
        (vec![ping("crash"), ping("b")], vec![vec![Failed]]),
        (vec![step([none, ping("b").orders.remove(0)]), ping("c")], vec![vec![Failed, Same]]),
        (vec![file(true), ping("b")], vec![vec![WouldChange]]),
        (vec![ping("a"), file(false)], vec![vec![Same]]),
        (vec![file(false), ping("b")], vec![vec![Changed]]),
        (vec![ping("a"), file(false), ping("b")], vec![vec![Same], vec![Same], vec![Same]]),
    ] {
        let answer = link.request(steps.clone()).await.unwrap();
        assert_eq!(statuses(&answer), expected, "{steps:?}");
    }
    let answer = link.request(vec![step([order("no_such_module", Map::new())])]).await.unwrap();
    assert_eq!(msg(&answer.steps[0][0]), (Failed, "this agent has no module 'no_such_module'"));
    assert_eq!(link.round_trips(), 9);
    link.close().await;
}

#[tokio::test]
async fn content_is_sent_once_and_only_when_needed() {
    let home = tempfile::tempdir().unwrap();
    let contents = Arc::new(Contents::default());
    // Not a multiple of the part size, and partly incompressible.
    let mut state = 1u32;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(1 << 20)
    .collect();
    bytes.resize((20 << 20) + 17, 0);
    let digest = contents.add_bytes(bytes.clone());
    let copy = |dest: &str| {
        let file = map! {
            "digest" => digest.to_string(), "size" => bytes.len() as i64, "mode" => 0o644, "name" => "big",
        };
        let dest = home.path().join(dest).to_str().unwrap().to_owned();
        vec![step([order("copy", map! { "src" => file, "dest" => dest })])]
    };
    for (dest, least, most) in [("one", 1 << 20, 5 << 20), ("two", 0, 10_000)] {
        let link = link_with(home.path(), opening(None), contents.clone());
        let answer = link.request(copy(dest)).await.unwrap();
        assert_eq!(msg(&answer.steps[0][0]), (Status::Changed, ""));
        assert!(fs::read(home.path().join(dest)).unwrap() == bytes);
        let sent = link.bytes().0;
        assert!(sent >= least && sent < most, "{sent}");
        link.close().await;
    }
    assert_eq!(names(&home.path().join(".cache/convoy/content")), [digest.to_string()]);

    let link = link_with(home.path(), opening(None), Arc::default());
    fs::remove_dir_all(home.path().join(".cache/convoy/content")).unwrap();
    let answer = link.request(copy("three")).await.unwrap();
    let why = format!("cannot get the content {digest} from the controller: this run has not registered it");
    assert_eq!(msg(&answer.steps[0][0]), (Status::Failed, why.as_str()));
    assert!(!home.path().join("three").exists());
    assert_eq!(names(&home.path().join(".cache/convoy/content")), [""; 0]);
}

#[tokio::test]
async fn an_order_is_stopped_at_its_deadline() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    let word = format!("1000.{}1", std::process::id());
    let late = Order { deadline_seconds: Some(1), ..command(&format!("sleep {word}")) };
    let answer = link.request(vec![step([late])]).await.unwrap();
    let text = "The command action failed to execute in the expected time frame (1) and was terminated";
    assert_eq!(msg(&answer.steps[0][0]), (Status::Failed, text));
    until_gone(&word).await;
    assert_eq!(statuses(&link.request(vec![ping("a")]).await.unwrap()), [[Status::Same]]);
}

#[tokio::test]
async fn a_killed_agent_closes_the_link() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), opening(None));
    let pid = link.welcome().await.unwrap().pid;
    let kill = order("shell", map! { "_raw_params" => format!("kill -9 {pid}; sleep 1") });
    let error = link.request(vec![step([kill])]).await.unwrap_err();
    assert_eq!(error, LinkError::Closed("the node closed it".into()));
    assert_eq!(link.request(vec![ping("a")]).await.unwrap_err(), error);
}

#[tokio::test]
async fn commands_are_stopped_soon_after_the_controller_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let link = link(home.path(), Opening::new(hello(1), None).unwrap());
    let pid = link.welcome().await.unwrap().pid;
    let word = format!("1000.{}2", std::process::id());
    let mark = home.path().join("started");
    let line = format!("touch {}; sleep {word}; sleep {word}", mark.display());
    let orders = [&line, &line].map(|line| order("shell", map! { "_raw_params" => line.as_str() }));
    let asked = tokio::spawn(async move { link.request(vec![step(orders)]).await.map(drop) });
    while !mark.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    asked.abort();
    until_gone(&word).await;
    while fs::exists(format!("/proc/{pid}")).unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_agent_exits_when_the_controller_is_silent() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let home = tempfile::tempdir().unwrap();
    let opening = Opening::new(hello(1), None).unwrap();
    link(home.path(), super::opening(None)).welcome().await.unwrap();
    let mut stream =
        Box::pin(local::spawn(shell("sh", home.path()).arg("-c").arg(opening.script())).unwrap());
    stream.write_all(&opening.ahead).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    let fault = b"the controller was silent for 1 seconds";
    assert!(said.ends_with(fault), "{}", String::from_utf8_lossy(&said));
}
