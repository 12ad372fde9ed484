//! Edge cases of blocks with `undo`: repeated includes, failures, moved plays, and concurrent runs.

use std::fs;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Project, contents};
use convoy_tests::sshd::poll;

use crate::harness::{commands_run, first_run, last_run, make_fifo, site, wait_for_file};
use crate::resume::{last_journal, run_until_journal_size};
use crate::undo::undo;

/// Returns a block that does nothing; its undo adds a line to the file `ran`.
pub(crate) fn block_with_undo(name: &str, writes: &str) -> String {
    format!(
        "- name: {name}\n  block: [{{command: 'true'}}]\n  undo: [{{shell: 'echo {writes} >> {{{{ place }}}}/ran'}}]\n"
    )
}

/// Returns a play on all hosts that gathers no facts; `more` contains further keywords of the play.
pub(crate) fn play(tasks: &str, more: &str) -> String {
    let lines: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
    let more: String = more.lines().map(|line| format!("  {line}\n")).collect();
    format!("- hosts: all\n  gather_facts: false\n{more}  tasks:\n{lines}")
}

/// Applies the playbook, which must succeed.
pub(crate) fn apply_successfully(project: &Project) {
    let done = project.apply([]).unwrap();
    assert_eq!(done.code, Some(0), "{done}");
}

/// Undoes the last run, which must succeed.
pub(crate) fn undo_successfully(project: &Project) -> RunOutput {
    let done = undo(project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    done
}

#[test]
fn a_block_included_twice_is_undone_twice() {
    let project = site(&play(
        "- import_tasks: reg.yml\n  vars: {who: first}\n- import_tasks: reg.yml\n  vars: {who: second}\n- import_tasks: inc.yml\n- import_tasks: inc.yml\n",
        "roles: [{role: app, who: one}, {role: app, who: two}]\n",
    ));
    project.file("reg.yml", block_with_undo("Register", "{{ who }}")).unwrap();
    project.file("roles/app/tasks/main.yml", block_with_undo("App", "{{ who }}")).unwrap();
    project
        .file("inc.yml", "- include_tasks: reg.yml\n  loop: [x, x]\n  vars: {who: '{{ item }}'}\n")
        .unwrap();
    let place = project.local("m").unwrap();
    apply_successfully(&project);
    undo_successfully(&project);
    assert_eq!(commands_run(&place), "x\nx\nx\nx\nsecond\nfirst\ntwo\none\n");
}

#[test]
fn each_host_undoes_its_blocks_in_reverse_order() {
    let only = |name: &str, host: &str| {
        block_with_undo(name, name)
            .replace("  undo", &format!("  when: inventory_hostname in '{host}'\n  undo"))
    };
    let tasks = [only("x", "b"), only("y", "a b"), only("z", "a")].concat();
    let project = site(&play(&tasks, "serial: 1\n"));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    apply_successfully(&project);
    let done = undo_successfully(&project);
    assert_eq!(places.each_ref().map(|place| commands_run(place)), ["z\ny\n", "y\nx\n"]);
    let hosts: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("changed")).collect();
    assert_eq!(
        hosts,
        ["changed: [b]", "changed: [b]", "changed: [a]", "changed: [a]"],
        "the last batch comes first"
    );
}

/// The files of hosts that are not undone stay.
#[test]
fn max_fail_percentage_stops_the_undo_and_the_rest_is_reported() {
    let tasks = "- name: Files\n  block:\n    - copy: {content: x, dest: '{{ place }}/file'}\n  undo:\n    - command: test -e {{ place }}/well\n";
    let project = site(&play(tasks, "serial: 1\nmax_fail_percentage: 0\n"));
    let nodes = ["a", "b"].map(|name| project.node(name).unwrap());
    fs::write(nodes[0].place.join("well"), "").unwrap();
    apply_successfully(&project);
    let run = first_run(&project);
    let failed = undo(&project, &[&run]);
    assert_eq!(failed.code, Some(2), "{failed}");
    let lines = "b: task \"command\" (site.yml:10:11) and what follows it\na: block \"Files\"\n\
                 b: what was changed in files, since not all of its blocks are undone\n\
                 a: what was changed in files, since not all of its blocks are undone\n";
    let reported = failed.stderr.split("\nhint").next().unwrap();
    let (mut reported, mut lines): (Vec<&str>, Vec<&str>) =
        (reported.lines().collect(), lines.lines().collect());
    reported.sort_unstable();
    lines.sort_unstable();
    assert_eq!(reported, lines, "{failed}");
    assert!(nodes.iter().all(|node| node.place.join("file").exists()));
    fs::write(nodes[1].place.join("well"), "").unwrap();
    let done = undo(&project, &[&run]);
    assert_eq!(done.code, Some(0), "{done}");
    assert!(nodes.iter().all(|node| !node.place.join("file").exists()));
}

#[test]
fn clear_host_errors_does_not_mark_a_failed_undo_as_done() {
    let tasks = "- name: Files\n  block: [{command: 'true'}]\n  undo:\n    - command: test -e {{ place }}/well\n    - meta: clear_host_errors\n    - shell: echo ran >> {{ place }}/ran\n";
    let project = site(&play(tasks, ""));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    fs::write(places[0].join("well"), "").unwrap();
    apply_successfully(&project);
    let run = first_run(&project);
    undo(&project, &[&run]);
    fs::write(places[1].join("well"), "").unwrap();
    let again = undo(&project, &[&run]);
    assert_eq!((again.recap("a").as_str(), again.recap("b").as_str()), ("ok=1", "ok=3 changed=2"), "{again}");
}

#[test]
fn an_undo_excludes_another_undo_and_a_later_resume() {
    let wait = block_with_undo("Slow", "slow")
        .replace("'echo", "'touch {{ place }}/begun; cat {{ place }}/gate; echo");
    let project = site(&play(&format!("{wait}- command: 'false'\n"), ""));
    let place = project.local("m").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    let run = first_run(&project);
    let gate = place.join("gate");
    make_fifo(&gate);
    let slow = project.command(["undo", &run]).spawn().unwrap();
    wait_for_file(&place.join("begun"));
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
    assert_eq!(commands_run(&place), "slow\n");
    let resumed = project.run(["resume"]).unwrap();
    let by = resumed.stderr.split("run ").nth(2).and_then(|by| by.split(' ').next()).unwrap();
    let text = format!(
        "error: the run {run} cannot be resumed: run {by} has taken it back, or a part of it\nhint: begin again with \
         `convoy apply`\n"
    );
    assert_eq!((resumed.stderr, resumed.code), (text, Some(3)));
}

#[test]
fn handlers_of_included_roles_run_once_in_the_order_of_the_run() {
    let project = site(&play("- include_role: {name: r1}\n- include_role: {name: r2}\n", ""));
    for role in ["r1", "r2"] {
        let undo = |name: &str| {
            block_with_undo(name, &format!("{role} {name}"))
                .trim_end()
                .replace("ran'}]", "ran', notify: restart}]")
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
    apply_successfully(&project);
    undo_successfully(&project);
    assert_eq!(commands_run(&place), "r2 two\nr2 one\nr1 two\nr1 one\nr1 listens\nr2 restarts\nr2 listens\n");
}

/// It is not as the run left it, so the undo fails and no handler runs.
#[test]
fn a_file_edited_by_an_undo_task_is_left_unchanged() {
    let tasks = "- name: Files\n  block: [{copy: {content: x, dest: '{{ place }}/file'}}]\n  undo: [{shell: 'echo y >> {{ place }}/file', notify: restart}]\n";
    let project =
        site(&play(tasks, "handlers: [{name: restart, shell: 'echo restarts >> {{ place }}/ran'}]\n"));
    let node = project.node("l").unwrap();
    apply_successfully(&project);
    let failed = undo(&project, &["last"]);
    assert_eq!((failed.recap("l").as_str(), failed.code), ("ok=2 changed=1 failed=1", Some(2)), "{failed}");
    assert_eq!(commands_run(&node.place), "");
    // Once it is restored by hand, the undo succeeds and the pending handler runs.
    fs::remove_file(node.place.join("file")).unwrap();
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(commands_run(&node.place), "restarts\n");
}

/// The changed playbook has another play before it.
#[test]
fn blocks_are_found_in_a_play_that_has_moved() {
    let play_named =
        |name: &str, tasks: &str| play(tasks, "").replacen("- hosts", &format!("- name: {name}\n  hosts"), 1);
    let project = site(&play_named("Second", &block_with_undo("Block", "second")));
    let place = project.local("m").unwrap();
    apply_successfully(&project);
    let changed_playbook = format!(
        "{}{}",
        play_named("First", &block_with_undo("Block", "first")),
        play_named("Second", &block_with_undo("Block", "second"))
    );
    project.file("site.yml", changed_playbook).unwrap();
    let done = undo(&project, &["last", "--accept-changes"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(commands_run(&place), "second\n");
    // Plays without names cannot be told apart.
    let project = site(&play(&block_with_undo("Block", "second"), ""));
    project.local("m").unwrap();
    apply_successfully(&project);
    let changed_playbook = format!(
        "{}{}",
        play(&block_with_undo("Block", "first"), ""),
        play(&block_with_undo("Block", "second"), "")
    )
    .replace("  tasks", "\n  tasks");
    project.file("site.yml", changed_playbook).unwrap();
    let refused = undo(&project, &["last", "--accept-changes"]);
    let text = "error: 2 plays have the block \"Block\" now\n  = note: it was at [folder]/site/site.yml:4:7, in the play \"all\"\n\
                hint: give these plays names of their own, or undo files alone with --files-only\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
}

/// They are not reported as irreversible. A block in a file that `undo` includes is not undone in turn.
#[test]
fn async_jobs_are_undone_with_their_block() {
    let tasks = "- name: Slow\n  block:\n    - command: 'true'\n      async: 10\n      poll: 1\n  undo:\n    - include_tasks: more.yml\n- command: 'true'\n";
    let project = site(&play(tasks, ""));
    project
        .file(
            "more.yml",
            block_with_undo("More", "never")
                .replace("command: 'true'", "shell: 'echo more >> {{ place }}/ran'"),
        )
        .unwrap();
    let node = project.node("l").unwrap();
    apply_successfully(&project);
    let done = undo_successfully(&project);
    assert_eq!(done.stderr, "l: cannot be undone: command, it runs a command, once: \"command\"\n", "{done}");
    assert_eq!(commands_run(&node.place), "more\n");
    let back = undo(&project, &[&last_run(&project)]);
    assert_eq!(back.code, Some(0), "{back}");
    assert_eq!(commands_run(&node.place), "more\n");
}

/// Its first task belongs to the inner block.
#[test]
fn a_block_that_starts_with_another_block_is_undone_separately() {
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
    apply_successfully(&project);
    // First the inner block fails and the outer one is not tried, then the outer one fails, then both succeed.
    let undo = || undo(&project, &["last"]).code;
    assert_eq!((undo(), commands_run(&node.place).as_str()), (Some(2), ""));
    fs::write(node.place.join("well"), "").unwrap();
    assert_eq!((undo(), commands_run(&node.place).as_str()), (Some(2), "inner\n"));
    assert!(node.place.join("file").exists());
    fs::write(node.place.join("best"), "").unwrap();
    assert_eq!(undo(), Some(0));
    assert_eq!(commands_run(&node.place), "inner\nouter\n");
    assert!(!node.place.join("file").exists());
}

/// `max_fail_percentage` stops the whole batch.
#[test]
fn hosts_stopped_by_failures_of_others_are_reported() {
    let tasks = block_with_undo("Block", "block").replace("echo", "test -e {{ place }}/well && echo");
    let project = site(&play(&tasks, "max_fail_percentage: 0\n"));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    fs::write(places[1].join("well"), "").unwrap();
    apply_successfully(&project);
    let failed = undo(&project, &["last"]);
    assert_eq!(failed.code, Some(2), "{failed}");
    assert!(failed.stderr.contains("a: task \"shell\""), "{failed}");
    assert_eq!(commands_run(&places[1]), "block\n");
    let is_reported = |line: &str| failed.stderr.lines().any(|known| known == line);
    assert!(is_reported("b: block \"Block\""), "{failed}");
}

/// If one block fails on a host, the blocks that were started before it stay as well.
#[test]
fn blocks_that_are_not_undone_are_reported() {
    let fails = block_with_undo("Three", "three").replace("echo", "test -e {{ place }}/well && echo");
    let tasks = [block_with_undo("One", "one"), block_with_undo("Two", "two"), fails].concat();
    let project = site(&play(&tasks, ""));
    let places = ["a", "b"].map(|name| project.local(name).unwrap());
    fs::write(places[0].join("well"), "").unwrap();
    apply_successfully(&project);
    let failed = undo(&project, &["last"]);
    assert_eq!(failed.code, Some(2), "{failed}");
    let reported: Vec<&str> = failed.stderr.lines().take_while(|line| !line.is_empty()).collect();
    let lines =
        ["b: task \"shell\" (site.yml:12:14) and what follows it", "b: block \"Two\"", "b: block \"One\""];
    assert_eq!(reported, lines, "{failed}");
    assert_eq!(places.each_ref().map(|place| commands_run(place)), ["three\ntwo\none\n", ""]);
}

/// This holds even if facts must be gathered first.
#[test]
fn an_unreachable_host_does_not_block_the_others() {
    let project = site(
        &play("- include_tasks: more.yml\n", "any_errors_fatal: true\n")
            .replace("gather_facts: false", "gather_facts: true"),
    );
    project.file("more.yml", "- import_tasks: '{{ ansible_facts.system }}.yml'\n").unwrap();
    project.file("Linux.yml", block_with_undo("Block", "block")).unwrap();
    let a = project.node("a").unwrap();
    let place = project.local("b").unwrap();
    apply_successfully(&project);
    drop(a);
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(4), "{done}");
    assert_eq!(commands_run(&place), "block\n", "{done}");
    assert!(done.stderr.starts_with("a: block \"Block\"\n\nhint: continue with `convoy undo "), "{done}");
}

/// An undo of files only does not run them.
#[test]
fn notified_handlers_stay_pending_until_they_run() {
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
    apply_successfully(&project);
    assert_eq!(undo(&project, &["last"]).code, Some(2));
    assert_eq!(undo(&project, &["last", "--files-only"]).code, Some(0));
    fs::write(place.join("well"), "").unwrap();
    undo_successfully(&project);
    assert_eq!(commands_run(&place), "second\nfirst\nrestarts\n");
}

/// Prompted variables keep their values.
#[test]
fn hosts_can_be_undone_one_at_a_time() {
    let project = site(&play(&block_with_undo("Block", "{{ word }}"), "vars_prompt: [{name: word}]\n"));
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
    assert_eq!(places.each_ref().map(|place| commands_run(place)), ["w\n", ""]);
    // What is undone already needs no playbook.
    fs::remove_file(project.path("site.yml")).unwrap();
    let a = undo(&project, &["last", "-l", "a"]);
    assert_eq!(a.code, Some(0), "{a}");
    let b = undo(&project, &["last", "-l", "b", "--accept-changes"]);
    assert_eq!(b.code, Some(1), "{b}");
}

/// Everything that it did until then is undone.
#[test]
fn a_run_killed_after_any_record_can_be_undone() {
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
    apply_successfully(&project);
    let journal = last_journal(&project);
    assert_eq!(contents(&node.place).unwrap().len(), 7);
    let ends: Vec<usize> =
        journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for end in &ends[1..] {
        let (project, node) = new();
        let killed = run_until_journal_size(&project, *end, &["apply", "-i", "hosts", "site.yml"]);
        let run = first_run(&project);
        // The node may still be finishing its step, and refuses other work until then.
        let mut last_output = None;
        let done = poll(|| {
            let done = undo(&project, &[&run]);
            let says = format!("error: run {run} reached no host: it has changed nothing\n");
            let well = done.code == Some(0) || done.stderr == says;
            last_output = Some(done);
            Ok(well.then_some(()))
        });
        assert!(done.is_ok(), "killed at byte {end}:\n{killed}\n{}", last_output.unwrap());
        let left: Vec<_> = contents(&node.place).unwrap().into_keys().collect();
        assert!(left.is_empty(), "killed at byte {end}: {left:?}\n{killed}");
    }
}
