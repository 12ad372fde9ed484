//! What the command is for: the same playbook twice, and its exit codes.

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
fn an_unreachable_host_is_exit_code_4_and_the_others_go_on() {
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
fn an_unreachable_host_counts_more_than_a_failed_one() {
    let project = tasks("- command: /bin/false");
    let _node = project.node("l").unwrap();
    project.host("gone ansible_host=127.0.0.1 ansible_port=1").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(4));
}

#[test]
fn an_error_in_a_playbook_is_exit_code_1_and_touches_no_host() {
    let project = tasks("- copy: {content: x, dest: '{{ place }}/x'}\n- copy: {content: x, dst: /tmp/x}");
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran}");
    assert!(!node.place.join("x").exists());
    assert!(!node.sshd.log().contains("Accepted"), "{}", node.sshd.log());
}

/// Thirty tasks on a node where nothing is to be done: connecting, and one question.
#[test]
fn applying_thirty_tasks_again_is_one_round_trip() {
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

/// On the way itself, not in what convoy says: thirty tasks that are done take as many turns as a single question.
#[test]
fn thirty_tasks_that_are_done_take_no_more_turns_than_one() {
    let list: String = (0..30)
        .map(|n| format!("- copy: {{content: 'number {n}', dest: '{{{{ place }}}}/{n}'}}\n"))
        .collect();
    let project = tasks(&list);
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::from_millis(25)).unwrap();
    assert_eq!(project.apply([]).unwrap().recap("l"), "ok=30 changed=30");
    let turns = |words: &[&str]| {
        let before = proxy.round_trips();
        let ran = project.run(words).unwrap();
        assert_eq!(ran.code, Some(0), "{ran}");
        proxy.round_trips() - before
    };
    let one = turns(&["exec", "all", "-i", "hosts", "-m", "ping"]);
    let thirty = turns(&["apply", "-i", "hosts", "site.yml"]);
    let each_on_its_own = turns(&["apply", "-i", "hosts", "site.yml", "--no-look-ahead"]);
    // A packet that overtakes another one, such as a window adjustment of SSH, may be a turn more.
    assert!(thirty <= one + 3, "{thirty} turns, {one} for a single question");
    assert!(each_on_its_own >= one + 29, "{each_on_its_own} turns, {one} for a single question");
}

#[test]
fn an_include_that_cannot_be_read_fails_its_hosts_and_can_be_rescued() {
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
