//! The variables that tasks of `undo` see: those of the run, from its journal.

use std::fs;

use crate::harness::{commands_run, make_fifo, site, wait_for_file};
use crate::undo_edge_cases::{apply_successfully, block_with_undo, play, undo_successfully};

/// No placeholder takes their place, and no item is left out.
#[test]
fn secret_loop_items_are_undefined_in_undo() {
    let project =
        site(&play("- include_tasks: more.yml\n  loop: '{{ words }}'\n", "vars_files: [secret.yml]\n"));
    let more = "- name: More\n  block: [{command: 'true'}]\n  undo: [{shell: \"echo {{ item | default('unknown') }} >> {{ place }}/ran\"}]\n";
    project.file("more.yml", more).unwrap();
    project.file("secret.yml", "words: [one, two]\n").unwrap();
    project.file("password", "p\n").unwrap();
    let encrypted =
        project.run(["vault", "encrypt", "--vault-password-file", "password", "secret.yml"]).unwrap();
    assert_eq!(encrypted.code, Some(0), "{encrypted}");
    let place = project.local("m").unwrap();
    let done = project.apply(["--vault-password-file", "password"]).unwrap();
    assert_eq!(done.code, Some(0), "{done}");
    undo_successfully(&project);
    assert_eq!(commands_run(&place), "unknown\nunknown\n");
}

/// Variables that the run has set are also used in names of included files.
#[test]
fn undo_sees_variables_of_the_play_and_of_the_run() {
    let tasks = format!(
        "- set_fact: {{which: real}}\n- include_tasks: inc.yml\n- name: Once\n  block:\n    - command: 'true'\n    - command: echo word\n      register: said\n      run_once: true\n    - command: 'true'\n  undo: [{{shell: 'echo {{{{ said.stdout }}}} >> {{{{ place }}}}/ran'}}]\n{}{}",
        block_with_undo("One", "{{ v }} one"),
        block_with_undo("Two", "{{ v }} two")
    );
    let project = site(&play(&tasks, "vars_files: [vars.yml]\n"));
    project.file("vars.yml", "v: file\n").unwrap();
    project.file("inc.yml", "- import_tasks: '{{ which }}.yml'\n").unwrap();
    project.file("real.yml", block_with_undo("Real", "real")).unwrap();
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    apply_successfully(&project);
    undo_successfully(&project);
    assert_eq!(places.each_ref().map(|place| commands_run(place)), ["file two\nfile one\nword\nreal\n"; 2]);
}

/// The controller is killed during the step, and the run resumed.
#[test]
fn undo_sees_results_of_a_step_that_ended_before_the_resume() {
    let tasks = "- name: Slow\n  block:\n    - command: 'true'\n    - shell: 'touch {{ place }}/begun; cat {{ place }}/gate; echo word'\n      register: said\n    - set_fact: {also: '{{ said.stdout }}!'}\n  undo: [{shell: 'echo {{ said.stdout }} {{ also }} >> {{ place }}/ran'}]\n";
    let project = site(&play(tasks, ""));
    let node = project.node("l").unwrap();
    let gate = node.place.join("gate");
    make_fifo(&gate);
    let mut child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    wait_for_file(&node.place.join("begun"));
    child.kill().unwrap();
    project.wait(child).unwrap();
    fs::write(&gate, "").unwrap();
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!(resumed.code, Some(0), "{resumed}");
    undo_successfully(&project);
    assert_eq!(commands_run(&node.place), "word word!\n");
}

#[test]
fn undo_sees_results_of_a_run_whose_resume_stopped_earlier() {
    let tasks = "- name: Block
  block:
    - slurp: {src: '{{ place }}/source'}
    - command: echo word
      register: said
    - command: test -e {{ place }}/well
  undo: [{shell: 'echo {{ said.stdout }} >> {{ place }}/ran'}]
";
    let project = site(&play(tasks, ""));
    let node = project.node("l").unwrap();
    fs::write(node.place.join("source"), "x").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    fs::remove_file(node.place.join("source")).unwrap();
    assert_eq!(project.run(["resume"]).unwrap().code, Some(2));
    undo_successfully(&project);
    assert_eq!(commands_run(&node.place), "word\n");
}

/// They can contain facts, and variables that the block has changed since.
#[test]
fn included_file_names_are_those_of_the_run() {
    let project = site(
        &play("- set_fact: {which: real}\n- include_tasks: inc.yml\n", "")
            .replace("gather_facts: false", "gather_facts: true"),
    );
    let real = "- name: Real
  block:
    - command: 'true'
    - set_fact: {which: other}
  undo: [{shell: 'echo {{ which }} >> {{ place }}/ran'}]
";
    project.file("inc.yml", "- import_tasks: '{{ which }}-{{ ansible_facts.system }}.yml'\n").unwrap();
    project.file("real-Linux.yml", real).unwrap();
    let place = project.local("m").unwrap();
    apply_successfully(&project);
    undo_successfully(&project);
    assert_eq!(commands_run(&place), "other\n");
}

/// On resume, tasks before the block set another value.
#[test]
fn undo_sees_the_values_of_the_resumed_run() {
    let tasks = "- slurp: {src: '{{ place }}/token'}
  register: read
- set_fact: {token: '{{ read.content | b64decode }}'}
- set_fact: {kind: first}
  when: token == '1'
- name: Block
  block:
    - command: test -e {{ place }}/well
    - shell: echo on {{ token }} {{ kind | default(0) }} >> {{ place }}/ran
  undo: [{shell: 'echo off {{ token }} {{ kind | default(0) }} >> {{ place }}/ran'}]
";
    let project = site(&play(tasks, ""));
    let node = project.node("l").unwrap();
    fs::write(node.place.join("token"), "1").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    fs::write(node.place.join("token"), "2").unwrap();
    fs::write(node.place.join("well"), "").unwrap();
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!(resumed.code, Some(0), "{resumed}");
    let on = commands_run(&node.place);
    undo_successfully(&project);
    assert_eq!(commands_run(&node.place), format!("{on}{}", on.replace("on", "off")));
}
