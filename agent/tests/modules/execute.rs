//! `command` and `shell`.

use convoy_protocol::{Status, Value, map};

use super::harness::{Node, text};

fn list(items: &[&str]) -> Value {
    items.iter().map(|item| Value::from(*item)).collect()
}

#[test]
fn a_command_is_run_without_a_shell() {
    let mut node = Node::new();
    let args = map! { "_raw_params" => "printf '%s|' \"a b\" $CONVOY_TEST '>' x" };
    let planned = node.check("command", args.clone());
    assert_eq!(planned.status, Status::Unknown);
    assert_eq!(text(&planned, "msg"), "Command would have run if not in check mode");
    let done = node.run("command", args);
    assert_eq!((done.status, text(&done, "stdout")), (Status::Changed, "a b|set|>|x|"));
    assert_eq!(done.values["cmd"], list(&["printf", "%s|", "a b", "$CONVOY_TEST", ">", "x"]));
    assert_eq!((done.values["rc"].as_int(), text(&done, "msg")), (Some(0), ""));
    assert!(text(&done, "delta").starts_with("0:00:0"));
    let done = node
        .run("command", map! { "argv" => list(&["echo", "$CONVOY_TEST"]), "expand_argument_vars" => false });
    assert_eq!(text(&done, "stdout"), "$CONVOY_TEST");
}

#[test]
fn a_line_is_given_to_a_shell() {
    let mut node = Node::new();
    let done = node.run(
        "shell",
        map! { "_raw_params" => "cat; echo err >&2; pwd", "stdin" => "in", "chdir" => node.text("") },
    );
    let directory = std::fs::canonicalize(node.path("")).unwrap();
    assert_eq!(done.values["stdout_lines"], list(&["in", &directory.to_string_lossy()]));
    assert_eq!(done.values["stderr_lines"], list(&["err"]));
    let plain = map! { "_raw_params" => "cat", "stdin" => "in", "stdin_add_newline" => false, "strip_empty_ends" => false };
    assert_eq!(text(&node.run("shell", plain), "stdout"), "in");
    let bash = map! { "_raw_params" => "echo $0 \"${CONVOY_TEST^^}\"", "executable" => "/bin/bash" };
    assert_eq!(text(&node.run("shell", bash), "stdout"), "/bin/bash SET");
}

#[test]
fn creates_and_removes_make_it_idempotent() {
    let mut node = Node::new();
    let args = map! { "_raw_params" => "touch made.txt", "creates" => "made.*", "chdir" => node.text("") };
    node.converges("command", args.clone());
    let again = node.run("command", args);
    assert_eq!(text(&again, "stdout"), "skipped, since made.* exists");
    assert_eq!(text(&again, "msg"), "Did not run command since 'made.*' exists");
    let args =
        map! { "_raw_params" => "rm made.txt", "removes" => node.text("made.txt"), "chdir" => node.text("") };
    node.converges("command", args.clone());
    let made = node.text("made.txt");
    assert_eq!(text(&node.run("command", args), "stdout"), format!("skipped, since {made} does not exist"));
}

#[test]
fn failures_tell_what_happened() {
    let mut node = Node::new();
    let failed = node.run("shell", map! { "_raw_params" => "echo out; echo err >&2; exit 3" });
    assert_eq!((failed.status, text(&failed, "msg")), (Status::Failed, "non-zero return code"));
    assert_eq!(
        (failed.values["rc"].as_int(), text(&failed, "stdout"), text(&failed, "stderr")),
        (Some(3), "out", "err")
    );
    let failed = node.run("shell", map! { "_raw_params" => "kill -9 $$" });
    assert_eq!(failed.values["rc"].as_int(), Some(-9));
    let chdir = map! { "_raw_params" => "true", "chdir" => "/nonexistent" };
    for (module, args, expected) in [
        ("command", map! { "_raw_params" => "/no/such" }, "[Errno 2] No such file or directory: b'/no/such'"),
        ("command", map! { "_raw_params" => " " }, "no command given"),
        ("shell", map! {}, "no command given"),
        ("command", map! { "_raw_params" => "a 'b" }, "cannot split the command: No closing quotation"),
        (
            "command",
            map! { "_raw_params" => "a", "argv" => list(&["b"]) },
            "only command or argv can be given, not both",
        ),
        (
            "command",
            chdir,
            "Unable to change directory before execution: [Errno 2] No such file or directory: b'/nonexistent'",
        ),
    ] {
        assert_eq!(node.fails(module, args), expected);
    }
}

#[test]
fn large_inputs_and_outputs_do_not_block_each_other() {
    let mut node = Node::new();
    let text_in = "0123456789\n".repeat(100_000);
    let done = node.run("shell", map! { "_raw_params" => "tee /dev/stderr", "stdin" => text_in.as_str() });
    assert_eq!(text(&done, "stdout"), text_in.trim_end());
    assert_eq!(text(&done, "stderr"), text_in.trim_end());
}

#[test]
fn a_process_left_behind_does_not_hold_the_answer() {
    let mut node = Node::new();
    let start = std::time::Instant::now();
    let done = node.run("shell", map! { "_raw_params" => "sleep 30 & echo $!" });
    assert!(start.elapsed().as_secs() < 20);
    let pid = text(&done, "stdout").to_owned();
    node.run("command", map! { "_raw_params" => format!("kill {pid}") });
}

#[test]
fn the_deadline_ends_all_that_was_started() {
    let mut node = Node::new();
    let args = map! { "_raw_params" => "sleep 300 & echo $! > pid; wait", "chdir" => node.text("") };
    let mut order = Node::order("shell", args, false);
    order.deadline_seconds = Some(1);
    let failed = node.obey(&order);
    assert_eq!(
        (failed.status, text(&failed, "msg")),
        (
            Status::Failed,
            "The shell action failed to execute in the expected time frame (1) and was terminated"
        )
    );
    let pid = node.read("pid").trim().to_owned();
    // Killed, though perhaps not yet reaped by whoever inherits it.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let is_running = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    while is_running() {
        assert!(std::time::Instant::now() < end, "process {pid} lives on");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
