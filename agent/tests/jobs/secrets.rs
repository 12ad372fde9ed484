//! What a job is given that must not lie on the disk.

use std::fs;
use std::path::Path;

use convoy_protocol::message::JobAsk;
use convoy_protocol::{Status, map};

use crate::harness::{Node, job, order, text};

/// Returns the files below a directory that hold a word.
fn holding(directory: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(holding(&entry.path(), word));
        } else if fs::read(entry.path()).unwrap().windows(word.len()).any(|part| part == word.as_bytes()) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

#[test]
fn an_order_with_secrets_lies_nowhere_while_it_is_at_work() {
    let node = Node::new();
    let mut agent = node.agent();
    let line = "echo hunter2; cat; touch here; while [ ! -e go ]; do sleep 0.02; done";
    let args = map! { "_raw_params" => line, "stdin" => "swordfish" };
    agent.obey(job("j1.1", order("shell", args), JobAsk::Begin { limit_seconds: 600, silent: true }));
    node.wait_for("here");
    let (news, _) = agent.follow("j1.1", 0);
    assert_eq!((news["output"].as_str(), news["finished"].as_int()), (Some(""), Some(0)));
    for word in ["hunter2", "swordfish"] {
        assert_eq!(holding(&node.path("."), word), Vec::<String>::new());
    }
    fs::write(node.path("go"), "").unwrap();
    let (printed, _, outcome) = agent.finish("j1.1");
    assert_eq!((printed.as_str(), text(&outcome, "stdout")), ("", "hunter2\nswordfish"));
    // Who asks for it in another task is told that it is secret.
    let told = agent.run("async_status", map! { "jid" => "j1.1" });
    assert!(told.values["stdout"].taint.is_secret() && told.values["stdout_lines"].deep_taint().is_secret());
    assert!(!told.values["rc"].taint.is_secret() && !told.values["finished"].taint.is_secret());
}

#[test]
fn why_a_job_with_secrets_failed_is_not_said_elsewhere() {
    let node = Node::new();
    let mut agent = node.agent();
    let args = map! { "_raw_params" => "hunter2-is-no-program" };
    agent.obey(job("j1.1", order("command", args), JobAsk::Begin { limit_seconds: 600, silent: true }));
    let (_, _, outcome) = agent.finish("j1.1");
    assert!(text(&outcome, "msg").contains("hunter2-is-no-program"), "{outcome:?}");
    let told = agent.run("async_status", map! { "jid" => "j1.1" });
    let msg = "the job failed; the message is hidden because the job was given secrets";
    assert_eq!((told.status, text(&told, "msg")), (Status::Failed, msg));
    assert!(told.values["cmd"].taint.is_secret());
}

#[test]
fn a_job_has_its_content_without_a_controller() {
    let mut node = Node::new();
    // Of more than one part, so that it travels in several.
    let script = format!(
        "#!/bin/sh\ncat \"$0\" | wc -c\ntouch here\nwhile [ ! -e go ]; do sleep 0.02; done\n#{}",
        "x".repeat(600_000)
    );
    for (id, secret) in [("j1.1", false), ("j1.2", true)] {
        let mut described = node.content("work.sh", format!("{script}{secret}").as_bytes(), secret);
        described.insert("arguments".into(), "".into());
        let args = map! { "_raw_params" => described };
        let begin = JobAsk::Begin { limit_seconds: 600, silent: secret };
        assert_eq!(node.agent().obey(job(id, order("script", args), begin)).status, Status::Changed);
        node.wait_for("here");
        fs::write(node.path("go"), "").unwrap();
        let (_, _, outcome) = node.agent().finish(id);
        let length = (script.len() + secret.to_string().len()).to_string();
        assert_eq!((outcome.status, text(&outcome, "stdout").trim()), (Status::Changed, length.as_str()));
        fs::remove_file(node.path("here")).unwrap();
        fs::remove_file(node.path("go")).unwrap();
    }
}
