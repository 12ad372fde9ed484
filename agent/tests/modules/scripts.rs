//! `raw` and `script`.

use convoy_protocol::{Map, Status, Value, map};

use super::harness::{Node, text};

#[test]
fn raw_gives_a_line_to_the_login_shell() {
    let mut node = Node::new();
    let args = map! { "_raw_params" => "echo 'a,b' | cut -d, -f2; echo \"$CONVOY_TEST\" >&2" };
    assert_eq!(node.check("raw", args.clone()).status, Status::Unknown);
    let done = node.run("raw", args);
    let expected = map! {
        "stdout" => "b\n",
        "stderr" => "set\n",
        "stdout_lines" => vec![Value::from("b")],
        "stderr_lines" => vec![Value::from("set")],
        "rc" => 0,
        "changed" => true,
    };
    assert_eq!((done.status, done.values), (Status::Changed, expected));
    let sh = node.run("raw", map! { "_raw_params" => "echo $0", "executable" => "/bin/sh" });
    assert_eq!(text(&sh, "stdout"), "/bin/sh\n");
    let failed = node.run("raw", map! { "_raw_params" => "echo out; exit 3" });
    assert_eq!((failed.status, text(&failed, "msg")), (Status::Failed, "non-zero return code"));
    assert_eq!((failed.values["rc"].as_int(), failed.values["changed"].as_bool()), (Some(3), Some(true)));
    assert_eq!(node.fails("raw", map! { "_raw_params" => " " }), "no command given");
    let missing = map! { "_raw_params" => "true", "executable" => "/no/such" };
    assert_eq!(node.fails("raw", missing), "[Errno 2] No such file or directory: b'/no/such'");
}

/// Describes a script as the controller does.
fn script(node: &Node, content: &str, arguments: &str) -> Map {
    let mut script = node.content("my script.sh", content, 0o644);
    script.insert("arguments".into(), arguments.into());
    script
}

#[test]
fn a_script_is_run_under_its_name_and_removed() {
    let mut node = Node::new();
    let content = "#!/bin/sh\nprintf '%s|' \"$(basename \"$0\")\" \"$(stat -c %a \"$(dirname \"$0\")\")\" \"$@\"; pwd; exit $CODE\n";
    let script = script(&node, content, " \"a b\" $CONVOY_TEST");
    let kept = node.kept();
    let args = map! { "_raw_params" => script, "chdir" => "/" };
    let seen = node.check("script", args.clone());
    assert_eq!(
        (seen.status, text(&seen, "msg")),
        (Status::Unknown, "Check mode is not supported for this task.")
    );
    let done = node.run("script", args.clone());
    assert_eq!((done.status, text(&done, "stdout")), (Status::Changed, "my script.sh|700|a b|set|/\n"));
    assert_eq!(done.values["rc"].as_int(), Some(0));
    let mut failing = Node::order("script", args, false);
    failing.environment.push(("CODE".into(), "7".into()));
    let failed = node.obey(&failing);
    assert_eq!((failed.status, failed.values["rc"].as_int()), (Status::Failed, Some(7)));
    assert_eq!(text(&failed, "msg"), "non-zero return code");
    assert_eq!(node.kept(), kept, "the script is still there");
}

#[test]
fn a_script_that_takes_too_long_is_removed_too() {
    let mut node = Node::new();
    let script = script(&node, "#!/bin/sh\nsleep 300\n", "");
    let kept = node.kept();
    let mut order = Node::order("script", map! { "_raw_params" => script }, false);
    order.deadline_seconds = Some(1);
    let late = node.obey(&order);
    let expected = "The script action failed to execute in the expected time frame (1) and was terminated";
    assert_eq!((late.status, text(&late, "msg")), (Status::Failed, expected));
    assert_eq!(node.kept(), kept, "the script is still there");
}

#[test]
fn another_program_may_run_the_script() {
    let mut node = Node::new();
    let script = script(&node, "echo $0 ran by ${BASH##*/}", "");
    let done = node.run("script", map! { "cmd" => script, "executable" => "/bin/bash -e" });
    assert!(text(&done, "stdout").ends_with("/my script.sh ran by bash\n"), "{:?}", done.values);
}

#[test]
fn creates_and_removes_make_a_script_idempotent() {
    let mut node = Node::new();
    let made = node.text("made");
    let touch = script(&node, "#!/bin/sh\ntouch \"$1\"\n", &format!(" '{made}'"));
    let args = map! { "_raw_params" => touch, "creates" => made.as_str() };
    node.converges("script", args.clone());
    let again = node.run("script", args);
    let msg = format!("{made} exists, matching creates option");
    assert_eq!((again.status, again.values), (Status::Same, map! { "skipped" => true, "msg" => msg }));
    let remove = script(&node, "#!/bin/sh\nrm \"$1\"\n", &format!(" '{made}'"));
    let args = map! { "_raw_params" => remove, "removes" => made.as_str() };
    node.converges("script", args.clone());
    let msg = format!("{made} does not exist, matching removes option");
    assert_eq!(text(&node.run("script", args), "msg"), msg);
}

#[test]
fn a_script_that_cannot_be_run_says_why() {
    let mut node = Node::new();
    let script = script(&node, "exit 0", "");
    let relative = map! { "_raw_params" => script, "chdir" => "here" };
    let expected = "chdir here must be an absolute path for a Unix-aware remote node";
    assert_eq!(node.fails("script", relative), expected);
    assert_eq!(node.fails("script", map! {}), "one of the following is required: _raw_params, cmd");
    let mut lost = node.missing_content("s", "x", 0o644);
    lost.insert("arguments".into(), "".into());
    let error = format!("no content {}", lost["digest"].as_str().unwrap());
    assert_eq!(node.fails("script", map! { "_raw_params" => lost }), error);
}
