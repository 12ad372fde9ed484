//! The journal of runs: kept, listed, shown again, removed, and what stands in its way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::poll;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{site, tasks};

/// A playbook with all that looks different: loops, differences, retries, failures, handlers, includes, what is skipped.
const EVERYTHING: &str = r#"
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

fn everything() -> (Project, Node) {
    let project = site(EVERYTHING);
    project.file("more.yml", "- debug: msg={{ item }}\n").unwrap();
    let node = project.node("n").unwrap();
    project.local("m").unwrap();
    project.host("gone ansible_host=127.0.0.1 ansible_port=1 place=/nowhere").unwrap();
    (project, node)
}

fn show(project: &Project, words: &[&str]) -> RunOutput {
    project.run(["runs", "show"].iter().chain(words)).unwrap()
}

/// The names of all runs, oldest first.
fn names(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.path(".convoy/runs")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn journal(project: &Project, run: &str) -> PathBuf {
    project.path(".convoy/runs").join(run).join("journal")
}

#[test]
fn a_run_is_shown_again_as_it_was_shown() {
    let (project, _node) = everything();
    for words in [
        &["--check", "--diff"][..],
        &["--diff"],
        &["-vvvv"],
        &["--output", "json", "-vv"],
        &["--limit", "nobody:n", "-f1"],
    ] {
        let ran = project.apply(words.iter().copied()).unwrap();
        assert_eq!(ran.code, Some(if words.contains(&"--limit") { 2 } else { 4 }), "{ran}");
        let output: &[&str] = if words.contains(&"json") { &["--output", "json"] } else { &[] };
        let again = show(&project, &[&["last"], output].concat());
        assert_eq!((again.stdout, again.stderr, again.code), (ran.stdout, ran.stderr, Some(0)), "{words:?}");
    }
    // What was not asked for then can be now, and the other way round.
    let last = names(&project).pop().unwrap();
    let more = show(&project, &[&last, "-vv"]);
    assert!(more.stdout.contains("task path: [folder]/site/site.yml:"), "{more}");
    assert!(more.stdout.contains("round trips in all"), "{more}");
    let json = show(&project, &[&last, "--output", "json"]);
    assert!(json.stdout.lines().all(|line| line.starts_with("{\"event\": ")), "{json}");
    assert!(
        json.stdout.lines().last().unwrap().starts_with("{\"event\": \"end\", \"outcome\": \"failed\""),
        "{json}"
    );
}

/// What ends a run while it goes on is told by nobody but the last message.
#[test]
fn an_error_that_ended_a_run_is_shown_again() {
    let project = site(
        "- hosts: l\n  gather_facts: false\n  tasks:\n    - ping:\n- hosts: '{{ nobody }}'\n  tasks: []\n",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("nobody") && ran.stdout.contains("ok: [l]"), "{ran}");
    let again = show(&project, &["last"]);
    assert_eq!((again.stdout, again.stderr, again.code), (ran.stdout, ran.stderr, Some(0)));
    let listed = project.run(["runs"]).unwrap();
    assert!(listed.stdout.contains("  error  "), "{listed}");
}

#[test]
fn one_host_of_a_run() {
    let (project, _node) = everything();
    project.apply([]).unwrap();
    let ran = show(&project, &["last", "--host", "gone"]);
    insta::assert_snapshot!(ran);
    let wrong = show(&project, &["last", "--host", "gonn"]);
    let name = names(&project).pop().unwrap();
    let expected = format!(
        "--- standard error\nerror: `gonn` took no part in the run {name}\nhint: did you mean `gone`?\n--- exit code 1\n"
    );
    assert_eq!(wrong.to_string(), expected);
}

/// Two runs, and what the lists say of them.
#[test]
fn runs_are_listed() {
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
    let names = names(&project);

    let listed = project.run(["runs"]).unwrap();
    let lines: Vec<Vec<&str>> = listed
        .stdout
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
        .collect();
    assert_eq!(lines[0], ["RUN", "BEGAN", "BY", "OUTCOME", "HOSTS", "PLAYBOOK", "INVENTORY"]);
    let told = |line: &[&str]| {
        line.iter()
            .enumerate()
            .filter(|(at, _)| ![1, 2].contains(at))
            .map(|(_, cell)| (*cell).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&lines[1]), [&names[0], "finished (check)", "1", "site.yml", "hosts"]);
    assert_eq!(told(&lines[2]), [&names[1], "failed (1 of 2)", "2", "site.yml", "hosts"]);

    let json = project.run(["runs", "--output", "json"]).unwrap();
    let objects: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = &objects[1];
    assert_eq!(last["run"], names[1].as_str());
    assert_eq!(
        (&last["outcome"], &last["code"], &last["check"]),
        (&"failed".into(), &2.into(), &false.into())
    );
    assert_eq!(last["hosts"].to_string(), r#"{"all":2,"changed":2,"failed":1,"unreachable":0,"refused":0}"#);
    assert_eq!(last["command"].to_string(), r#"["convoy","apply","-i","hosts","site.yml"]"#);
    assert_eq!((&last["folder"], objects.len()), (&"[folder]/site".into(), 2));
    // The name begins with the time, in UTC, as `TZ` is here.
    let began = last["began"].as_str().unwrap();
    let digits: String = began.chars().filter(char::is_ascii_digit).take(14).collect();
    assert!(names[1].replace('-', "").starts_with(&digits[..12]), "{began} {}", names[1]);
}

#[test]
fn journals_are_private_and_in_nobody_elses_version_control() {
    let project = tasks("- ping:");
    project.local("l").unwrap();
    let ran = project.apply(["-vv"]).unwrap();
    let name = names(&project).pop().unwrap();
    assert!(ran.has_line(&format!("journal: [folder]/site/.convoy/runs/{name}")), "{ran}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(project.path(".convoy")), 0o700);
    assert_eq!(mode(project.path(".convoy/runs").join(&name)), 0o700);
    assert_eq!(mode(journal(&project, &name)), 0o600);
    assert_eq!(fs::read_to_string(project.path(".convoy/.gitignore")).unwrap(), "*\n");
    // What does nothing, or asks one question, is no run to come back to.
    project.apply(["--list-tasks"]).unwrap();
    project.apply(["--syntax-check"]).unwrap();
    project.run(["exec", "all", "-i", "hosts", "-m", "ping"]).unwrap();
    assert_eq!(names(&project), [name]);
}

#[test]
fn journals_are_kept_elsewhere_or_not_at_all() {
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
    assert_eq!(show(&project, &["last"]).stdout, ran.stdout);
}

/// As in a checkout that may only be read: there it is a file that is in the way, since root may write anywhere.
#[test]
fn without_a_place_for_the_journal_the_run_says_so_and_goes_on() {
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

/// Without space from some point on: what was written stays, the run ends well, and both say it.
#[test]
fn a_disk_that_is_full_does_not_end_the_run() {
    let project = tasks("- debug: {msg: \"{{ 'x' * 5000 }}\"}\n- copy: {content: y, dest: '{{ place }}/y'}");
    let node = project.node("l").unwrap();
    let convoy = project.command(["apply", "-i", "hosts", "site.yml"]);
    let mut limited = Command::new("sh");
    // Files of two kilobytes at most, or four: as on a full disk a part is written, then there is an error.
    limited.arg("-c").arg("trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"");
    limited.arg(convoy.get_program()).args(convoy.get_args());
    limited.env_clear().envs(convoy.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(convoy.get_current_dir().unwrap());
    limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = project.wait(limited.spawn().unwrap()).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1", Some(0)), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("y")).unwrap(), "y");
    let name = names(&project).pop().unwrap();
    let folder = format!("[folder]/site/.convoy/runs/{name}");
    let told = ran.stderr.replace('\n', " ");
    let ends = format!(
        "[WARNING]: the journal of this run ends here, and the run continues without it: cannot write to {folder}: File too large (os error 27) "
    );
    assert!(told.starts_with(&ends), "{ran}");
    assert!(told.contains(&format!("events are missing in {folder}")), "{ran}");

    let again = show(&project, &["last"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(ran.stdout.starts_with(again.stdout.split("PLAY RECAP").next().unwrap()), "{again}");
    assert!(again.stderr.contains("could not be written down"), "{again}");
    // What did not fit was cut off.
    assert!(fs::read(journal(&project, &name)).unwrap().ends_with(b"\n"));
}

/// Starts a run that waits in its second task.
fn waiting(project: &Project, node: &Node) -> Child {
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    poll(|| Ok(node.place.join("begun").exists().then_some(()))).unwrap();
    child
}

fn kill(child: &Child) {
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
}

#[test]
fn a_run_goes_on_or_broke_off() {
    let project = tasks("- ping:\n- shell: 'touch {{ place }}/begun; cat {{ place }}/gate'");
    let node = project.node("l").unwrap();
    let status = Command::new("mkfifo").arg(node.place.join("gate")).status().unwrap();
    assert!(status.success());
    let child = waiting(&project, &node);
    let name = names(&project).pop().unwrap();
    let outcome = |word: &str| project.run(["runs"]).unwrap().stdout.contains(&format!("  {word}  "));
    assert!(outcome("running"));
    let shown = show(&project, &["last"]);
    assert!(
        shown.has_line("ok: [l]")
            && shown
                .has_line("TASK [shell] *******************************************************************"),
        "{shown}"
    );
    assert_eq!(
        (shown.stderr.as_str(), shown.code),
        ("[WARNING]: the run goes on; this is what happened until now\n", Some(0))
    );
    let pruned = project.run(["runs", "prune", "--keep", "0", "--yes"]).unwrap();
    assert_eq!(pruned.to_string(), "--- standard error\nthere is nothing to remove\n--- exit code 0\n");

    kill(&child);
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.code, None, "{ran}");
    assert!(outcome("broken off"));
    let shown = show(&project, &["last"]);
    assert_eq!((shown.stdout.as_str(), shown.code), (ran.stdout.as_str(), Some(0)));
    assert_eq!(shown.stderr, "[WARNING]: the run broke off here: it was killed, or the machine went down\n");

    // As if the machine had gone down within a record.
    let path = journal(&project, &name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let shown = show(&project, &["last"]);
    assert!(shown.stderr.contains("broke off here while a record was written"), "{shown}");
    assert_eq!(shown.code, Some(0), "{shown}");

    // A bit that has turned over on the disk.
    let mut flipped = whole.clone();
    let third = whole.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
    flipped[third + 20] ^= 4;
    fs::write(&path, &flipped).unwrap();
    let shown = show(&project, &["last"]);
    let left = whole.len() - third;
    let expected = format!(
        "error: record 2 of the journal of {name} is damaged\n  = note: it is not as it was written; {left} bytes from there on are not shown\n"
    );
    assert_eq!((shown.stderr.as_str(), shown.code), (expected.as_str(), Some(1)));

    // Not even the beginning is there.
    fs::write(&path, &whole[..10]).unwrap();
    let shown = show(&project, &["last"]);
    let expected =
        format!("error: the run {name} cannot be shown: the first record of the journal is damaged\n");
    assert_eq!((shown.stderr.as_str(), shown.code), (expected.as_str(), Some(1)));
    assert!(outcome("unreadable: the first record of the journal is damaged"));
    // Whoever still waits for it on the node may end.
    fs::OpenOptions::new().read(true).write(true).open(node.place.join("gate")).unwrap();
}

#[test]
fn old_runs_are_removed() {
    let project = tasks("- ping:");
    project.local("l").unwrap();
    for _ in 0..4 {
        project.apply([]).unwrap();
    }
    let all = names(&project);
    let prune = |words: &[&str]| project.run(["runs", "prune"].iter().chain(words)).unwrap();
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
    assert_eq!(names(&project), all);

    let removed = prune(&["--keep", "2", "--yes"]);
    assert_eq!(
        (&removed.stdout.replacen("removed", "would remove", 1), removed.code),
        (&preview.stdout, Some(0))
    );
    assert_eq!(names(&project), all[2..]);
    assert_eq!(prune(&["--older-than", "0", "--yes"]).code, Some(0));
    assert_eq!(names(&project), Vec::<String>::new());
    let none = prune(&["--yes"]);
    assert!(none.stderr.starts_with("error: the following required arguments were not provided:"), "{none}");
    assert_eq!(none.code, Some(1), "{none}");
}
