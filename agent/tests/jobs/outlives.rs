//! A job goes on without its agent, and another finds it again.

use std::fs;

use convoy_protocol::message::Step;
use convoy_protocol::{Status, Value, map};

use crate::harness::{Node, order, shell, text};

/// Says something, waits for `go`, counts itself and ends with 3.
const LINE: &str = "echo $$ > pid; echo one; echo begun >> count; while [ ! -e go ]; do sleep 0.02; done; \
    echo two; echo three >&2; exit 3";

#[test]
fn an_agent_that_is_killed_leaves_its_job_at_work() {
    let node = Node::new();
    let begun = node.agent().obey(shell("j1.1", LINE));
    let file = node.job("j1.1").join("outcome").display().to_string();
    let values = map! {
        "started" => 1, "finished" => 0, "ansible_job_id" => "j1.1", "results_file" => file, "detached" => "setsid",
    };
    assert_eq!((begun.status, &begun.values), (Status::Changed, &values));
    node.wait_for("pid");
    // Asked for again, it is the same one.
    let mut agent = node.agent();
    assert_eq!(agent.obey(shell("j1.1", LINE)).values, values);
    let (news, outcome) = agent.follow("j1.1", 0);
    assert_eq!((outcome.status, outcome.values.is_empty()), (Status::Ran, true));
    assert_eq!((news["finished"].as_int(), news["output"].as_str()), (Some(0), Some("one\n")));
    drop(agent);
    fs::write(node.path("go"), "").unwrap();
    let mut agent = node.agent();
    let (printed, news, outcome) = agent.finish("j1.1");
    assert!(
        printed.starts_with("one\n") && printed.contains("two\n") && printed.contains("three\n"),
        "{printed}"
    );
    assert_eq!(news["detached"].as_str(), Some("setsid"));
    assert_eq!((outcome.status, outcome.values["rc"].as_int()), (Status::Failed, Some(3)));
    assert_eq!((text(&outcome, "stdout"), text(&outcome, "stderr")), ("one\ntwo", "three"));
    assert_eq!(text(&outcome, "msg"), "non-zero return code");
    // Also when it has ended: its outcome is told, and nothing is begun.
    assert_eq!(agent.obey(shell("j1.1", LINE)).values, values);
    assert_eq!(fs::read_to_string(node.path("count")).unwrap(), "begun\n");
    assert_eq!(agent.forget("j1.1").status, Status::Ran);
    assert!(!node.path("state/convoy/runs").join("x").exists());
    assert_eq!(
        fs::read_dir(node.path("state/convoy/runs")).unwrap().count(),
        0,
        "nothing is left of the run"
    );
    assert_eq!(agent.forget("j1.1").status, Status::Ran, "what is gone is gone");
}

#[test]
fn an_agent_that_leaves_does_not_end_its_job() {
    let node = Node::new();
    let mut agent = node.agent();
    agent.obey(shell("j1.1", "echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; echo well"));
    node.wait_for("pid");
    agent.leave();
    fs::write(node.path("go"), "").unwrap();
    let (printed, _, outcome) = node.agent().finish("j1.1");
    assert_eq!(
        (printed.as_str(), outcome.status, text(&outcome, "stdout")),
        ("well\n", Status::Changed, "well")
    );
}

#[test]
fn of_two_agents_at_once_one_begins_it() {
    let node = Node::new();
    let mut agents: Vec<_> = (0..4).map(|_| node.agent()).collect();
    for agent in &mut agents {
        agent.ask(vec![Step { orders: vec![shell("j1.1", "echo begun >> count; sleep 0.3")] }]);
    }
    for agent in &mut agents {
        assert_eq!(agent.answer().unwrap()[0][0].status, Status::Changed);
    }
    agents[0].finish("j1.1");
    assert_eq!(fs::read_to_string(node.path("count")).unwrap(), "begun\n");
}

#[test]
fn async_status_tells_what_became_of_it() {
    let node = Node::new();
    let mut agent = node.agent();
    agent.obey(shell("j1.1", LINE));
    node.wait_for("pid");
    let ask = |mode: &str| map! { "jid" => "j1.1", "mode" => mode };
    let file = node.job("j1.1").join("outcome").display().to_string();
    let none = || Vec::<Value>::new();
    let working = agent.run("async_status", ask("status"));
    let values = map! {
        "stdout" => "", "stderr" => "", "stdout_lines" => none(), "stderr_lines" => none(),
        "started" => 1, "finished" => 0, "ansible_job_id" => "j1.1", "results_file" => file.as_str(),
    };
    assert_eq!((working.status, working.values), (Status::Same, values));
    let refused = agent.run("async_status", ask("cleanup"));
    assert_eq!(
        (refused.status, text(&refused, "msg")),
        (Status::Failed, "the job is in progress: its files can be removed when it has finished")
    );
    fs::write(node.path("go"), "").unwrap();
    agent.finish("j1.1");
    let ended = agent.run("async_status", ask("status"));
    assert_eq!((ended.status, ended.values["finished"].as_int()), (Status::Failed, Some(1)));
    assert_eq!((text(&ended, "msg"), ended.values["rc"].as_int()), ("non-zero return code", Some(3)));
    assert_eq!(text(&ended, "stdout"), "one\ntwo");
    let removed = agent.run("async_status", ask("cleanup"));
    assert_eq!((removed.status, text(&removed, "erased")), (Status::Ran, file.as_str()));
    for mode in ["status", "cleanup"] {
        let unknown = agent.run("async_status", ask(mode));
        let values = map! {
            "ansible_job_id" => "j1.1", "started" => 1, "finished" => 1, "msg" => "could not find job",
        };
        assert_eq!((unknown.status, unknown.values), (Status::Failed, values));
    }
    let outside = agent.run("async_status", map! { "jid" => "../../../../x" });
    assert_eq!(text(&outside, "msg"), "could not find job");
}

#[test]
fn what_changed_and_what_did_not_is_told_apart() {
    let node = Node::new();
    let mut agent = node.agent();
    for (id, line, status) in [("j1.1", "true", Status::Changed), ("j1.2", "creates=/ true", Status::Same)] {
        let mut begin = shell(id, line);
        if status == Status::Same {
            begin.args = map! { "_raw_params" => "true", "creates" => "/" };
        }
        agent.obey(begin);
        assert_eq!(agent.finish(id).2.status, status);
        assert_eq!(agent.run("async_status", map! { "jid" => id }).status, status);
    }
}

#[test]
fn looking_begins_nothing() {
    let node = Node::new();
    let mut agent = node.agent();
    let would = agent.obey(convoy_protocol::message::Order { check: true, ..shell("j1.1", "touch done") });
    assert_eq!((would.status, text(&would, "detached")), (Status::Unknown, "setsid"));
    let ahead = agent.window(vec![
        Step { orders: vec![order("ping", map! {})] },
        Step { orders: vec![shell("j1.1", "touch done")] },
    ]);
    assert_eq!(ahead.len(), 1, "{ahead:?}");
    assert!(!node.job("j1.1").exists() && !node.path("done").exists());
}

#[test]
fn what_cannot_begin_leaves_nothing() {
    let node = Node::new();
    let mut agent = node.agent();
    let unknown = agent.obey(crate::harness::job(
        "j1.1",
        order("nonsense", map! {}),
        convoy_protocol::message::JobAsk::Begin { limit_seconds: 5, silent: false },
    ));
    assert_eq!(text(&unknown, "msg"), "this agent has no module 'nonsense'");
    let outside = agent.obey(shell("../x", "true"));
    assert_eq!(
        text(&outside, "msg"),
        "cannot create a job directory on this node: '../x' is not a valid job ID"
    );
    assert!(!node.job("j1.1").exists());
    let (_, outcome) = agent.follow("j1.1", 0);
    assert_eq!((outcome.status, text(&outcome, "msg")), (Status::Failed, "could not find job"));
}
