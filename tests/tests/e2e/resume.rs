//! `convoy resume`: a run that failed, was interrupted or killed goes on where it stopped.

use std::fs;
use std::path::Path;
use std::process::Command;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project, contents};

use convoy_tests::sshd::poll;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{site, tasks};

/// A play with every kind of step. Each command writes down that it ran.
const EVERY_KIND: &str = r#"
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

fn every_kind() -> (Project, Node) {
    let project = site(EVERY_KIND);
    project
        .file("more.yml", "- {name: included, shell: \"echo included {{ bad is failed }} >> {{ ran }}\"}\n")
        .unwrap();
    let node = project.node("l").unwrap();
    (project, node)
}

pub(crate) fn journal(project: &Project) -> Vec<u8> {
    let runs = project.path(".convoy/runs");
    let run = fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    fs::read(run.join("journal")).unwrap()
}

/// Runs the command so that it is killed, as by `kill -9`, when the journal would become longer than so many bytes.
pub(crate) fn killed_at(project: &Project, bytes: usize, words: &[&str]) -> RunOutput {
    let mut convoy = project.command(words);
    let line = [convoy.get_program()].into_iter().chain(convoy.get_args());
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--fsize={bytes}")).arg("--core=0").args(line);
    limited.env_clear().envs(convoy.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(convoy.get_current_dir().unwrap());
    limited.stdin(std::process::Stdio::null());
    limited.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    convoy = limited;
    project.wait(convoy.spawn().unwrap()).unwrap()
}

/// Kills the controller after every record of the journal, and in the middle of some; every `parts`th from `part` on.
fn killed_after_every_record(part: usize, parts: usize) {
    let (project, node) = every_kind();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    let wanted = contents(&node.place).unwrap();
    let expected = "command\na\nb\nc\ntry\ntry\nrestart\nrescue\nalways\nsecret\nincluded True\nrestart\n";
    assert_eq!(String::from_utf8_lossy(&wanted[Path::new("ran")]), expected);
    let journal = journal(&project);
    let ends: Vec<usize> =
        journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    drop(node);
    // The first record is there before anything is begun; after the last nothing is left to do.
    for end in ends[1..ends.len() - 1].iter().skip(part).step_by(parts) {
        let (project, node) = every_kind();
        let killed = killed_at(&project, *end, &["apply", "-i", "hosts", "site.yml"]);
        if killed.code == Some(0) {
            // Texts of times are not all of one length.
            continue;
        }
        assert_eq!(killed.code, None, "{end}: {killed}");
        let resumed = project.run(["resume"]).unwrap();
        assert_eq!(resumed.code, Some(0), "killed at byte {end}:\n{killed}\nresumed:\n{resumed}");
        let found = contents(&node.place).unwrap();
        let ran = |files: &std::collections::BTreeMap<_, Vec<u8>>| {
            String::from_utf8_lossy(&files[Path::new("ran")]).into_owned()
        };
        assert_eq!(ran(&found), ran(&wanted), "killed at byte {end}:\n{killed}\nresumed:\n{resumed}");
        assert_eq!(found, wanted, "killed at byte {end}");
        // Nothing is left of its steps; what is kept to undo it stays.
        let runs = fs::read_dir(node.home.join(".local/state/convoy/runs")).into_iter().flatten().flatten();
        let left = runs.filter(|run| ["steps", "jobs"].iter().any(|name| run.path().join(name).exists()));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn killed_after_every_record_1() {
    killed_after_every_record(0, 4);
}

#[test]
fn killed_after_every_record_2() {
    killed_after_every_record(1, 4);
}

#[test]
fn killed_after_every_record_3() {
    killed_after_every_record(2, 4);
}

#[test]
fn killed_after_every_record_4() {
    killed_after_every_record(3, 4);
}

/// Text in one line: warnings are folded where the terminal ends.
fn unfolded(text: &str) -> String {
    text.replace('\n', " ")
}

#[test]
fn a_run_that_failed_goes_on_and_is_finished() {
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

    let run = name(&project);
    // Looking at what would be done does not come in between.
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

fn name(project: &Project) -> String {
    let runs = fs::read_dir(project.path(".convoy/runs")).unwrap();
    runs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).max().unwrap()
}

#[test]
fn what_cannot_be_gone_on_with() {
    let project = tasks("- {name: fails, command: 'false'}");
    project.node("l").unwrap();
    let none = project.run(["resume"]).unwrap();
    let text = "error: there are no runs in [folder]/site/.convoy/runs\nhint: `convoy apply` keeps a journal of each run in \
                the directory where it is started\n";
    assert_eq!((none.stderr.as_str(), none.code), (text, Some(1)));
    project.apply(["--check"]).unwrap();
    let checked = project.run(["resume"]).unwrap();
    let run = name(&project);
    let text = format!("error: run {run} was in check mode: there is nothing to resume\n");
    assert_eq!((checked.stderr.as_str(), checked.code), (text.as_str(), Some(3)));

    project.apply([]).unwrap();
    let run = name(&project);
    let path = project.path(".convoy/runs").join(&run).join("journal");
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
    assert_eq!(fs::read(&path).unwrap(), journal, "nothing of it is cut off");
}

#[test]
fn a_playbook_that_has_changed() {
    let playbook = |second: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo one >> {{{{ place }}}}/ran\n    - shell: {second}\n"
        )
    };
    let project = site(&playbook("'false'"));
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    // What was mended stands further down now, too.
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

/// All processes of a node are killed while it works, once: of a file it can be seen how far it came, of a command it cannot.
#[test]
fn a_node_that_is_killed_in_the_middle() {
    let project = tasks(
        "- {name: a file, copy: {content: x, dest: '{{ place }}/file'}}
- {name: a command, shell: 'echo begun >> {{ place }}/ran; test -e {{ place }}/calm || { touch {{ place }}/calm; kill -9 $PPID; sleep 60; }'}
- {name: behind, shell: 'echo behind >> {{ place }}/ran'}",
    );
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1 failed=1", Some(2)), "{ran}");
    let doubt = "fatal: [l]: FAILED! => {\"changed\": false, \"msg\": \"this step was begun on the node and broken off there, \
                 and it cannot be seen how far it came: it is not begun again by itself. Look at the node; then `convoy resume \
                 --in-doubt=again` does it again, and `convoy resume --in-doubt=done` goes on behind it\"}";
    assert!(ran.has_line(doubt), "{ran}");
    let warning = "[WARNING]: l: the connection ended: the node closed it: connecting again ";
    assert!(unfolded(&ran.stderr).starts_with(warning), "{ran}");
    let resumed = project.run(["resume"]).unwrap();
    assert!(resumed.has_line(doubt) && resumed.code == Some(2), "it stays in doubt: {resumed}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "begun\n");

    let told = project.run(["resume", "--in-doubt=done"]).unwrap();
    assert_eq!((told.recap("l").as_str(), told.code), ("ok=3 changed=3", Some(0)), "{told}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "begun\nbehind\n");

    fs::remove_file(node.place.join("calm")).unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    let again = project.run(["resume", "--in-doubt", "again"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "begun\nbehind\nbegun\nbegun\nbehind\n");
}

/// A handler is notified, the run fails, and another run of the same playbook follows.
#[test]
fn a_handler_runs_in_the_next_run() {
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
    let run = name(&project);
    // It fails once more, and what is due is not forgotten.
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    fs::write(node.place.join("needed"), "").unwrap();
    let next = project.apply([]).unwrap();
    let second = {
        let runs = fs::read_dir(project.path(".convoy/runs")).unwrap();
        let mut names: Vec<String> =
            runs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names[1].clone()
    };
    assert_ne!(run, second);
    let warning = format!(
        "[WARNING]: the run {second} has notified handlers and did not come to run them; they are run in this one: l: restart, \
         listens "
    );
    assert_eq!(unfolded(&next.stderr), warning, "{next}");
    assert_eq!((next.recap("l").as_str(), next.code), ("ok=4 changed=3", Some(0)), "{next}");
    let order = ["TASK [copy]", "TASK [command]", "RUNNING HANDLER [restart]", "RUNNING HANDLER [listens]"];
    let told: Vec<&str> = next.stdout.lines().filter_map(|line| line.split(" *").next()).collect();
    let told: Vec<&str> = told.into_iter().filter(|line| order.contains(line)).collect();
    assert_eq!(told, order, "{next}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "restarted\nlistened\n");
    let last = project.apply([]).unwrap();
    assert_eq!((last.recap("l").as_str(), last.stderr.as_str()), ("ok=2 changed=1", ""), "{last}");
}

/// A host that the run itself adds to the inventory is not known when the next run begins; what is due there runs all the same.
#[test]
fn a_handler_of_a_host_that_is_added() {
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

/// Ctrl-C twice: the controller leaves, the node finishes what it does, and says so when it is asked.
#[test]
fn left_in_the_middle() {
    let project = tasks(
        "- {name: slow, shell: 'touch {{ place }}/begun; cat {{ place }}/gate; echo slow >> {{ place }}/ran', register: slow}
- {name: behind, shell: 'echo behind {{ slow.stdout }} >> {{ place }}/ran'}",
    );
    let node = project.node("l").unwrap();
    let gate = node.place.join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    let exists = |name: &str| node.place.join(name).exists().then_some(());
    poll(|| Ok(exists("begun"))).unwrap();
    let interrupt = || kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    interrupt();
    // The first one is told when it is heard; a second that came sooner would be one with it.
    let told = project.path(".convoy/runs").join(name(&project)).join("journal");
    poll(|| Ok(fs::read_to_string(&told)?.contains("press Ctrl-C again").then_some(()))).unwrap();
    interrupt();
    let left = project.wait(child).unwrap();
    assert_eq!(left.code, Some(130), "{left}");
    fs::write(&gate, "from the gate").unwrap();
    poll(|| Ok(exists("ran"))).unwrap();
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("ok=2 changed=2", Some(0)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "slow\nbehind from the gate\n");
}

#[test]
fn a_secret_result_is_not_kept() {
    let project = tasks(
        "- {name: secret, shell: 'echo ran >> {{ place }}/ran; echo hunter2', no_log: true, register: word}
- {name: compared, copy: {content: '{{ word.stdout }}', dest: '{{ place }}/file'}, register: file}
- {name: fails, command: 'test -e {{ place }}/needed'}",
    );
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(2));
    assert!(!String::from_utf8_lossy(&journal(&project)).contains("hunter2"));
    let stopped = project.run(["resume"]).unwrap();
    assert_eq!((stopped.recap("l").as_str(), stopped.code), ("failed=1", Some(2)), "{stopped}");
    fs::write(node.place.join("needed"), "").unwrap();
    let resumed = project.run(["resume", "--in-doubt=again"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("ok=3 changed=3", Some(0)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("file")).unwrap(), "hunter2");
    assert_eq!(fs::read_to_string(node.place.join("ran")).unwrap(), "ran\nran\n");
}

/// The rescue may have undone what the block did; only the user knows.
fn a_rescue_fails_in(play: &str, begins: &str) {
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
                ran, which may have undone it, and failed: it is not done again by itself. Look at the node; then `convoy resume \
                --in-doubt=again` does it again, and `convoy resume --in-doubt=done` goes on behind it\"}";
    assert!(doubt.has_line(text), "{doubt}");
    let again = project.run(["resume", "--in-doubt=again"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
    let ran = fs::read_to_string(node.place.join("ran")).unwrap();
    assert_eq!(ran, format!("{begins}done\nundone\nundone\ndone\n"));
}

#[test]
fn a_rescue_that_failed_puts_its_block_in_doubt() {
    let before = "- {name: before, shell: 'echo before >> {{ place }}/ran'}\n";
    a_rescue_fails_in(&format!("{before}- import_tasks: block.yml"), "before\n");
}

#[test]
fn so_does_one_with_which_a_play_or_an_included_file_begins() {
    a_rescue_fails_in("- import_tasks: block.yml", "");
    a_rescue_fails_in("- include_tasks: block.yml", "");
}
