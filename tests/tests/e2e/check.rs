//! Check mode: results that are known only at run time are reported as unknown, and the run does not fail for them.

use std::fs;

use convoy_tests::project::listing;

use crate::harness::{site, tasks};

/// Runs tasks in check mode on a local host; returns the result lines, followed by the counts of the recap.
fn check_results(yaml: &str) -> String {
    let project = tasks(yaml);
    let place = project.local("l").unwrap();
    fs::create_dir(place.join("here")).unwrap();
    let before = listing(&place).unwrap();
    let ran = project.apply(["--check"]).unwrap();
    assert_eq!(listing(&place).unwrap(), before, "{ran}");
    assert_eq!(ran.code, Some(0), "{ran}");
    let results = ran.stdout.lines().filter(|line| line.contains(": [l]"));
    let mut lines: String = results.map(|line| format!("{line}\n")).collect();
    lines.push_str(&ran.recap("l"));
    lines
}

const ASK: &str = "- name: Ask\n  command: echo 1\n  register: asked\n";

#[test]
fn tasks_that_need_the_result_of_a_command_are_unknown() {
    let needs = "decided at run time: needs the result of task \"Ask\"\n";
    for task in [
        "copy: {content: x, dest: '{{ place }}/x'}\n  when: asked.stdout == '1'",
        "copy: {content: x, dest: '{{ place }}/x'}\n  when: asked is changed",
        "copy: {content: '{{ asked.stdout }}', dest: '{{ place }}/x'}",
        "copy: {content: x, dest: '{{ place }}/x'}\n  become: \"{{ asked.rc == 0 }}\"",
        "command: 'true'\n  delegate_to: \"{{ asked.stdout }}\"",
        "command: 'true'\n  loop: \"{{ asked.stdout_lines }}\"",
        "command: 'true'\n  with_items: \"{{ asked.stdout_lines }}\"",
        "assert: {that: asked.rc == 0}",
        "fail: {msg: no}\n  when: asked.rc != 0",
        "include_tasks: \"{{ asked.stdout }}.yml\"",
        "include_role: {name: some}\n  when: asked.rc == 0",
        "include_vars: \"{{ asked.stdout }}.yml\"",
        "meta: end_play\n  when: asked.rc == 0",
        "stat: {path: '{{ place }}'}\n  failed_when: asked.rc == 0",
        "stat: {path: '{{ place }}'}\n  changed_when: asked.rc == 0",
        "stat: {path: '{{ place }}'}\n  until: asked.rc == 0\n  retries: 1\n  delay: 0",
        "template: {src: site.yml, dest: '{{ place }}/x'}\n  vars: {place: '{{ asked.stdout }}'}",
    ] {
        let expected = format!("skipping: [l]\nunknown: [l]: {needs}skipped=1 unknown=1");
        assert_eq!(check_results(&format!("{ASK}- {task}")), expected, "{task}");
    }
}

#[test]
fn tasks_that_do_not_need_the_result_are_reported_as_usual() {
    for (task, line) in [
        ("debug: {msg: x}\n  when: asked is skipped", "ok: [l] => {\nok=1 skipped=1"),
        ("debug: {msg: '{{ asked.msg }}'}", "ok: [l] => {\nok=1 skipped=1"),
        ("debug: {msg: x}\n  when: [asked.rc == 0, false]", "skipping: [l]\nskipped=2"),
        ("debug: {msg: x}\n  when: asked.rc == 0 and false", "skipping: [l]\nskipped=2"),
        ("debug: {msg: x}\n  when: asked.rc == 0 or true", "ok: [l] => {\nok=1 skipped=1"),
        ("command: 'true'\n  when: false\n  loop: \"{{ asked.stdout_lines }}\"", "skipping: [l]\nskipped=2"),
        ("set_fact: {x: '{{ asked.stdout }}'}", "ok: [l]\nok=1 skipped=1"),
    ] {
        assert_eq!(check_results(&format!("{ASK}- {task}")), format!("skipping: [l]\n{line}"), "{task}");
    }
}

#[test]
fn values_derived_from_an_unknown_result_are_unknown() {
    let derived = "- set_fact: {version: '{{ asked.stdout | int + 1 }}'}
- include_tasks: '{{ asked.stdout }}.yml'
- debug: {msg: x}
  when: version == '2'
- debug: {msg: x}
  when: set_in_there
- file: {path: '{{ place }}/{{ item }}', state: directory}
  loop: [a, '{{ version }}']
  register: made
- debug: {msg: x}
  when: made is changed
- debug: {msg: x}
  when: made.results[1].path is defined
";
    assert_eq!(
        check_results(&format!("{ASK}{derived}")),
        "skipping: [l]
ok: [l]
unknown: [l]: decided at run time: needs the result of task \"Ask\"
unknown: [l]: decided at run time: needs the result of task \"Ask\"
unknown: [l]: decided at run time: depends on what task \"include_tasks\" sets
changed: [l] => (item=a)
unknown: [l] => (item=<unknown until run: needs the result of task \"Ask\">): decided at run time: needs the result of task \"Ask\"
ok: [l] => {
unknown: [l]: decided at run time: needs the result of task \"Ask\"
ok=3 changed=1 skipped=1 unknown=4"
    );
}

#[test]
fn tasks_that_depend_on_an_earlier_change_are_unknown_and_do_not_fail() {
    let depends = "decided at run time: depends on an earlier change, of task \"Change\"";
    for (change, then, line) in [
        ("file: {path: '{{ place }}/here', state: absent}", "command: 'true creates={{ place }}/here'", ""),
        (
            "file: {path: '{{ place }}/here', state: absent}",
            "file: {path: '{{ place }}/here', state: directory}",
            "",
        ),
        (
            "command: make-it creates={{ place }}/new",
            "file: {path: '{{ place }}/new', state: file}",
            ": file ([folder]/nodes/l/place/new) is absent, cannot continue",
        ),
        (
            "file: {path: '{{ place }}/new', state: directory}",
            "copy: {content: x, dest: '{{ place }}/new/x'}",
            ": Destination directory [folder]/nodes/l/place/new does not exist",
        ),
        ("command: make-it", "command: cat {{ place }}/new\n  check_mode: false", ": non-zero return code"),
        ("command: make-it", "assert: {that: false}", ": Assertion failed"),
        (
            "command: make-it",
            "copy: {src: missing, dest: '{{ place }}/x'}",
            ": Could not find or access 'missing' Searched in",
        ),
    ] {
        let results = check_results(&format!("- name: Change\n  {change}\n- {then}"));
        let found = results.lines().find(|line| line.starts_with("unknown: [l]: ")).unwrap_or_default();
        let line = if line.is_empty() { String::new() } else { format!("; as things are{line}") };
        assert!(found.starts_with(&format!("unknown: [l]: {depends}{line}")), "{change}, {then}:\n{results}");
    }
}

#[test]
fn a_failure_that_no_earlier_change_can_fix_is_reported() {
    for then in ["debug: {msg: '{{ nonsense }}'}", "debug: {msg: '{{ 1 | nonsense }}'}"] {
        let project = tasks(&format!("- command: make-it\n- {then}"));
        project.local("l").unwrap();
        let ran = project.apply(["--check"]).unwrap();
        assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1 skipped=1", Some(2)), "{ran}");
    }
}

#[test]
fn a_task_that_is_always_in_check_mode_is_not_a_change() {
    let tasks_yaml =
        "- command: make-it\n  check_mode: true\n  register: looked\n- assert: {that: looked.rc == 0}";
    assert_eq!(check_results(tasks_yaml), "skipping: [l]\nok: [l] => {\nok=1 skipped=1");
}

#[test]
fn a_handler_notified_by_a_change_runs_and_one_notified_by_a_command_is_unknown() {
    let project = site(
        "- hosts: l
  gather_facts: false
  tasks:
    - {name: Ask, command: echo 1, notify: perhaps}
    - {name: Look, command: echo 1, notify: never, changed_when: false}
    - {name: Make, file: {path: '{{ place }}/x', state: directory}, notify: surely}
  handlers:
    - {name: perhaps, debug: {msg: perhaps}}
    - {name: never, debug: {msg: never}}
    - {name: surely, debug: {msg: surely}}
",
    );
    project.local("l").unwrap();
    let ran = project.apply(["--check"]).unwrap();
    let handlers = ran.stdout.split_once("RUNNING HANDLER").unwrap().1.split_once("PLAY RECAP").unwrap().0;
    let expected = " [perhaps] ******************************************************
unknown: [l]: decided at run time: is notified if task \"Ask\" changes something

RUNNING HANDLER [surely] *******************************************************
ok: [l] => {
    \"msg\": \"surely\"
}

";
    assert_eq!(handlers, expected, "{ran}");
}
