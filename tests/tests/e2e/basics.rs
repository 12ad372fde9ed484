//! The basics of `convoy apply`: changing once, exit codes, and round trips.

use std::fs;
use std::time::Duration;

use convoy_tests::project::listing;

use crate::harness::{site, tasks};

#[test]
fn a_copy_changes_once_and_check_mode_writes_nothing() {
    let project =
        site("- hosts: l\n  tasks: [{copy: {content: 'hello', dest: '{{ place }}/x', mode: '0640'}}]\n");
    let node = project.node("l").unwrap();
    let before = listing(&node.place).unwrap();

    let checked = project.apply(["--check"]).unwrap();
    assert_eq!((checked.recap("l").as_str(), checked.code), ("ok=2 changed=1", Some(0)), "{checked}");
    assert_eq!(listing(&node.place).unwrap(), before);

    let first = project.apply([]).unwrap();
    let expected = "
PLAY [l] ***********************************************************************

TASK [Gathering Facts] *********************************************************
ok: [l]

TASK [copy] ********************************************************************
changed: [l]

PLAY RECAP *********************************************************************
l                          : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   

--- exit code 0
";
    assert_eq!(first.to_string(), expected);
    assert_eq!(fs::read_to_string(node.place.join("x")).unwrap(), "hello");
    let after = listing(&node.place).unwrap();

    let second = project.apply([]).unwrap();
    let unchanged = expected.replace("changed: [l]", "ok: [l]").replace("changed=1", "changed=0");
    assert_eq!(second.to_string(), unchanged);
    assert_eq!(listing(&node.place).unwrap(), after);
}

#[test]
fn a_failed_command_is_exit_code_2() {
    let project = tasks("- command: /bin/false\n- debug: msg=never");
    let _node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    assert!(!ran.stdout.contains("never"), "{ran}");
}

#[test]
fn an_unreachable_host_is_exit_code_4_and_the_others_continue() {
    let project = tasks("- ping:\n- copy: {content: x, dest: '{{ place }}/x'}");
    let node = project.node("l").unwrap();
    project.host("gone ansible_host=127.0.0.1 ansible_port=1 place=/nowhere").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(
        (ran.recap("l").as_str(), ran.recap("gone").as_str()),
        ("ok=2 changed=1", "unreachable=1"),
        "{ran}"
    );
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(node.place.join("x").exists());
}

#[test]
fn exit_code_4_takes_precedence_over_exit_code_2() {
    let project = tasks("- command: /bin/false");
    let _node = project.node("l").unwrap();
    project.host("gone ansible_host=127.0.0.1 ansible_port=1").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(4));
}

#[test]
fn a_playbook_error_is_exit_code_1_and_no_host_is_contacted() {
    let project = tasks("- copy: {content: x, dest: '{{ place }}/x'}\n- copy: {content: x, dst: /tmp/x}");
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran}");
    assert!(!node.place.join("x").exists());
    assert!(!node.sshd.log().contains("Accepted"), "{}", node.sshd.log());
}

#[test]
fn thirty_unchanged_tasks_report_one_round_trip() {
    let mut list = String::new();
    for number in 0..30 {
        list.push_str(&format!("- copy: {{content: 'number {number}', dest: '{{{{ place }}}}/{number}'}}\n"));
    }
    let project = tasks(&list);
    let _node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().recap("l"), "ok=30 changed=30");
    let again = project.apply(["-vv"]).unwrap();
    assert_eq!(again.recap("l"), "ok=30", "{again}");
    let line = again.stdout.lines().find(|line| line.contains("round trip")).unwrap_or_default();
    assert_eq!(line.split(';').next(), Some("1 round trips in all"), "{again}");
}

/// Measured at a proxy, not as reported by convoy.
#[test]
fn thirty_unchanged_tasks_take_as_many_round_trips_as_one() {
    let list: String = (0..30)
        .map(|n| format!("- copy: {{content: 'number {n}', dest: '{{{{ place }}}}/{n}'}}\n"))
        .collect();
    let project = tasks(&list);
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::from_millis(25)).unwrap();
    assert_eq!(project.apply([]).unwrap().recap("l"), "ok=30 changed=30");
    let round_trips = |args: &[&str]| {
        let before = proxy.round_trips();
        let ran = project.run(args).unwrap();
        assert_eq!(ran.code, Some(0), "{ran}");
        proxy.round_trips() - before
    };
    let one = round_trips(&["exec", "all", "-i", "hosts", "-m", "ping"]);
    let thirty = round_trips(&["apply", "-i", "hosts", "site.yml"]);
    let without_look_ahead = round_trips(&["apply", "-i", "hosts", "site.yml", "--no-look-ahead"]);
    // A reordered packet, such as a window adjustment of SSH, can count as another round trip.
    assert!(thirty <= one + 3, "{thirty} round trips, {one} for a single ping");
    assert!(without_look_ahead >= one + 29, "{without_look_ahead} round trips, {one} for a single ping");
}

#[test]
fn an_unreadable_include_fails_its_hosts_and_can_be_rescued() {
    let project = tasks(
        "- block:\n    - include_tasks: none.yml\n  rescue:\n    - debug: msg=rescued\n- include_tasks: bad.yml",
    );
    project.file("bad.yml", "- coppy: x=1\n").unwrap();
    let _node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 failed=1 rescued=1", Some(2)), "{ran}");
    assert!(ran.stdout.contains("could not find or access the task file `none.yml`"), "{ran}");
    assert!(ran.stdout.contains("did you mean `copy`?"), "{ran}");
}
