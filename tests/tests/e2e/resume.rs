//! `convoy resume`: a failed, interrupted or killed run continues where it stopped.

use std::fs;
use std::path::Path;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project, contents};
use convoy_tests::sshd::poll;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{journal_path, last_run, make_fifo, run_names, site, tasks, wait_for_file};

/// A play with every kind of step. Each command adds a line to the file `ran`.
const EVERY_KIND_OF_STEP: &str = r#"
- hosts: all
  gather_facts: false
  vars: {ran: "{{ place }}/ran"}
  tasks:
    - {name: a file, copy: {content: "one\n", dest: "{{ place }}/file"}, notify: restart}
    - {name: what was there, stat: {path: "{{ place }}/later"}, register: before}
    - {name: a command, shell: "echo command >> {{ ran }}; wc -l < {{ ran }}", register: counted}
    - {name: a variable, set_fact: {count: "{{ counted.stdout }}"}}
    - name: a loop
      shell: echo {{ item }} >> {{ ran }}
      loop: [a, b, c]
    - {name: a file that is changed later, copy: {content: "x={{ count }}\n", dest: "{{ place }}/later"}}
    - {name: that change, lineinfile: {path: "{{ place }}/later", line: "y=2"}}
    - {name: tried again, shell: "echo try >> {{ ran }}; test $(grep -c try {{ ran }}) = 2", register: tried,
       until: tried is success, retries: 3, delay: 0}
    - {name: not good, command: "false", ignore_errors: true, register: bad}
    - meta: flush_handlers
    - block:
        - {name: fails in a block, command: "false"}
      rescue:
        - {name: the rescue, shell: "echo rescue >> {{ ran }}", notify: restart}
      always:
        - {name: always, shell: "echo always >> {{ ran }}"}
    - {name: secret, shell: "echo secret >> {{ ran }}", no_log: true}
    - include_tasks: more.yml
    - {name: only if it was not there, file: {path: "{{ place }}/link", src: later, state: link}, when: not before.stat.exists}
    - {name: gone, file: {path: "{{ place }}/file", state: absent}}
  handlers:
    - {name: restart, shell: "echo restart >> {{ ran }}"}
"#;

fn project_with_every_kind_of_step() -> (Project, Node) {
    let project = site(EVERY_KIND_OF_STEP);
    project
        .file("more.yml", "- {name: included, shell: \"echo included {{ bad is failed }} >> {{ ran }}\"}\n")
        .unwrap();
    let node = project.node("l").unwrap();
    (project, node)
}

/// Returns the journal of the latest run.
pub(crate) fn last_journal(project: &Project) -> Vec<u8> {
    fs::read(journal_path(project, &last_run(project))).unwrap()
}

/// Runs `convoy` with these arguments. The kernel kills it when the journal would grow beyond `bytes`.
pub(crate) fn run_until_journal_size(project: &Project, bytes: usize, args: &[&str]) -> RunOutput {
    let limit = format!("--fsize={bytes}");
    let mut command = project.command_under(&["prlimit", &limit, "--core=0"], args);
    project.wait(command.spawn().unwrap()).unwrap()
}

/// Kills the controller after every `parts`th record of the journal, starting with `part`, and resumes the run. The result
/// must be that of an uninterrupted run. Since journals differ in length, some are killed within a record.
fn resume_after_every_record(part: usize, parts: usize) {
    let (project, node) = project_with_every_kind_of_step();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    let expected_files = contents(&node.place).unwrap();
    let expected = "command\na\nb\nc\ntry\ntry\nrestart\nrescue\nalways\nsecret\nincluded True\nrestart\n";
    assert_eq!(String::from_utf8_lossy(&expected_files[Path::new("ran")]), expected);
    let journal = last_journal(&project);
    let ends: Vec<usize> =
        journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    drop(node);
    // The first record is written before the first step; after the last one nothing remains to be done.
    for end in ends[1..ends.len() - 1].iter().skip(part).step_by(parts) {
        let (project, node) = project_with_every_kind_of_step();
        let killed = run_until_journal_size(&project, *end, &["apply", "-i", "hosts", "site.yml"]);
        if killed.code == Some(0) {
            // This journal was shorter: times vary in length.
            continue;
        }
        assert_eq!(killed.code, None, "{end}: {killed}");
        let resumed = project.run(["resume"]).unwrap();
        assert_eq!(resumed.code, Some(0), "killed at byte {end}:\n{killed}\nresumed:\n{resumed}");
        let found = contents(&node.place).unwrap();
        let ran = |files: &std::collections::BTreeMap<_, Vec<u8>>| {
            String::from_utf8_lossy(&files[Path::new("ran")]).into_owned()
        };
        assert_eq!(ran(&found), ran(&expected_files), "killed at byte {end}:\n{killed}\nresumed:\n{resumed}");
        assert_eq!(found, expected_files, "killed at byte {end}");
        // The records of its steps are removed; what undo needs stays.
        let runs = fs::read_dir(node.home.join(".local/state/convoy/runs")).into_iter().flatten().flatten();
        let left = runs.filter(|run| ["steps", "jobs"].iter().any(|name| run.path().join(name).exists()));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn a_run_killed_after_any_record_can_be_resumed_1() {
    resume_after_every_record(0, 4);
}

#[test]
fn a_run_killed_after_any_record_can_be_resumed_2() {
    resume_after_every_record(1, 4);
}

#[test]
fn a_run_killed_after_any_record_can_be_resumed_3() {
    resume_after_every_record(2, 4);
}

#[test]
fn a_run_killed_after_any_record_can_be_resumed_4() {
    resume_after_every_record(3, 4);
}

/// Returns text in one line: warnings are wrapped at the width of a terminal.
fn unwrapped(text: &str) -> String {
    text.replace('\n', " ")
}

#[test]
fn a_failed_run_is_resumed_until_it_finishes() {
    let project = tasks(
        "- {name: made, shell: 'echo made >> {{ place }}/ran'}
- {name: needs, command: 'test -e {{ place }}/needed'}
- {name: last, shell: 'echo last >> {{ place }}/ran'}",
    );
    let node = project.node("l").unwrap();
    let failed = project.apply([]).unwrap();
    assert_eq!((failed.recap("l").as_str(), failed.code), ("ok=1 changed=1 failed=1", Some(2)), "{failed}");
    let hint =
        "l: task \"needs\" (site.yml:5:7) and what follows it\n\nhint: continue with `convoy resume [run]`\n";
    assert!(failed.stderr.ends_with(hint), "{failed}");

    let run = last_run(&project);
    // A run in check mode is not the last one to resume.
    project.apply(["--check"]).unwrap();
    let again = project.run(["resume"]).unwrap();
    assert_eq!((again.recap("l").as_str(), again.code), ("ok=1 changed=1 failed=1", Some(2)), "{again}");
    fs::write(node.place.join("needed"), "").unwrap();
    let resumed = project.run(["resume", "last"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("ok=3 changed=3", Some(0)), "{resumed}");
    assert!(resumed.has_line("changed: [l] (done before)"), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "made\nlast\n");

    let finished = project.run(["resume"]).unwrap();
    assert_eq!(finished.stderr, format!("error: run {run} is finished: there is nothing to resume\n"));
    assert_eq!((finished.stdout.as_str(), finished.code), ("", Some(3)));
    let shown = project.run(["runs", "show", &run]).unwrap();
    assert_eq!(shown.stdout, format!("{}{}{}", failed.stdout, again.stdout, resumed.stdout));
}

#[test]
fn check_mode_runs_and_damaged_journals_cannot_be_resumed() {
    let project = tasks("- {name: fails, command: 'false'}");
    project.node("l").unwrap();
    let none = project.run(["resume"]).unwrap();
    let text = "error: there are no runs in [folder]/site/.convoy/runs\nhint: `convoy apply` keeps a journal of each run in \
                the directory where it is started\n";
    assert_eq!((none.stderr.as_str(), none.code), (text, Some(1)));
    project.apply(["--check"]).unwrap();
    let checked = project.run(["resume"]).unwrap();
    let run = last_run(&project);
    let text = format!("error: run {run} was in check mode: there is nothing to resume\n");
    assert_eq!((checked.stderr.as_str(), checked.code), (text.as_str(), Some(3)));

    project.apply([]).unwrap();
    let run = last_run(&project);
    let path = journal_path(&project, &run);
    let mut journal = fs::read(&path).unwrap();
    let line = journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(4).unwrap().0;
    journal[line + 40] ^= 1;
    fs::write(&path, &journal).unwrap();
    let damaged = project.run(["resume"]).unwrap();
    let rest = journal.len() - line - 1;
    let text = format!(
        "error: run {run} cannot be resumed: record 5 of its journal is damaged\n  = note: it is unknown what was done in the \
         last {rest} bytes, from this record on\nhint: see what was done with `convoy runs show`, then start again with \
         `convoy apply`: completed work is found done, but commands run again\n"
    );
    assert_eq!((damaged.stderr, damaged.code), (text, Some(3)));
    assert_eq!(fs::read(&path).unwrap(), journal, "the journal was modified");
}

#[test]
fn a_changed_playbook_must_be_accepted() {
    let playbook = |second: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo one >> {{{{ place }}}}/ran\n    - shell: {second}\n"
        )
    };
    let project = site(&playbook("'false'"));
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    // The corrected task is on another line, too.
    project.file("site.yml", format!("# mended\n{}", playbook("echo two >> {{ place }}/ran"))).unwrap();
    let refused = project.run(["resume"]).unwrap();
    let text = "error: playbooks or roles are not what they were when the run read them\n  = note: [folder]/site/site.yml has \
                changed\nhint: --accept-changes goes on all the same: tasks that are as they were are not done again, those \
                that changed are\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
    let resumed = project.run(["resume", "--accept-changes"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("ok=2 changed=2", Some(0)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "one\ntwo\n");
}

/// The step kills the agent. Whether a file was written can be checked on the node; whether a command ran cannot.
#[test]
fn a_command_interrupted_on_the_node_is_in_doubt() {
    let project = tasks(
        "- {name: a file, copy: {content: x, dest: '{{ place }}/file'}}
- {name: a command, shell: 'echo begun >> {{ place }}/ran; test -e {{ place }}/calm || { touch {{ place }}/calm; kill -9 $PPID; sleep 60; }'}
- {name: behind, shell: 'echo behind >> {{ place }}/ran'}",
    );
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1 failed=1", Some(2)), "{ran}");
    let doubt = "fatal: [l]: FAILED! => {\"changed\": false, \"msg\": \"this step was interrupted on the node; its \
                 outcome is unknown, so convoy does not repeat it. Look at the node; then `convoy resume --in-doubt=again` \
                 runs it again, and `convoy resume --in-doubt=done` continues after it\"}";
    assert!(ran.has_line(doubt), "{ran}");
    let warning = "[WARNING]: l: the connection ended: the node closed it: connecting again ";
    assert!(unwrapped(&ran.stderr).starts_with(warning), "{ran}");
    let resumed = project.run(["resume"]).unwrap();
    assert!(resumed.has_line(doubt) && resumed.code == Some(2), "it is no longer in doubt: {resumed}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "begun\n");

    let continued = project.run(["resume", "--in-doubt=done"]).unwrap();
    assert_eq!((continued.recap("l").as_str(), continued.code), ("ok=3 changed=3", Some(0)), "{continued}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "begun\nbehind\n");

    fs::remove_file(node.place.join("calm")).unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    let again = project.run(["resume", "--in-doubt", "again"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "begun\nbehind\nbegun\nbegun\nbehind\n");
}

/// The handler was notified in a run that failed.
#[test]
fn a_pending_handler_runs_in_the_next_run() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - {copy: {content: x, dest: '{{ place }}/file'}, notify: [restart, told]}
    - {command: 'test -e {{ place }}/needed'}
  handlers:
    - {name: restart, shell: 'echo restarted >> {{ place }}/ran'}
    - {name: listens, listen: told, shell: 'echo listened >> {{ place }}/ran'}
",
    );
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    assert!(!node.place.join("ran").exists());
    let run = last_run(&project);
    // After another failure the handlers are still pending.
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    fs::write(node.place.join("needed"), "").unwrap();
    let next = project.apply([]).unwrap();
    let second = run_names(&project).swap_remove(1);
    assert_ne!(run, second);
    let warning = format!(
        "[WARNING]: the run {second} left handlers pending; running them now: l: restart, \
         listens "
    );
    assert_eq!(unwrapped(&next.stderr), warning, "{next}");
    assert_eq!((next.recap("l").as_str(), next.code), ("ok=4 changed=3", Some(0)), "{next}");
    let order = ["TASK [copy]", "TASK [command]", "RUNNING HANDLER [restart]", "RUNNING HANDLER [listens]"];
    let headings: Vec<&str> = next.stdout.lines().filter_map(|line| line.split(" *").next()).collect();
    let headings: Vec<&str> = headings.into_iter().filter(|line| order.contains(line)).collect();
    assert_eq!(headings, order, "{next}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "restarted\nlistened\n");
    let last = project.apply([]).unwrap();
    assert_eq!((last.recap("l").as_str(), last.stderr.as_str()), ("ok=2 changed=1", ""), "{last}");
}

/// The next run does not know the host until it is added again.
#[test]
fn a_pending_handler_of_an_added_host_runs_in_the_next_run() {
    let project = site(
        "- hosts: l
  gather_facts: false
  tasks:
    - add_host: {name: added, ansible_connection: local, place: '{{ place }}'}
- hosts: added
  gather_facts: false
  tasks:
    - {copy: {content: x, dest: '{{ place }}/file'}, notify: restart}
    - {command: 'test -e {{ place }}/needed'}
  handlers:
    - {name: restart, shell: 'echo restarted >> {{ place }}/ran'}
",
    );
    let place = project.local("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    fs::write(place.join("needed"), "").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    assert_eq!(fs::read_to_string(place.join("ran")).unwrap(), "restarted\n");
}

/// After Ctrl-C twice the controller exits, and the node finishes its step and keeps the result.
#[test]
fn a_step_that_ends_after_a_second_ctrl_c_is_not_repeated() {
    let project = tasks(
        "- {name: slow, shell: 'touch {{ place }}/begun; cat {{ place }}/gate; echo slow >> {{ place }}/ran', register: slow}
- {name: behind, shell: 'echo behind {{ slow.stdout }} >> {{ place }}/ran'}",
    );
    let node = project.node("l").unwrap();
    let gate = node.place.join("gate");
    make_fifo(&gate);
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    wait_for_file(&node.place.join("begun"));
    let interrupt = || kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    interrupt();
    // Wait until the first signal is handled: a second one that arrives earlier would be merged with it.
    let path = journal_path(&project, &last_run(&project));
    poll(|| Ok(fs::read_to_string(&path)?.contains("press Ctrl-C again").then_some(()))).unwrap();
    interrupt();
    let left = project.wait(child).unwrap();
    assert_eq!(left.code, Some(130), "{left}");
    fs::write(&gate, "from the gate").unwrap();
    wait_for_file(&node.place.join("ran"));
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("ok=2 changed=2", Some(0)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "slow\nbehind from the gate\n");
}

#[test]
fn a_step_with_a_secret_result_is_in_doubt() {
    let project = tasks(
        "- {name: secret, shell: 'echo ran >> {{ place }}/ran; echo hunter2', no_log: true, register: word}
- {name: compared, copy: {content: '{{ word.stdout }}', dest: '{{ place }}/file'}, register: file}
- {name: fails, command: 'test -e {{ place }}/needed'}",
    );
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    assert!(!String::from_utf8_lossy(&last_journal(&project)).contains("hunter2"));
    let stopped = project.run(["resume"]).unwrap();
    assert_eq!((stopped.recap("l").as_str(), stopped.code), ("failed=1", Some(2)), "{stopped}");
    fs::write(node.place.join("needed"), "").unwrap();
    let resumed = project.run(["resume", "--in-doubt=again"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("ok=3 changed=3", Some(0)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("file")).unwrap(), "hunter2");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "ran\nran\n");
}

/// The rescue may have undone what the block did, so the user decides. The file `ran` begins with `expected_start`.
fn assert_block_is_in_doubt_after_a_failed_rescue(play: &str, expected_start: &str) {
    let project = tasks(play);
    project
        .file(
            "block.yml",
            "- block:
    - {name: done, shell: 'echo done >> {{ place }}/ran'}
    - {name: fails, command: 'test -e {{ place }}/needed'}
  rescue:
    - {name: undone, shell: 'echo undone >> {{ place }}/ran'}
    - {name: and fails, fail: {msg: no}}
",
        )
        .unwrap();
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    fs::write(node.place.join("needed"), "").unwrap();
    let doubt = project.run(["resume"]).unwrap();
    let text = "fatal: [l]: FAILED! => {\"changed\": false, \"msg\": \"this was done before the run was resumed, but then a rescue \
                ran, which may have undone it, and failed, so convoy does not repeat it. Look at the node; then `convoy resume \
                --in-doubt=again` runs it again, and `convoy resume --in-doubt=done` continues after it\"}";
    assert!(doubt.has_line(text), "{doubt}");
    let again = project.run(["resume", "--in-doubt=again"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
    let ran = fs::read_to_string(node.place.join("ran")).unwrap();
    assert_eq!(ran, format!("{expected_start}done\nundone\nundone\ndone\n"));
}

#[test]
fn a_failed_rescue_puts_its_block_in_doubt() {
    let before = "- {name: before, shell: 'echo before >> {{ place }}/ran'}\n";
    assert_block_is_in_doubt_after_a_failed_rescue(&format!("{before}- import_tasks: block.yml"), "before\n");
}

#[test]
fn a_failed_rescue_at_the_start_of_a_play_or_included_file_puts_its_block_in_doubt() {
    assert_block_is_in_doubt_after_a_failed_rescue("- import_tasks: block.yml", "");
    assert_block_is_in_doubt_after_a_failed_rescue("- include_tasks: block.yml", "");
}
