//! `convoy undo`: restores the files that a run has changed, on all hosts or on none.

use std::fs;
use std::path::Path;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project, listing};
use convoy_tests::sshd::{Accounts, SshdOptions};

use crate::harness::{first_run, run_names, site, tasks};

const TASKS: &str = r#"- name: Replace
  copy: {content: "new\n", dest: "{{ place }}/app.conf", mode: '0600'}
- name: Make
  file: {path: "{{ place }}/made/deep", state: directory}
- copy: {content: "made\n", dest: "{{ place }}/made/deep/file"}
- name: Remove
  file: {path: "{{ place }}/old", state: absent}
- name: Count
  command: "true"
"#;

/// Writes the files that the tasks replace and remove; returns the list of all files.
fn write_initial_files(place: &Path) -> String {
    fs::create_dir_all(place.join("old/sub")).unwrap();
    fs::write(place.join("app.conf"), "old\n").unwrap();
    fs::write(place.join("old/sub/file"), "old\n").unwrap();
    files_below(place)
}

/// Lists the files below a directory, without directories: their times change with their content.
fn files_below(place: &Path) -> String {
    let listing = listing(place).unwrap();
    listing.lines().filter(|line| !line.ends_with(' ')).collect::<Vec<_>>().join("\n")
}

/// Returns a project whose tasks were applied to two nodes, and what was on these nodes before.
fn project_applied_on_two_nodes() -> (Project, [(Node, String); 2]) {
    let project = tasks(TASKS);
    let nodes = ["a", "b"].map(|name| {
        let node = project.node(name).unwrap();
        let before = write_initial_files(&node.place);
        (node, before)
    });
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    (project, nodes)
}

/// Runs `convoy undo` with these arguments.
pub(crate) fn undo(project: &Project, args: &[&str]) -> RunOutput {
    project.run(["undo"].iter().chain(args)).unwrap()
}

#[test]
fn undo_restores_the_files_of_a_run_on_two_hosts() {
    let (project, nodes) = project_applied_on_two_nodes();
    let run = first_run(&project);
    let after: Vec<String> = nodes.iter().map(|(node, _)| files_below(&node.place)).collect();
    let checked = undo(&project, &["last", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked}");
    assert_eq!(nodes.iter().map(|(node, _)| files_below(&node.place)).collect::<Vec<_>>(), after);
    let undone = undo(&project, &[&run]);
    let shown = format!("{undone}").replace(&run, "[run]");
    // Hosts finish in any order.
    let mut lines: Vec<&str> = shown.lines().collect();
    lines.chunk_by_mut(|a, b| [a, b].iter().all(|line| line.starts_with("changed: "))).for_each(|lines| {
        lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    });
    insta::assert_snapshot!(lines.join("\n"));
    for (node, before) in &nodes {
        assert_eq!(&files_below(&node.place), before);
    }
    let again = undo(&project, &[&run]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stderr.contains("a: nothing is left to undo: run "), "{again}");
    // The undo is a run like any other.
    let listed = project.run(["runs"]).unwrap();
    assert!(listed.stdout.contains(&format!("undo of {run}")), "{listed}");
    let back = undo(&project, &[&run_names(&project)[2]]);
    assert_eq!(back.code, Some(0), "{back}");
    for ((node, _), after) in nodes.iter().zip(&after) {
        let files = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(files(&files_below(&node.place)), files(after));
        assert_eq!(fs::read_to_string(node.place.join("app.conf")).unwrap(), "new\n");
    }
}

#[test]
fn a_file_edited_after_the_run_blocks_the_undo_on_all_hosts() {
    let (project, nodes) = project_applied_on_two_nodes();
    let [(a, before), (b, _)] = &nodes;
    fs::write(b.place.join("app.conf"), "mine\n").unwrap();
    fs::write(b.place.join("made/note"), "mine\n").unwrap();
    let run = first_run(&project);
    let after = [files_below(&a.place), files_below(&b.place)];
    let refused = undo(&project, &[&run]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert_eq!([files_below(&a.place), files_below(&b.place)], after);
    let state = convoy_tests::program::state_home(&b.home).join("convoy/runs").join(&run);
    let messages = refused.stderr.replace(&project.normalize(&state.display().to_string()), "[state]");
    let messages = messages.lines().map(|line| match line.split_once("[state]/kept/") {
        Some((begin, _)) => format!("{begin}[state]/kept/[id]"),
        None => line.to_owned(),
    });
    let expected = [
        "error: b: [folder]/nodes/b/place/made was created by the run, but contains what the run did not create: note",
        "",
        "error: b: [folder]/nodes/b/place/app.conf has changed since the run: its content differs; a backup \
         is in [state]/kept/[id]",
        "hint: nothing was changed on any host; -l takes back what was changed on others, see docs/undo.md",
    ];
    assert_eq!(messages.map(|line| line.trim().to_owned()).collect::<Vec<_>>(), expected, "{refused}");
    let undone = undo(&project, &[&run, "-l", "a"]);
    assert_eq!((undone.code, undone.recap("b")), (Some(0), String::new()), "{undone}");
    assert_eq!(&files_below(&a.place), before);
    assert_eq!(files_below(&b.place), after[1]);
}

#[test]
fn check_mode_reports_what_cannot_be_undone() {
    let project = tasks(&format!(
        "{TASKS}- name: Hide\n  copy: {{content: x, dest: \"{{{{ place }}}}/hidden\"}}\n  no_log: true\n"
    ));
    fs::create_dir_all(project.local("m").unwrap()).unwrap();
    let plan = project.apply(["--check", "-v"]).unwrap();
    let lines: Vec<&str> = plan.stdout.lines().filter(|line| line.starts_with("cannot be undone")).collect();
    let expected = [
        "cannot be undone: \"Count\" on m: it runs a command",
        "cannot be undone: \"Hide\" on m: it has a secret, and what it replaces is not kept",
    ];
    assert_eq!(lines, expected, "{plan}");
    assert!(!project.apply(["--check"]).unwrap().stdout.contains("cannot be undone"));
}

#[test]
fn undo_needs_a_run_that_changed_something_in_this_directory() {
    let project = tasks("- ping:\n");
    project.local("m").unwrap();
    let none = undo(&project, &["last"]);
    assert_eq!(none.code, Some(1), "{none}");
    assert!(none.stderr.starts_with("error: there are no runs in "), "{none}");
    assert_eq!(project.apply(["--check"]).unwrap().code, Some(0));
    let run = first_run(&project);
    let check = undo(&project, &["last"]);
    let says = format!("error: run {run} was in check mode: it has changed nothing\n");
    assert_eq!((check.code, check.stderr), (Some(1), says));
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    // An undo in check mode is not the last run.
    assert_eq!(undo(&project, &["last", "--check"]).code, Some(0));
    let undone = undo(&project, &["last"]);
    assert_eq!(undone.code, Some(0), "{undone}");
    assert!(undone.stderr.contains("m: nothing is recorded of this run"), "{undone}");
    let of_that = undo(&project, &["last"]);
    assert_eq!(of_that.code, Some(0), "{of_that}");
    let mut command = project.command(["undo", "last"]);
    command.current_dir(project.home()).env("CONVOY_JOURNAL", project.path(".convoy/runs"));
    let there = project.wait(command.spawn().unwrap()).unwrap();
    assert_eq!(there.code, Some(1), "{there}");
    assert!(there.stderr.ends_with("hint: go there first: cd [folder]/site\n"), "{there}");
}

/// Root creates a directory and another user writes to it, both through sudo.
const PLAY_WITH_BECOME_USERS: &str = r#"
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - file: {path: /srv/app, state: directory, owner: app, mode: '0755'}
    - copy: {content: "new\n", dest: /etc/app.conf, mode: '0640'}
    - copy: {content: "mine\n", dest: /srv/app/file}
      become_user: app
    - file: {path: /srv/app/file, owner: root}
    - copy: {content: "{{ word }}", dest: /etc/secret.conf}
      no_log: true
"#;

#[test]
fn undo_works_as_the_become_users_of_the_run() {
    let accounts = Accounts {
        login: "op",
        script: "
            account op word-of-op
            account app
            sudoers 'op ALL=(ALL:ALL) ALL'
            mount -t tmpfs tmpfs /srv
            echo old >/etc/app.conf
            echo hunter1 >/etc/secret.conf
        ",
    };
    let project = site(PLAY_WITH_BECOME_USERS);
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    let node = project.node_with("l", options).unwrap();
    project.file("password", "word-of-op").unwrap();
    let args = ["--become-password-file", "password", "-e", "word=hunter2"];
    let ran = project.apply(args).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    let look = "ls -ld /srv/app; cat /etc/app.conf /etc/secret.conf; ls /srv";
    let exec = |shell: &str| {
        let ran = project.run([
            "exec",
            "l",
            "-i",
            "hosts",
            "-b",
            "--become-password-file",
            "password",
            "-m",
            "shell",
            "-a",
            shell,
        ]);
        ran.unwrap().stdout
    };
    assert!(exec(look).contains("app"), "{}", exec(look));
    let checked = undo(&project, &["last", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked}");
    let undone = undo(&project, &[&first_run(&project)]);
    assert_eq!(undone.code, Some(0), "{undone}");
    let kept_line =
        "l: stays as it is: /etc/secret.conf: it contained a secret, and secrets are not backed up";
    assert!(undone.stderr.lines().any(|line| line == kept_line), "{undone}");
    let found = exec("cat /etc/app.conf /etc/secret.conf; echo; ls /srv");
    assert_eq!(found, "l | CHANGED | rc=0 >>\nold\nhunter2\n", "{undone}");
    let _ = node;
}
