//! Whole outputs, compared with what ansible-playbook 2.18 prints for the same run.

use std::io;
use std::sync::Arc;

use convoy_protocol::{Diff, Taint, Value, map};

use super::Plain;
use crate::events::{HostName, Reporter, RunEvent, Stats, TaskKind, TaskResult, Verdict};
use crate::report::sample::*;
use crate::report::{Format, Options, Sink, open};

/// Returns what is printed to standard output and to standard error.
fn outputs(options: &Options, events: &[RunEvent]) -> (String, String) {
    let (out, err) = (Capture::default(), Capture::default());
    let mut plain = Plain::new(options, out.sink(), err.sink());
    events.iter().for_each(|event| plain.event(event));
    assert!(plain.fault().is_none());
    (out.text(), err.text())
}

fn printed(verbosity: u8, events: &[RunEvent]) -> String {
    let (out, err) = outputs(&Options { verbosity, ..Options::default() }, events);
    assert_eq!(err, "");
    out
}

fn colored(events: &[RunEvent]) -> String {
    outputs(&Options { color: true, ..Options::default() }, events).0.replace('\x1b', "^[")
}

#[test]
fn headings_and_one_line_per_host() {
    let failed = map! { "changed" => false, "failed" => true, "msg" => "line1\nline2 <é>" };
    let lost = map! { "changed" => false, "msg" => "Connection refused", "unreachable" => true };
    let events = [
        play("First 日本 play"),
        task("ping"),
        result_with("dead", Verdict::Unreachable, lost),
        result("web2", Verdict::Ok),
        task("日本語 wide name é"),
        result("web2", Verdict::Skipped),
        result("web1", Verdict::Changed),
        task("this is a rather long task name that goes well over the seventy-nine columns of the rule"),
        result_with("web1", Verdict::Failed, failed.clone()),
        RunEvent::Result(TaskResult {
            ignored: true,
            values: Arc::new(failed),
            ..task_result("日本", Verdict::Failed)
        }),
        task_start(TaskKind::Handler, "  hand ", "site.yml:9"),
        result("web1", Verdict::Changed),
        RunEvent::NoHostsRemaining,
        play("nowhere_such"),
        RunEvent::NoHostsMatched,
        play(""),
    ];
    let expected = r#"
PLAY [First 日本 play] *********************************************************

TASK [ping] ********************************************************************
fatal: [dead]: UNREACHABLE! => {"changed": false, "msg": "Connection refused", "unreachable": true}
ok: [web2]

TASK [日本語 wide name é] ******************************************************
skipping: [web2]
changed: [web1]

TASK [this is a rather long task name that goes well over the seventy-nine columns of the rule] ***
fatal: [web1]: FAILED! => {"changed": false, "msg": "line1\nline2 <é>"}
fatal: [日本]: FAILED! => {"changed": false, "msg": "line1\nline2 <é>"}
...ignoring

RUNNING HANDLER [hand] *********************************************************
changed: [web1]

NO MORE HOSTS LEFT *************************************************************

PLAY [nowhere_such] ************************************************************
skipping: no hosts matched

PLAY ***************************************************************************
"#;
    assert_eq!(printed(0, &events), expected);
}

#[test]
fn results_of_loop_items() {
    let nested = map! { "k" => vec![Value::from(1), "x".into(), Value::null(), true.into(), 1.5.into()] };
    let failed = |n: i32| map! { "ansible_loop_var" => "item", "failed" => true, "item" => n, "rc" => 1 };
    let whole = |verdict| TaskResult {
        looped: true,
        values: Arc::new(
            map! { "changed" => false, "msg" => "All items skipped", "results" => Vec::<Value>::new() },
        ),
        ..task_result("web1", verdict)
    };
    let events = [
        item("web2", Verdict::Skipped, "a", map! { "changed" => false, "item" => "a", "skipped" => true }),
        item("web2", Verdict::Ok, nested, map! { "changed" => false }),
        item("web2", Verdict::Ok, "it is", map! { "changed" => false }),
        item("web2", Verdict::Changed, 3, map! { "changed" => true }),
        RunEvent::Result(whole(Verdict::Changed)),
        item("web1", Verdict::Failed, 1, failed(1)),
        item("web1", Verdict::Failed, 2, failed(2)),
        RunEvent::Result(TaskResult { ignored: true, ..whole(Verdict::Failed) }),
        RunEvent::Item(TaskResult { looped: true, ..task_result("web1", Verdict::Changed) }),
        RunEvent::Result(TaskResult { looped: true, ..task_result("web1", Verdict::Changed) }),
        item("web1", Verdict::Skipped, 1, map! { "changed" => false }),
        RunEvent::Result(whole(Verdict::Skipped)),
    ];
    let expected = r#"skipping: [web2] => (item=a) 
ok: [web2] => (item={'k': [1, 'x', None, True, 1.5]})
ok: [web2] => (item=it is)
changed: [web2] => (item=3)
failed: [web1] (item=1) => {"ansible_loop_var": "item", "item": 1, "rc": 1}
failed: [web1] (item=2) => {"ansible_loop_var": "item", "item": 2, "rc": 1}
...ignoring
changed: [web1] => (item=None)
changed: [web1]
skipping: [web1] => (item=1) 
skipping: [web1]
"#;
    assert_eq!(printed(0, &events), expected);
    let expected = r#"skipping: [web1] => (item=1)  => {"changed": false}
skipping: [web1] => {"changed": false, "msg": "All items skipped"}
"#;
    assert_eq!(printed(1, &events[10..]), expected);
}

#[test]
fn delegates_retries_and_includes() {
    let to = |name: &str, address: Option<&str>| HostName {
        delegate: Some(name.into()),
        address: address.map(Into::into),
        ..host("web1")
    };
    let done =
        |to: HostName, verdict| RunEvent::Result(TaskResult { host: to, ..task_result("web1", verdict) });
    let include = |label: Option<&str>| RunEvent::Included {
        file: "/srv/inc.yml".into(),
        hosts: vec!["web1".into(), "web2".into()],
        label: label.map(Into::into),
    };
    let attempt = map! { "attempts" => 1, "changed" => true, "failed" => true, "rc" => 1, "retries" => 3 };
    let retry =
        RunEvent::Retry { host: host("web1"), task: "retry".into(), left: 2, values: Arc::new(attempt) };
    let events = [
        done(to("db", Some("10.0.0.9")), Verdict::Changed),
        done(to("web1", None), Verdict::Ok),
        done(to("localhost", Some("localhost")), Verdict::Ok),
        done(to("db", None), Verdict::Failed),
        done(to("db", None), Verdict::Skipped),
        include(None),
        include(Some("{'a': 'b'}")),
        retry.clone(),
    ];
    let expected = r#"changed: [web1 -> db(10.0.0.9)]
ok: [web1]
ok: [web1 -> localhost]
fatal: [web1 -> db]: FAILED! => {"changed": false}
skipping: [web1]
included: /srv/inc.yml for web1, web2
included: /srv/inc.yml for web1, web2 => (item={'a': 'b'})
FAILED - RETRYING: [web1]: retry (2 retries left).
"#;
    assert_eq!(printed(0, &events), expected);
    let expected = r#"FAILED - RETRYING: [web1]: retry (2 retries left).Result was: {
    "attempts": 1,
    "changed": true,
    "rc": 1,
    "retries": 3
}
"#;
    assert_eq!(printed(3, &[retry]), expected);
}

#[test]
fn a_debug_task_shows_only_its_message() {
    let debug = |verdict, show, values| {
        let result = task_result("web1", verdict);
        TaskResult { action: "debug".into(), values: Arc::new(values), show, ..result }
    };
    let message = map! { "changed" => false, "failed" => false, "msg" => "hello é ünicode" };
    let variable =
        map! { "changed" => false, "failed" => false, "x.y" => vec![Value::from(map! { "a" => 1 })] };
    let condition = map! { "changed" => false, "false_condition" => false, "skip_reason" => "Conditional result was False" };
    let ruled = map! { "changed" => false, "failed" => true, "failed_when_result" => true, "msg" => "hi" };
    let undefined = map! { "changed" => false, "msg" => "'x' is undefined" };
    let threshold = map! { "skipped_reason" => "Verbosity threshold not met.", "skipped" => true };
    let labelled = TaskResult {
        label: Some(1.into()),
        looped: true,
        ..debug(Verdict::Ok, true, map! { "msg" => 1, "item" => 1 })
    };
    let events = [
        RunEvent::Result(debug(Verdict::Ok, true, message)),
        RunEvent::Result(TaskResult {
            action: "ansible.builtin.debug".into(),
            ..debug(Verdict::Ok, true, variable)
        }),
        RunEvent::Item(labelled),
        RunEvent::Result(debug(Verdict::Failed, true, ruled)),
        RunEvent::Result(debug(Verdict::Failed, false, undefined)),
        RunEvent::Result(debug(Verdict::Skipped, false, condition)),
        RunEvent::Result(debug(Verdict::Skipped, false, threshold)),
    ];
    let expected = r#"ok: [web1] => {
    "msg": "hello é ünicode"
}
ok: [web1] => {
    "x.y": [
        {
            "a": 1
        }
    ]
}
ok: [web1] => (item=1) => {
    "msg": 1
}
fatal: [web1]: FAILED! => {
    "msg": "hi"
}
fatal: [web1]: FAILED! => {"msg": "'x' is undefined"}
skipping: [web1]
skipping: [web1]
"#;
    assert_eq!(printed(0, &events), expected);
    let expected = r#"skipping: [web1] => {"false_condition": false}
skipping: [web1] => {"skipped_reason": "Verbosity threshold not met."}
"#;
    assert_eq!(printed(1, &events[5..]), expected);
}

#[test]
fn verbosity_adds_results_paths_and_messages() {
    let pong = map! {
        "changed" => false,
        "failed" => false,
        "ping" => "pong",
        "_ansible_parsed" => true,
        "nested" => vec![Value::from(map! { "_ansible_no_log" => false, "n" => 1.0 })],
        "invocation" => map! { "module_args" => map! { "data" => "pong" } },
    };
    let facts = map! { "ansible_facts" => map! {} };
    let asserted = map! { "changed" => false, "msg" => "All assertions passed" };
    let events = [
        RunEvent::PlaybookStart { path: "plays/site.yml".into(), plays: 3 },
        play("web1"),
        task("ping"),
        result_with("web1", Verdict::Ok, pong),
        RunEvent::Result(TaskResult {
            action: "gather_facts".into(),
            values: Arc::new(facts),
            ..task_result("web1", Verdict::Ok)
        }),
        RunEvent::Result(TaskResult {
            show: true,
            values: Arc::new(asserted),
            ..task_result("web1", Verdict::Ok)
        }),
        RunEvent::Verbose { level: 2, host: None, text: "NOTIFIED HANDLER hand for web1".into() },
        RunEvent::Verbose { level: 3, host: Some("web1".into()), text: "connected".into() },
    ];
    let always =
        "ok: [web1]\nok: [web1] => {\n    \"changed\": false,\n    \"msg\": \"All assertions passed\"\n}\n";
    let play = format!("\nPLAY [web1] {}\n\nTASK [ping] {}\n", "*".repeat(68), "*".repeat(68));
    assert_eq!(printed(0, &events), format!("{play}ok: [web1]\n{always}"));
    let pong = "ok: [web1] => {\"changed\": false, \"nested\": [{\"n\": 1.0}], \"ping\": \"pong\"}\n";
    assert_eq!(printed(1, &events), format!("{play}{pong}{always}"));
    let playbook = format!("\nPLAYBOOK: site.yml {}\n3 plays in plays/site.yml\n", "*".repeat(61));
    let notified = "NOTIFIED HANDLER hand for web1\n";
    assert_eq!(
        printed(2, &events),
        format!("{playbook}{play}task path: site.yml:5\n{pong}{always}{notified}")
    );
    let expected = r#"ok: [web1] => {
    "changed": false,
    "invocation": {
        "module_args": {
            "data": "pong"
        }
    },
    "nested": [
        {
            "n": 1.0
        }
    ],
    "ping": "pong"
}
"#;
    assert_eq!(
        printed(3, &events),
        format!("{playbook}{play}task path: site.yml:5\n{expected}{always}{notified}<web1> connected\n")
    );
}

#[test]
fn a_diff_is_printed_before_its_result() {
    let diff = |before: &str, after: &str| Diff::Text { before: side("", before), after: side("/l1", after) };
    let same = TaskResult { diff: vec![diff("", "x1\n")], ..task_result("web1", Verdict::Ok) };
    let item = TaskResult {
        diff: vec![diff("", "x1\n")],
        label: Some(1.into()),
        looped: true,
        ..task_result("web1", Verdict::Changed)
    };
    let prepared = TaskResult {
        diff: vec![Diff::Prepared("as prepared\n".into())],
        ..task_result("web1", Verdict::Changed)
    };
    let events = [RunEvent::Result(same), RunEvent::Item(item), RunEvent::Result(prepared)];
    let expected = "ok: [web1]
--- before
+++ after: /l1
@@ -0,0 +1 @@
+x1

changed: [web1] => (item=1)
as prepared
changed: [web1]
";
    assert_eq!(printed(0, &events), expected);
    let expected = "^[[0;31m--- before^[[0m
^[[0;31m^[[0m^[[0;32m+++ after: /l1^[[0m
^[[0;32m^[[0m^[[0;36m@@ -0,0 +1 @@^[[0m
^[[0;36m^[[0m^[[0;32m+x1^[[0m
^[[0;32m^[[0m
^[[0;33mchanged: [web1] => (item=1)^[[0m
";
    assert_eq!(colored(&events[1..2]), expected);
}

#[test]
fn columns_of_the_recap() {
    let stats = Stats { ok: 26, changed: 9, skipped: 4, ignored: 6, ..Stats::default() };
    let hosts = vec![
        ("a-host-with-a-very-long-name-indeed.example.org".into(), Stats { failed: 1, ..Stats::default() }),
        ("dead".into(), Stats { unreachable: 1, ..Stats::default() }),
        ("web1".into(), stats),
        ("web2".into(), Stats { ok: 12345, rescued: 1000, ..Stats::default() }),
        ("日本".into(), Stats::default()),
    ];
    let custom = map! {
        "_run" => map! { "b" => vec![Value::from(1), map! { "x" => "é" }.into()], "a" => 2 },
        "web1" => map! { "z" => 1 },
    };
    let recap = RunEvent::Recap { hosts, custom };
    let expected = "
PLAY RECAP *********************************************************************
a-host-with-a-very-long-name-indeed.example.org : ok=0    changed=0    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0   
dead                       : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   
web1                       : ok=26   changed=9    unreachable=0    failed=0    skipped=4    rescued=0    ignored=6   
web2                       : ok=12345 changed=0    unreachable=0    failed=0    skipped=0    rescued=1000 ignored=0   
日本                         : ok=0    changed=0    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   

";
    assert_eq!(printed(0, std::slice::from_ref(&recap)), expected);
    let (out, _) = outputs(&Options { custom_stats: true, ..Options::default() }, &[recap]);
    let stats = "
CUSTOM STATS: ******************************************************************
\tweb1: { \"z\": 1}

\tRUN: { \"a\": 2, \"b\": [  1,  {   \"x\": \"é\"  } ]}

";
    assert_eq!(out, format!("{expected}{stats}"));
}

#[test]
fn results_and_recap_are_colored_as_in_ansible() {
    let failed = map! { "changed" => false, "msg" => "one\ntwo" };
    let events = [
        play("web1"),
        task("ping"),
        result("web1", Verdict::Ok),
        result("web1", Verdict::Skipped),
        result("web1", Verdict::Unreachable),
        RunEvent::Result(TaskResult {
            ignored: true,
            show: true,
            values: Arc::new(failed),
            ..task_result("web1", Verdict::Failed)
        }),
        RunEvent::Retry { host: host("web1"), task: "retry".into(), left: 1, values: Arc::default() },
        RunEvent::Recap {
            hosts: vec![
                ("web1".into(), Stats { ok: 6, changed: 5, failed: 1, ..Stats::default() }),
                ("web2".into(), Stats::default()),
            ],
            custom: map! {},
        },
    ];
    let rule = "*".repeat(68);
    let expected = format!(
        "
PLAY [web1] {rule}

TASK [ping] {rule}
^[[0;32mok: [web1]^[[0m
^[[0;36mskipping: [web1]^[[0m
^[[1;31mfatal: [web1]: UNREACHABLE! => {{\"changed\": false}}^[[0m
^[[0;31mfatal: [web1]: FAILED! => {{^[[0m
^[[0;31m    \"changed\": false,^[[0m
^[[0;31m    \"msg\": \"one\\ntwo\"^[[0m
^[[0;31m}}^[[0m
^[[0;36m...ignoring^[[0m
^[[1;30mFAILED - RETRYING: [web1]: retry (1 retries left).^[[0m

PLAY RECAP {}
^[[0;31mweb1^[[0m                       : ^[[0;32mok=6   ^[[0m ^[[0;33mchanged=5   ^[[0m unreachable=0    ^[[0;31mfailed=1   ^[[0m skipped=0    rescued=0    ignored=0   
^[[0;32mweb2^[[0m                       : ok=0    changed=0    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   

",
        "*".repeat(69)
    );
    assert_eq!(colored(&events), expected);
}

#[test]
fn warnings_are_wrapped_and_printed_once() {
    let text = "conditional statements should not include jinja2 templating delimiters such as {{ }} or {% %}. Found: '{{ 1 }}' == '1'";
    let folded = "[WARNING]: conditional statements should not include jinja2 templating
delimiters such as {{ }} or {% %}. Found: '{{ 1 }}' == '1'
";
    let warned = map! { "changed" => false, "warnings" => vec![Value::from(text), "another".into()] };
    let events = [
        RunEvent::Warning(text.into()),
        result_with("web1", Verdict::Ok, warned.clone()),
        result_with("web1", Verdict::Failed, warned),
    ];
    let (out, err) = outputs(&Options::default(), &events);
    assert_eq!(err, format!("{folded}[WARNING]: another\n"));
    assert_eq!(out, "ok: [web1]\nfatal: [web1]: FAILED! => {\"changed\": false}\n");
}

#[test]
fn a_traceback_is_reduced_to_its_error() {
    let failed = map! { "exception" => "Traceback (most recent call last):\n  File x\nValueError: No closing quotation\n", "msg" => "MODULE FAILURE" };
    let expected = r#"An exception occurred during task execution. To see the full traceback, use -vvv. The error was: ValueError: No closing quotation
fatal: [web1]: FAILED! => {"msg": "MODULE FAILURE"}
"#;
    assert_eq!(printed(0, &[result_with("web1", Verdict::Failed, failed)]), expected);
}

#[test]
fn secrets_are_never_printed() {
    let secret = || Value::from("hunter2").tainted(Taint::SECRET);
    let values = map! { "changed" => false, "stdout" => secret(), "msg" => vec![secret()] };
    let events = [
        result_with("web1", Verdict::Ok, values.clone()),
        result_with("web1", Verdict::Failed, values.clone()),
        item("web1", Verdict::Failed, secret(), values.clone()),
        result_with("web1", Verdict::Failed, map! { "exception" => secret(), "warnings" => vec![secret()] }),
        RunEvent::Recap { hosts: vec![], custom: map! { "_run" => values } },
    ];
    let (out, err) = outputs(&Options { verbosity: 4, custom_stats: true, ..Options::default() }, &events);
    assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{out}{err}");
    assert!(out.contains(r#""stdout": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER""#), "{out}");
}

#[test]
fn what_was_not_done_is_printed_to_standard_error() {
    let event = RunEvent::NotDone {
        lines: vec!["not done on web1: 3 tasks".into()],
        command: Some("convoy resume 7".into()),
    };
    let (out, err) = outputs(&Options::default(), &[event]);
    assert_eq!(out, "");
    assert_eq!(err, "not done on web1: 3 tasks\n\nhint: continue with `convoy resume 7`\n");
}

/// A pipe without a reader.
struct ClosedPipe;

impl io::Write for ClosedPipe {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_closed_pipe_nothing_more_is_printed() {
    for format in [Format::Text, Format::Json] {
        let err = Capture::default();
        let out: Sink = Box::new(ClosedPipe);
        let mut reporter = open(&Options { format, ..Options::default() }, out, err.sink());
        reporter.event(&play("web1"));
        assert_eq!(reporter.fault().map(io::Error::kind), Some(io::ErrorKind::BrokenPipe));
        reporter.event(&RunEvent::Warning("nobody reads this".into()));
        assert_eq!(err.text(), "");
    }
}
