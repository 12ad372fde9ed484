//! The journal: `convoy runs`, `runs show` and `runs prune`, where journals are kept, and what can damage them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Child;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{journal_path, last_run, make_fifo, run_names, site, tasks, wait_for_file};

/// A playbook with every kind of output: loops, diffs, retries, failures, handlers, includes, skipped tasks.
const EVERY_KIND_OF_OUTPUT: &str = r#"
- name: Everything
  hosts: all
  tasks:
    - name: A loop
      copy: {content: "{{ item.text }}\n", dest: "{{ place }}/{{ item.name }}", mode: '0644'}
      loop: [{name: a, text: one}, {name: b, text: two}]
      notify: A handler
    - debug: {var: numbers}
      vars: {numbers: {80: http, 443: [https, 1.5, null], "x": "line\n\u001b[1mß"}}
    - command: sh -c 'echo out; echo err >&2; exit 3'
      ignore_errors: true
    - command: "false"
      register: tried
      until: tried.rc == 0
      retries: 1
      delay: 0
      ignore_errors: true
    - stat: {path: "{{ place }}/a"}
      when: false
    - include_tasks: more.yml
      loop: [1, 2]
    - block:
        - fail: {msg: "no\nway"}
      rescue:
        - debug: {msg: rescued}
      when: inventory_hostname == 'n'
    - assert: {that: inventory_hostname != 'm', fail_msg: m is not wanted}
  handlers:
    - name: A handler
      command: echo handled
- hosts: nobody
  tasks: [{ping: }]
- hosts: n
  gather_facts: false
  tasks:
    - command: echo {{ item }}
      loop: [x, y]
      failed_when: item == 'y'
"#;

fn project_with_every_kind_of_output() -> (Project, Node) {
    let project = site(EVERY_KIND_OF_OUTPUT);
    project.file("more.yml", "- debug: msg={{ item }}\n").unwrap();
    let node = project.node("n").unwrap();
    project.local("m").unwrap();
    project.host("gone ansible_host=127.0.0.1 ansible_port=1 place=/nowhere").unwrap();
    (project, node)
}

fn show_run(project: &Project, args: &[&str]) -> RunOutput {
    project.run(["runs", "show"].iter().chain(args)).unwrap()
}

#[test]
fn runs_show_prints_what_the_run_printed() {
    let (project, _node) = project_with_every_kind_of_output();
    for args in [
        &["--check", "--diff"][..],
        &["--diff"],
        &["-vvvv"],
        &["--output", "json", "-vv"],
        &["--limit", "nobody:n", "-f1"],
    ] {
        let ran = project.apply(args.iter().copied()).unwrap();
        assert_eq!(ran.code, Some(if args.contains(&"--limit") { 2 } else { 4 }), "{ran}");
        let output: &[&str] = if args.contains(&"json") { &["--output", "json"] } else { &[] };
        let again = show_run(&project, &[&["last"], output].concat());
        assert_eq!((again.stdout, again.stderr, again.code), (ran.stdout, ran.stderr, Some(0)), "{args:?}");
    }
    // Verbosity and format can differ from those of the run.
    let last = last_run(&project);
    let more = show_run(&project, &[&last, "-vv"]);
    assert!(more.stdout.contains("task path: [folder]/site/site.yml:"), "{more}");
    assert!(more.stdout.contains("round trips in all"), "{more}");
    let json = show_run(&project, &[&last, "--output", "json"]);
    assert!(json.stdout.lines().all(|line| line.starts_with("{\"event\": ")), "{json}");
    assert!(
        json.stdout.lines().last().unwrap().starts_with("{\"event\": \"end\", \"outcome\": \"failed\""),
        "{json}"
    );
}

/// It is reported only in the last message of the run.
#[test]
fn runs_show_prints_the_error_that_ended_a_run() {
    let project = site(
        "- hosts: l\n  gather_facts: false\n  tasks:\n    - ping:\n- hosts: '{{ nobody }}'\n  tasks: []\n",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("nobody") && ran.stdout.contains("ok: [l]"), "{ran}");
    let again = show_run(&project, &["last"]);
    assert_eq!((again.stdout, again.stderr, again.code), (ran.stdout, ran.stderr, Some(0)));
    let listed = project.run(["runs"]).unwrap();
    assert!(listed.stdout.contains("  error  "), "{listed}");
}

#[test]
fn runs_show_can_be_limited_to_one_host() {
    let (project, _node) = project_with_every_kind_of_output();
    project.apply([]).unwrap();
    let ran = show_run(&project, &["last", "--host", "gone"]);
    insta::assert_snapshot!(ran);
    let wrong = show_run(&project, &["last", "--host", "gonn"]);
    let name = last_run(&project);
    let expected = format!(
        "--- standard error\nerror: `gonn` took no part in the run {name}\nhint: did you mean `gone`?\n--- exit code 1\n"
    );
    assert_eq!(wrong.to_string(), expected);
}

#[test]
fn runs_lists_all_runs() {
    let project = tasks(
        "- copy: {content: x, dest: '{{ place }}/x', mode: '0644'}\n- fail: msg=no\n  when: inventory_hostname == 'm'",
    );
    project.local("l").unwrap();
    project.local("m").unwrap();
    let none = project.run(["runs"]).unwrap();
    let expected = "--- standard error\nthere are no runs in [folder]/site/.convoy/runs\n--- exit code 0\n";
    assert_eq!(none.to_string(), expected);
    assert_eq!(project.run(["runs", "--output", "json"]).unwrap().to_string(), "--- exit code 0\n");
    project.apply(["--check", "--limit", "l"]).unwrap();
    project.apply([]).unwrap();
    let runs = run_names(&project);

    let listed = project.run(["runs"]).unwrap();
    let lines: Vec<Vec<&str>> = listed
        .stdout
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
        .collect();
    assert_eq!(lines[0], ["RUN", "BEGAN", "BY", "OUTCOME", "HOSTS", "PLAYBOOK", "INVENTORY"]);
    let cells = |line: &[&str]| {
        line.iter()
            .enumerate()
            .filter(|(at, _)| ![1, 2].contains(at))
            .map(|(_, cell)| (*cell).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(cells(&lines[1]), [&runs[0], "finished (check)", "1", "site.yml", "hosts"]);
    assert_eq!(cells(&lines[2]), [&runs[1], "failed (1 of 2)", "2", "site.yml", "hosts"]);

    let json = project.run(["runs", "--output", "json"]).unwrap();
    let objects: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = &objects[1];
    assert_eq!(last["run"], runs[1].as_str());
    assert_eq!(
        (&last["outcome"], &last["code"], &last["check"]),
        (&"failed".into(), &2.into(), &false.into())
    );
    assert_eq!(last["hosts"].to_string(), r#"{"all":2,"changed":2,"failed":1,"unreachable":0,"refused":0}"#);
    assert_eq!(last["command"].to_string(), r#"["convoy","apply","-i","hosts","site.yml"]"#);
    assert_eq!((&last["folder"], objects.len()), (&"[folder]/site".into(), 2));
    // The name begins with the time in UTC, which is the time zone of the test.
    let began = last["began"].as_str().unwrap();
    let digits: String = began.chars().filter(char::is_ascii_digit).take(14).collect();
    assert!(runs[1].replace('-', "").starts_with(&digits[..12]), "{began} {}", runs[1]);
}

#[test]
fn journals_are_private_and_ignored_by_git() {
    let project = tasks("- ping:");
    project.local("l").unwrap();
    let ran = project.apply(["-vv"]).unwrap();
    let name = last_run(&project);
    assert!(ran.has_line(&format!("journal: [folder]/site/.convoy/runs/{name}")), "{ran}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(project.path(".convoy")), 0o700);
    assert_eq!(mode(project.path(".convoy/runs").join(&name)), 0o700);
    assert_eq!(mode(journal_path(&project, &name)), 0o600);
    assert_eq!(fs::read_to_string(project.path(".convoy/.gitignore")).unwrap(), "*\n");
    // Lists, syntax checks and `exec` keep no journal.
    project.apply(["--list-tasks"]).unwrap();
    project.apply(["--syntax-check"]).unwrap();
    project.run(["exec", "all", "-i", "hosts", "-m", "ping"]).unwrap();
    assert_eq!(run_names(&project), [name]);
}

#[test]
fn the_journal_setting_moves_or_disables_journals() {
    let project = tasks("- ping:");
    project.local("l").unwrap();
    for off in ["off", "false"] {
        let mut command = project.command(["apply", "-i", "hosts", "site.yml"]);
        let ran = project.wait(command.env("CONVOY_JOURNAL", off).spawn().unwrap()).unwrap();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
        assert!(!project.path(".convoy").exists());
        let mut command = project.command(["runs"]);
        let ran = project.wait(command.env("CONVOY_JOURNAL", off).spawn().unwrap()).unwrap();
        assert_eq!(
            ran.to_string(),
            "--- standard error\nerror: the setting `journal` turns journals off\n\
             hint: see CONVOY_JOURNAL, and [convoy] in ansible.cfg\n--- exit code 1\n"
        );
    }
    project.file("ansible.cfg", "[convoy]\njournal = kept/here\n").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    assert!(!project.path(".convoy").exists());
    assert_eq!(fs::read_dir(project.path("kept/here")).unwrap().count(), 1);
    assert_eq!(show_run(&project, &["last"]).stdout, ran.stdout);
}

/// As in a read-only checkout, simulated by a file in the way, since root can write anywhere.
#[test]
fn a_run_without_a_writable_journal_directory_warns_and_continues() {
    let project = tasks("- ping:");
    project.local("l").unwrap();
    project.file(".convoy", "").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1", Some(0)), "{ran}");
    let warning = ran.stderr.replace('\n', " ");
    let expected = "[WARNING]: this run keeps no journal, so that it cannot be shown again: cannot create \
                    [folder]/site/.convoy/runs: Not a directory (os error 20); CONVOY_JOURNAL names another folder, or `off` ";
    assert_eq!(warning, expected);
}

/// What was written remains readable; the run and `runs show` both warn.
#[test]
fn a_full_disk_ends_the_journal_and_not_the_run() {
    let project = tasks("- debug: {msg: \"{{ 'x' * 5000 }}\"}\n- copy: {content: y, dest: '{{ place }}/y'}");
    let node = project.node("l").unwrap();
    // A limit of 2 or 4 kB per file: as on a full disk, part of a record is written before the error.
    let limit = "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"";
    let mut command = project.command_under(&["sh", "-c", limit], ["apply", "-i", "hosts", "site.yml"]);
    let ran = project.wait(command.spawn().unwrap()).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1", Some(0)), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("y")).unwrap(), "y");
    let name = last_run(&project);
    let folder = format!("[folder]/site/.convoy/runs/{name}");
    let unwrapped = ran.stderr.replace('\n', " ");
    let ends = format!(
        "[WARNING]: the journal of this run ends here, and the run continues without it: cannot write to {folder}: File too large (os error 27) "
    );
    assert!(unwrapped.starts_with(&ends), "{ran}");
    assert!(unwrapped.contains(&format!("events are missing in {folder}")), "{ran}");

    let again = show_run(&project, &["last"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(ran.stdout.starts_with(again.stdout.split("PLAY RECAP").next().unwrap()), "{again}");
    assert!(again.stderr.contains("could not be written down"), "{again}");
    // The incomplete record was removed.
    assert!(fs::read(journal_path(&project, &name)).unwrap().ends_with(b"\n"));
}

/// Starts a run and waits until its second task waits.
fn start_until_waiting(project: &Project, node: &Node) -> Child {
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    wait_for_file(&node.place.join("begun"));
    child
}

fn kill(child: &Child) {
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
}

#[test]
fn running_interrupted_and_damaged_runs_are_distinguished() {
    let project = tasks("- ping:\n- shell: 'touch {{ place }}/begun; cat {{ place }}/gate'");
    let node = project.node("l").unwrap();
    make_fifo(&node.place.join("gate"));
    let child = start_until_waiting(&project, &node);
    let name = last_run(&project);
    let outcome = |word: &str| project.run(["runs"]).unwrap().stdout.contains(&format!("  {word}  "));
    assert!(outcome("running"));
    let shown = show_run(&project, &["last"]);
    assert!(
        shown.has_line("ok: [l]")
            && shown
                .has_line("TASK [shell] *******************************************************************"),
        "{shown}"
    );
    assert_eq!(
        (shown.stderr.as_str(), shown.code),
        ("[WARNING]: the run is in progress; this is what has happened so far\n", Some(0))
    );
    let pruned = project.run(["runs", "prune", "--keep", "0", "--yes"]).unwrap();
    assert_eq!(pruned.to_string(), "--- standard error\nthere is nothing to remove\n--- exit code 0\n");

    kill(&child);
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.code, None, "{ran}");
    assert!(outcome("broken off"));
    let shown = show_run(&project, &["last"]);
    assert_eq!((shown.stdout.as_str(), shown.code), (ran.stdout.as_str(), Some(0)));
    assert_eq!(shown.stderr, "[WARNING]: the run broke off here: it was killed, or the machine went down\n");

    // As if the machine went down while writing a record.
    let path = journal_path(&project, &name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let shown = show_run(&project, &["last"]);
    assert!(shown.stderr.contains("broke off here while a record was written"), "{shown}");
    assert_eq!(shown.code, Some(0), "{shown}");

    // A flipped bit on the disk.
    let mut flipped = whole.clone();
    let second_record_end =
        whole.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
    flipped[second_record_end + 20] ^= 4;
    fs::write(&path, &flipped).unwrap();
    let shown = show_run(&project, &["last"]);
    let left = whole.len() - second_record_end;
    let expected = format!(
        "error: record 2 of the journal of {name} is damaged\n  = note: it is not as it was written; {left} bytes from there on are not shown\n"
    );
    assert_eq!((shown.stderr.as_str(), shown.code), (expected.as_str(), Some(1)));

    // Even the first record is incomplete.
    fs::write(&path, &whole[..10]).unwrap();
    let shown = show_run(&project, &["last"]);
    let expected =
        format!("error: the run {name} cannot be shown: the first record of the journal is damaged\n");
    assert_eq!((shown.stderr.as_str(), shown.code), (expected.as_str(), Some(1)));
    assert!(outcome("unreadable: the first record of the journal is damaged"));
    // Let the task on the node end.
    fs::OpenOptions::new().read(true).write(true).open(node.place.join("gate")).unwrap();
}

#[test]
fn runs_prune_removes_old_runs() {
    let project = tasks("- ping:");
    project.local("l").unwrap();
    for _ in 0..4 {
        project.apply([]).unwrap();
    }
    let all = run_names(&project);
    let prune = |args: &[&str]| project.run(["runs", "prune"].iter().chain(args)).unwrap();
    let preview = prune(&["--keep", "2"]);
    assert!(preview.stdout.starts_with("would remove 2 runs, "), "{preview}");
    assert!(
        preview.stdout.contains(&all[0])
            && preview.stdout.contains(&all[1])
            && !preview.stdout.contains(&all[2]),
        "{preview}"
    );
    assert_eq!((preview.stderr.as_str(), preview.code), ("hint: remove them with --yes\n", Some(0)));
    assert_eq!(prune(&["--older-than", "1", "--yes"]).stderr, "there is nothing to remove\n");
    assert_eq!(prune(&["--older-than", "0", "--keep", "4", "--yes"]).stderr, "there is nothing to remove\n");
    assert_eq!(run_names(&project), all);

    let removed = prune(&["--keep", "2", "--yes"]);
    assert_eq!(
        (&removed.stdout.replacen("removed", "would remove", 1), removed.code),
        (&preview.stdout, Some(0))
    );
    assert_eq!(run_names(&project), all[2..]);
    assert_eq!(prune(&["--older-than", "0", "--yes"]).code, Some(0));
    assert_eq!(run_names(&project), Vec::<String>::new());
    let none = prune(&["--yes"]);
    assert!(none.stderr.starts_with("error: the following required arguments were not provided:"), "{none}");
    assert_eq!(none.code, Some(1), "{none}");
}
