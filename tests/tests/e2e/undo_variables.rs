//! What tasks of `undo` see: the variables of the run, as its journal tells.

use std::fs;

use convoy_tests::sshd::poll;

use crate::harness::site;
use crate::undo_edges::{applied, block, play, ran, undone};

/// The secrets that a loop has are not known any more: no task takes placeholders for them, and none is passed over.
#[test]
fn secrets_of_a_loop() {
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
    undone(&project);
    assert_eq!(ran(&place), "unknown\nunknown\n");
}

/// What is read for the play, and what the run has set where a name of a file needs it.
#[test]
fn variables_of_the_play_and_of_the_run() {
    let tasks = format!(
        "- set_fact: {{which: real}}\n- include_tasks: inc.yml\n- name: Once\n  block:\n    - command: 'true'\n    - command: echo word\n      register: said\n      run_once: true\n    - command: 'true'\n  undo: [{{shell: 'echo {{{{ said.stdout }}}} >> {{{{ place }}}}/ran'}}]\n{}{}",
        block("One", "{{ v }} one"),
        block("Two", "{{ v }} two")
    );
    let project = site(&play(&tasks, "vars_files: [vars.yml]\n"));
    project.file("vars.yml", "v: file\n").unwrap();
    project.file("inc.yml", "- import_tasks: '{{ which }}.yml'\n").unwrap();
    project.file("real.yml", block("Real", "real")).unwrap();
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    applied(&project);
    undone(&project);
    assert_eq!(places.each_ref().map(|place| ran(place)), ["file two\nfile one\nword\nreal\n"; 2]);
}

/// The controller is killed in the last step of a block, and the run resumed: what the step registers is known all the same.
#[test]
fn a_resumed_run() {
    let tasks = "- name: Slow\n  block:\n    - command: 'true'\n    - shell: 'touch {{ place }}/begun; cat {{ place }}/gate; echo word'\n      register: said\n    - set_fact: {also: '{{ said.stdout }}!'}\n  undo: [{shell: 'echo {{ said.stdout }} {{ also }} >> {{ place }}/ran'}]\n";
    let project = site(&play(tasks, ""));
    let node = project.node("l").unwrap();
    let gate = node.place.join("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let mut child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    poll(|| Ok(node.place.join("begun").exists().then_some(()))).unwrap();
    child.kill().unwrap();
    project.wait(child).unwrap();
    fs::write(&gate, "").unwrap();
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!(resumed.code, Some(0), "{resumed}");
    undone(&project);
    assert_eq!(ran(&node.place), "word word!\n");
}

/// A run that is resumed, and comes less far than before, forgets nothing of what it had set.
#[test]
fn a_resumed_run_that_stops_earlier() {
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
    undone(&project);
    assert_eq!(ran(&node.place), "word\n");
}

/// Names of files may come from facts, and from what a block sets anew.
#[test]
fn names_of_files_are_those_of_the_run() {
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
    applied(&project);
    undone(&project);
    assert_eq!(ran(&place), "other\n");
}

/// A run that is resumed after what stands before a block has set something else.
#[test]
fn a_resumed_run_with_other_values() {
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
    let on = ran(&node.place);
    undone(&project);
    assert_eq!(ran(&node.place), format!("{on}{}", on.replace("on", "off")));
}
