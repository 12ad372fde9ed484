//! Jobs that do not end by themselves.

use std::fs;

use convoy_protocol::message::JobAsk;
use convoy_protocol::{Status, map};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Node, job, lives, order, shell, text, wait};

#[test]
fn a_job_whose_process_is_killed_is_found_dead() {
    let node = Node::new();
    let mut agent = node.agent();
    agent.obey(shell("j1.1", "echo one; echo begun >> count; echo $$ > pid.new; mv pid.new pid; sleep 1000"));
    node.wait_for("pid");
    let inner = fs::read_to_string(node.path("pid")).unwrap();
    let begun = fs::read_to_string(node.job("j1.1").join("begun")).unwrap();
    let pid = begun.lines().next().unwrap().parse().ok().and_then(Pid::from_raw).unwrap();
    assert!(lives(inner.trim()));
    kill_process(pid, Signal::KILL).unwrap();
    let (printed, _, outcome) = agent.finish("j1.1");
    assert_eq!((printed.as_str(), outcome.status), ("one\n", Status::Failed));
    let msg = "the job j1.1 ended without a result: it was killed, or the node went down; how far it \
             came is unknown";
    assert_eq!((text(&outcome, "msg"), text(&outcome, "stdout")), (msg, "one\n"));
    wait(|| !lives(inner.trim()), || format!("{inner} is left"));
    // It is not begun again, and stays dead.
    agent.obey(shell("j1.1", "echo again >> count"));
    assert_eq!(text(&agent.run("async_status", map! { "jid" => "j1.1" }), "msg"), msg);
    assert_eq!(fs::read_to_string(node.path("count")).unwrap(), "begun\n");
}

#[test]
fn a_job_whose_time_is_over_ends_itself() {
    let node = Node::new();
    let mut agent = node.agent();
    let line = map! { "_raw_params" => "echo one; echo $$ > pid.new; mv pid.new pid; sleep 1000 & wait" };
    agent.obey(job("j1.1", order("shell", line), JobAsk::Begin { limit_seconds: 1, silent: false }));
    node.wait_for("pid");
    let inner = fs::read_to_string(node.path("pid")).unwrap();
    let (printed, _, outcome) = agent.finish("j1.1");
    assert_eq!((printed.as_str(), outcome.status), ("one\n", Status::Failed));
    assert_eq!(text(&outcome, "msg"), "async task did not complete within the requested time - 1s");
    assert!(!lives(inner.trim()));
    let told = agent.run("async_status", map! { "jid" => "j1.1" });
    assert_eq!((told.status, text(&told, "msg")), (Status::Failed, "Timeout exceeded"));
}

#[test]
fn a_command_that_fails_with_the_words_of_a_timeout_is_none() {
    let node = Node::new();
    let mut agent = node.agent();
    let words = "The fail action failed to execute in the expected time frame (600) and was terminated";
    agent.obey(shell("j1.1", &format!("echo '{words}' >&2; exit 1")));
    let (_, _, outcome) = agent.finish("j1.1");
    assert_eq!((text(&outcome, "stderr"), text(&outcome, "msg")), (words, "non-zero return code"));
}
