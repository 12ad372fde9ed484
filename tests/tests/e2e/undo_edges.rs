//! Blocks with `undo` where they are brought in several times, where something fails, and where runs meet.

use std::fs;
use std::path::Path;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Project, contents};
use convoy_tests::sshd::poll;

use crate::harness::site;
use crate::resume::{journal, killed_at};
use crate::undo::{first, undo};

/// A block that does nothing, and what its undo writes down.
pub(crate) fn block(name: &str, writes: &str) -> String {
    format!(
        "- name: {name}\n  block: [{{command: 'true'}}]\n  undo: [{{shell: 'echo {writes} >> {{{{ place }}}}/ran'}}]\n"
    )
}

/// A play for all hosts without facts; `more` are further lines of the play.
pub(crate) fn play(tasks: &str, more: &str) -> String {
    let lines: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
    let more: String = more.lines().map(|line| format!("  {line}\n")).collect();
    format!("- hosts: all\n  gather_facts: false\n{more}  tasks:\n{lines}")
}

pub(crate) fn ran(place: &Path) -> String {
    fs::read_to_string(place.join("ran")).unwrap_or_default()
}

pub(crate) fn applied(project: &Project) {
    let done = project.apply([]).unwrap();
    assert_eq!(done.code, Some(0), "{done}");
}

pub(crate) fn undone(project: &Project) -> RunOutput {
    let done = undo(project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    done
}

#[test]
fn what_is_brought_in_twice_is_undone_twice() {
    let project = site(&play(
        "- import_tasks: reg.yml\n  vars: {who: first}\n- import_tasks: reg.yml\n  vars: {who: second}\n- import_tasks: inc.yml\n- import_tasks: inc.yml\n",
        "roles: [{role: app, who: one}, {role: app, who: two}]\n",
    ));
    project.file("reg.yml", block("Register", "{{ who }}")).unwrap();
    project.file("roles/app/tasks/main.yml", block("App", "{{ who }}")).unwrap();
    project
        .file("inc.yml", "- include_tasks: reg.yml\n  loop: [x, x]\n  vars: {who: '{{ item }}'}\n")
        .unwrap();
    let place = project.local("m").unwrap();
    applied(&project);
    undone(&project);
    assert_eq!(ran(&place), "x\nx\nx\nx\nsecond\nfirst\ntwo\none\n");
}

#[test]
fn each_host_undoes_its_blocks_in_reverse() {
    let only = |name: &str, host: &str| {
        block(name, name).replace("  undo", &format!("  when: inventory_hostname in '{host}'\n  undo"))
    };
    let tasks = [only("x", "b"), only("y", "a b"), only("z", "a")].concat();
    let project = site(&play(&tasks, "serial: 1\n"));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    applied(&project);
    let done = undone(&project);
    assert_eq!(places.each_ref().map(|place| ran(place)), ["z\ny\n", "y\nx\n"]);
    let hosts: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("changed")).collect();
    assert_eq!(
        hosts,
        ["changed: [b]", "changed: [b]", "changed: [a]", "changed: [a]"],
        "the last batch comes first"
    );
}

/// Too many hosts fail: what is not undone is named, and its files stay.
#[test]
fn where_too_many_fail_the_rest_is_named() {
    let tasks = "- name: Files\n  block:\n    - copy: {content: x, dest: '{{ place }}/file'}\n  undo:\n    - command: test -e {{ place }}/well\n";
    let project = site(&play(tasks, "serial: 1\nmax_fail_percentage: 0\n"));
    let nodes = ["a", "b"].map(|name| project.node(name).unwrap());
    fs::write(nodes[0].place.join("well"), "").unwrap();
    applied(&project);
    let run = first(&project);
    let failed = undo(&project, &[&run]);
    assert_eq!(failed.code, Some(2), "{failed}");
    let lines = "b: task \"command\" (site.yml:10:11) and what follows it\na: block \"Files\"\n\
                 b: what was changed in files, since not all of its blocks are undone\n\
                 a: what was changed in files, since not all of its blocks are undone\n";
    let told = failed.stderr.split("\nhint").next().unwrap();
    let (mut told, mut lines): (Vec<&str>, Vec<&str>) = (told.lines().collect(), lines.lines().collect());
    told.sort_unstable();
    lines.sort_unstable();
    assert_eq!(told, lines, "{failed}");
    assert!(nodes.iter().all(|node| node.place.join("file").exists()));
    fs::write(nodes[1].place.join("well"), "").unwrap();
    let done = undo(&project, &[&run]);
    assert_eq!(done.code, Some(0), "{done}");
    assert!(nodes.iter().all(|node| !node.place.join("file").exists()));
}

#[test]
fn a_failure_that_was_forgotten_is_no_success() {
    let tasks = "- name: Files\n  block: [{command: 'true'}]\n  undo:\n    - command: test -e {{ place }}/well\n    - meta: clear_host_errors\n    - shell: echo ran >> {{ place }}/ran\n";
    let project = site(&play(tasks, ""));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    fs::write(places[0].join("well"), "").unwrap();
    applied(&project);
    let run = first(&project);
    undo(&project, &[&run]);
    fs::write(places[1].join("well"), "").unwrap();
    let again = undo(&project, &[&run]);
    assert_eq!((again.recap("a").as_str(), again.recap("b").as_str()), ("ok=1", "ok=3 changed=2"), "{again}");
}

/// Two at once would undo everything twice; and what was taken back cannot be gone on with.
#[test]
fn one_undo_at_a_time_and_no_resume_after_it() {
    let wait = block("Slow", "slow").replace("'echo", "'touch {{ place }}/begun; cat {{ place }}/gate; echo");
    let project = site(&play(&format!("{wait}- command: 'false'\n"), ""));
    let place = project.local("m").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    let run = first(&project);
    let gate = place.join("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let slow = project.command(["undo", &run]).spawn().unwrap();
    poll(|| Ok(place.join("begun").exists().then_some(()))).unwrap();
    let second = undo(&project, &[&run]);
    let resumed = project.run(["resume", &run]).unwrap();
    for (refused, command) in [(&second, "undo"), (&resumed, "undo")] {
        let by = refused.stderr.split(" by ").nth(1).and_then(|by| by.lines().next()).unwrap();
        let text =
            format!("error: run {run} is in use: convoy {command} by {by}\nhint: wait until it ends\n");
        assert_eq!((refused.stderr.as_str(), refused.code), (text.as_str(), Some(3)));
    }
    assert_eq!(undo(&project, &[&run, "--check"]).code, Some(0));
    fs::write(&gate, "").unwrap();
    assert_eq!(project.wait(slow).unwrap().code, Some(0));
    assert_eq!(ran(&place), "slow\n");
    let resumed = project.run(["resume"]).unwrap();
    let by = resumed.stderr.split("run ").nth(2).and_then(|by| by.split(' ').next()).unwrap();
    let text = format!(
        "error: the run {run} cannot be gone on with: run {by} has taken it back, or a part of it\nhint: begin again with \
         `convoy apply`\n"
    );
    assert_eq!((resumed.stderr, resumed.code), (text, Some(3)));
}

/// Handlers come as the run had them: in its order, and each once.
#[test]
fn handlers_of_included_roles() {
    let project = site(&play("- include_role: {name: r1}\n- include_role: {name: r2}\n", ""));
    for role in ["r1", "r2"] {
        let undo = |name: &str| {
            block(name, &format!("{role} {name}")).trim_end().replace("ran'}]", "ran', notify: restart}]")
        };
        project
            .file(&format!("roles/{role}/tasks/main.yml"), format!("{}\n{}\n", undo("one"), undo("two")))
            .unwrap();
        let handler = format!(
            "- {{name: restart, shell: 'echo {role} restarts >> {{{{ place }}}}/ran'}}\n- {{name: l, listen: restart, shell: 'echo {role} listens >> {{{{ place }}}}/ran'}}\n"
        );
        project.file(&format!("roles/{role}/handlers/main.yml"), handler).unwrap();
    }
    let place = project.local("m").unwrap();
    applied(&project);
    undone(&project);
    assert_eq!(ran(&place), "r2 two\nr2 one\nr1 two\nr1 one\nr1 listens\nr2 restarts\nr2 listens\n");
}

/// Files that a task of `undo` has changed are not as the run left them: they stay, and no handler runs.
#[test]
fn a_task_that_edits_what_the_run_has_written() {
    let tasks = "- name: Files\n  block: [{copy: {content: x, dest: '{{ place }}/file'}}]\n  undo: [{shell: 'echo y >> {{ place }}/file', notify: restart}]\n";
    let project =
        site(&play(tasks, "handlers: [{name: restart, shell: 'echo restarts >> {{ place }}/ran'}]\n"));
    let node = project.node("l").unwrap();
    applied(&project);
    let failed = undo(&project, &["last"]);
    assert_eq!((failed.recap("l").as_str(), failed.code), ("ok=2 changed=1 failed=1", Some(2)), "{failed}");
    assert_eq!(ran(&node.place), "");
    // Put back by hand, it is found done, and the handler that is due runs.
    fs::remove_file(node.place.join("file")).unwrap();
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(ran(&node.place), "restarts\n");
}

/// A playbook that was changed may have another play before it; blocks are found where they are now.
#[test]
fn a_play_that_stands_elsewhere_now() {
    let named =
        |name: &str, tasks: &str| play(tasks, "").replacen("- hosts", &format!("- name: {name}\n  hosts"), 1);
    let project = site(&named("Second", &block("Block", "second")));
    let place = project.local("m").unwrap();
    applied(&project);
    let now =
        format!("{}{}", named("First", &block("Block", "first")), named("Second", &block("Block", "second")));
    project.file("site.yml", now).unwrap();
    let done = undo(&project, &["last", "--accept-changes"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(ran(&place), "second\n");
    // Plays without names cannot be told apart.
    let project = site(&play(&block("Block", "second"), ""));
    project.local("m").unwrap();
    applied(&project);
    let now = format!("{}{}", play(&block("Block", "first"), ""), play(&block("Block", "second"), ""))
        .replace("  tasks", "\n  tasks");
    project.file("site.yml", now).unwrap();
    let refused = undo(&project, &["last", "--accept-changes"]);
    let text = "error: 2 plays have the block \"Block\" now\n  = note: it was at [folder]/site/site.yml:4:7, in the play \"all\"\n\
                hint: give these plays names of their own, or take back files alone with --files-only\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
}

/// A job is undone with its block, and not told as what cannot be. What a task of `undo` includes is not undone in turn.
#[test]
fn jobs_in_blocks_and_files_that_have_blocks_themselves() {
    let tasks = "- name: Slow\n  block:\n    - command: 'true'\n      async: 10\n      poll: 1\n  undo:\n    - include_tasks: more.yml\n- command: 'true'\n";
    let project = site(&play(tasks, ""));
    project
        .file(
            "more.yml",
            block("More", "never").replace("command: 'true'", "shell: 'echo more >> {{ place }}/ran'"),
        )
        .unwrap();
    let node = project.node("l").unwrap();
    applied(&project);
    let done = undone(&project);
    assert_eq!(done.stderr, "l: cannot be undone: command, it runs a command, once: \"command\"\n", "{done}");
    assert_eq!(ran(&node.place), "more\n");
    let back = undo(&project, &[&last(&project)]);
    assert_eq!(back.code, Some(0), "{back}");
    assert_eq!(ran(&node.place), "more\n");
}

/// The first order of a block may stand in a block within it: they are two all the same.
#[test]
fn a_block_that_begins_with_another() {
    let tasks = "- name: Outer
  block:
    - name: Inner
      block: [{command: 'true', changed_when: false}]
      undo: [{shell: 'echo never >> {{ place }}/ran'}]
    - name: Both
      block: [{command: 'true'}]
      undo: [{shell: 'test -e {{ place }}/well && echo inner >> {{ place }}/ran'}]
    - copy: {content: x, dest: '{{ place }}/file'}
  undo: [{shell: 'test -e {{ place }}/best && echo outer >> {{ place }}/ran'}]
";
    let project = site(&play(tasks, ""));
    let node = project.node("l").unwrap();
    applied(&project);
    // The inner one fails, and so the outer one waits; then that one fails; then all is well.
    let undo = || undo(&project, &["last"]).code;
    assert_eq!((undo(), ran(&node.place).as_str()), (Some(2), ""));
    fs::write(node.place.join("well"), "").unwrap();
    assert_eq!((undo(), ran(&node.place).as_str()), (Some(2), "inner\n"));
    assert!(node.place.join("file").exists());
    fs::write(node.place.join("best"), "").unwrap();
    assert_eq!(undo(), Some(0));
    assert_eq!(ran(&node.place), "inner\nouter\n");
    assert!(!node.place.join("file").exists());
}

/// Too many fail in a batch: nobody goes on, and each is named.
#[test]
fn hosts_that_others_stop_are_named() {
    let tasks = block("Block", "block").replace("echo", "test -e {{ place }}/well && echo");
    let project = site(&play(&tasks, "max_fail_percentage: 0\n"));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    fs::write(places[1].join("well"), "").unwrap();
    applied(&project);
    let failed = undo(&project, &["last"]);
    assert_eq!(failed.code, Some(2), "{failed}");
    assert!(failed.stderr.contains("a: task \"shell\""), "{failed}");
    assert_eq!(ran(&places[1]), "block\n");
    let named = |line: &str| failed.stderr.lines().any(|known| known == line);
    assert!(named("b: block \"Block\""), "{failed}");
}

/// Where one block stays on a host, those begun before it stay as well: each is named.
#[test]
fn blocks_that_stay_are_named() {
    let fails = block("Three", "three").replace("echo", "test -e {{ place }}/well && echo");
    let tasks = [block("One", "one"), block("Two", "two"), fails].concat();
    let project = site(&play(&tasks, ""));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    fs::write(places[0].join("well"), "").unwrap();
    applied(&project);
    let failed = undo(&project, &["last"]);
    assert_eq!(failed.code, Some(2), "{failed}");
    let told: Vec<&str> = failed.stderr.lines().take_while(|line| !line.is_empty()).collect();
    let lines =
        ["b: task \"shell\" (site.yml:12:14) and what follows it", "b: block \"Two\"", "b: block \"One\""];
    assert_eq!(told, lines, "{failed}");
    assert_eq!(places.each_ref().map(|place| ran(place)), ["three\ntwo\none\n", ""]);
}

/// A host that cannot be reached holds up nobody, whatever has to be gathered first.
#[test]
fn a_host_that_cannot_be_reached() {
    let project = site(
        &play("- include_tasks: more.yml\n", "any_errors_fatal: true\n")
            .replace("gather_facts: false", "gather_facts: true"),
    );
    project.file("more.yml", "- import_tasks: '{{ ansible_facts.system }}.yml'\n").unwrap();
    project.file("Linux.yml", block("Block", "block")).unwrap();
    let a = project.node("a").unwrap();
    let place = project.local("b").unwrap();
    applied(&project);
    drop(a);
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(4), "{done}");
    assert_eq!(ran(&place), "block\n", "{done}");
    assert!(done.stderr.starts_with("a: block \"Block\"\n\nhint: continue with `convoy undo "), "{done}");
}

/// Handlers that are due stay so, whatever comes between.
#[test]
fn handlers_stay_due() {
    let tasks = "- name: First
  block: [{command: 'true'}]
  undo: [{shell: 'test -e {{ place }}/well && echo first >> {{ place }}/ran'}]
- name: Second
  block: [{command: 'true'}]
  undo: [{shell: 'echo second >> {{ place }}/ran', notify: restart}]
";
    let project =
        site(&play(tasks, "handlers: [{name: restart, shell: 'echo restarts >> {{ place }}/ran'}]\n"));
    let place = project.local("m").unwrap();
    applied(&project);
    assert_eq!(undo(&project, &["last"]).code, Some(2));
    assert_eq!(undo(&project, &["last", "--files-only"]).code, Some(0));
    fs::write(place.join("well"), "").unwrap();
    undone(&project);
    assert_eq!(ran(&place), "second\nfirst\nrestarts\n");
}

fn last(project: &Project) -> String {
    let names = fs::read_dir(project.path(".convoy/runs")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).max().unwrap()
}

/// A host at a time, with what has to be asked.
#[test]
fn one_host_at_a_time() {
    let project = site(&play(&block("Block", "{{ word }}"), "vars_prompt: [{name: word}]\n"));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    let done = project.apply(["-e", "word=w"]).unwrap();
    assert_eq!(done.code, Some(0), "{done}");
    let a = undo(&project, &["last", "-l", "a", "--files-only"]);
    assert!(
        a.stderr.starts_with("[WARNING]: block \"Block\" is not undone on a, as --files-only says\n"),
        "{a}"
    );
    let a = undo(&project, &["last", "-l", "a"]);
    assert_eq!(a.code, Some(0), "{a}");
    assert_eq!(places.each_ref().map(|place| ran(place)), ["w\n", ""]);
    // What is done needs no playbook.
    fs::remove_file(project.path("site.yml")).unwrap();
    let a = undo(&project, &["last", "-l", "a"]);
    assert_eq!(a.code, Some(0), "{a}");
    let b = undo(&project, &["last", "-l", "b", "--accept-changes"]);
    assert_eq!(b.code, Some(1), "{b}");
}

/// The controller is killed after every record of its journal; what it did until then is undone, all of it.
#[test]
fn killed_after_every_record() {
    let marks = |name: &str| {
        format!(
            "- name: 'mark {name}'
  block:
    - {{shell: 'echo > {{{{ place }}}}/{name}'}}
    - {{copy: {{content: x, dest: '{{{{ place }}}}/of-{name}'}}}}
  undo:
    - {{file: {{path: '{{{{ place }}}}/{name}', state: absent}}}}
"
        )
    };
    let tasks = format!(
        "- {{copy: {{content: x, dest: '{{{{ place }}}}/file'}}}}\n{}- include_tasks: more.yml\n  loop: [m2, m3]\n",
        marks("m1")
    );
    let new = || {
        let project = site(&play(&tasks, ""));
        project.file("more.yml", marks("{{ item }}")).unwrap();
        let node = project.node("l").unwrap();
        (project, node)
    };
    let (project, node) = new();
    applied(&project);
    let journal = journal(&project);
    assert_eq!(contents(&node.place).unwrap().len(), 7);
    let ends: Vec<usize> =
        journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for end in &ends[1..] {
        let (project, node) = new();
        let killed = killed_at(&project, *end, &["apply", "-i", "hosts", "site.yml"]);
        let run = first(&project);
        // The node may be about to finish its step, and refuses to do anything else until then.
        let mut last = None;
        let done = poll(|| {
            let done = undo(&project, &[&run]);
            let says = format!("error: run {run} did not come to work on any host: it has changed nothing\n");
            let well = done.code == Some(0) || done.stderr == says;
            last = Some(done);
            Ok(well.then_some(()))
        });
        assert!(done.is_ok(), "killed at byte {end}:\n{killed}\n{}", last.unwrap());
        let left: Vec<_> = contents(&node.place).unwrap().into_keys().collect();
        assert!(left.is_empty(), "killed at byte {end}: {left:?}\n{killed}");
    }
}
