//! `convoy undo`: what a run has changed is taken back, on all hosts or on none.

use std::fs;
use std::path::Path;

use convoy_tests::project::{Node, Project, Ran, listing};
use convoy_tests::sshd::{Accounts, SshdOptions};

use crate::harness::{site, tasks};

const RUN: &str = r#"- name: Replace
  copy: {content: "new\n", dest: "{{ place }}/app.conf", mode: '0600'}
- name: Make
  file: {path: "{{ place }}/made/deep", state: directory}
- copy: {content: "made\n", dest: "{{ place }}/made/deep/file"}
- name: Remove
  file: {path: "{{ place }}/old", state: absent}
- name: Count
  command: "true"
"#;

fn prepare(place: &Path) -> String {
    fs::create_dir_all(place.join("old/sub")).unwrap();
    fs::write(place.join("app.conf"), "old\n").unwrap();
    fs::write(place.join("old/sub/file"), "old\n").unwrap();
    folderless(place)
}

/// All that is in a folder; times of folders change with what is in them.
fn folderless(place: &Path) -> String {
    let listing = listing(place).unwrap();
    listing.lines().filter(|line| !line.ends_with(' ')).collect::<Vec<_>>().join("\n")
}

fn two() -> (Project, [(Node, String); 2]) {
    let project = tasks(RUN);
    let nodes = ["a", "b"].map(|name| {
        let node = project.node(name).unwrap();
        let before = prepare(&node.place);
        (node, before)
    });
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    (project, nodes)
}

pub(crate) fn undo(project: &Project, words: &[&str]) -> Ran {
    project.run(["undo"].iter().chain(words)).unwrap()
}

/// Returns the run's name.
pub(crate) fn first(project: &Project) -> String {
    let entries = fs::read_dir(project.path(".convoy/runs")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.swap_remove(0)
}

#[test]
fn a_run_on_two_hosts() {
    let (project, nodes) = two();
    let run = first(&project);
    let after: Vec<String> = nodes.iter().map(|(node, _)| folderless(&node.place)).collect();
    let looked = undo(&project, &["last", "--check"]);
    assert_eq!(looked.code, Some(0), "{looked}");
    assert_eq!(nodes.iter().map(|(node, _)| folderless(&node.place)).collect::<Vec<_>>(), after);
    let done = undo(&project, &[&run]);
    let shown = format!("{done}").replace(&run, "[run]");
    // Hosts are at work together.
    let mut lines: Vec<&str> = shown.lines().collect();
    lines.chunk_by_mut(|a, b| [a, b].iter().all(|line| line.starts_with("changed: "))).for_each(|lines| {
        lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    });
    insta::assert_snapshot!(lines.join("\n"));
    for (node, before) in &nodes {
        assert_eq!(&folderless(&node.place), before);
    }
    let again = undo(&project, &[&run]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stderr.contains("a: nothing is left to take back: run "), "{again}");
    // What took it back is a run like others.
    let listed = project.run(["runs"]).unwrap();
    assert!(listed.stdout.contains(&format!("undo of {run}")), "{listed}");
    let names = fs::read_dir(project.path(".convoy/runs")).unwrap();
    let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let back = undo(&project, &[&names[2]]);
    assert_eq!(back.code, Some(0), "{back}");
    for ((node, _), after) in nodes.iter().zip(&after) {
        let files = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(files(&folderless(&node.place)), files(after));
        assert_eq!(fs::read_to_string(node.place.join("app.conf")).unwrap(), "new\n");
    }
}

#[test]
fn what_was_edited_on_one_host_holds_up_all_until_it_is_left_out() {
    let (project, nodes) = two();
    let [(a, before), (b, _)] = &nodes;
    fs::write(b.place.join("app.conf"), "mine\n").unwrap();
    fs::write(b.place.join("made/note"), "mine\n").unwrap();
    let run = first(&project);
    let after = [folderless(&a.place), folderless(&b.place)];
    let refused = undo(&project, &[&run]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert_eq!([folderless(&a.place), folderless(&b.place)], after);
    let state = convoy_tests::program::state_of(&b.home).join("convoy/runs").join(&run);
    let said = refused.stderr.replace(&project.normal(&state.display().to_string()), "[state]");
    let said = said.lines().map(|line| match line.split_once("[state]/kept/") {
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
    assert_eq!(said.map(|line| line.trim().to_owned()).collect::<Vec<_>>(), expected, "{refused}");
    let done = undo(&project, &[&run, "-l", "a"]);
    assert_eq!((done.code, done.recap("b")), (Some(0), String::new()), "{done}");
    assert_eq!(&folderless(&a.place), before);
    assert_eq!(folderless(&b.place), after[1]);
}

#[test]
fn a_plan_tells_what_cannot_be_undone() {
    let project = tasks(&format!(
        "{RUN}- name: Hide\n  copy: {{content: x, dest: \"{{{{ place }}}}/hidden\"}}\n  no_log: true\n"
    ));
    fs::create_dir_all(project.local("m").unwrap()).unwrap();
    let plan = project.apply(["--check", "-v"]).unwrap();
    let told: Vec<&str> = plan.stdout.lines().filter(|line| line.starts_with("cannot be undone")).collect();
    let expected = [
        "cannot be undone: \"Count\" on m: it runs a command",
        "cannot be undone: \"Hide\" on m: it has a secret, and what it replaces is not kept",
    ];
    assert_eq!(told, expected, "{plan}");
    assert!(!project.apply(["--check"]).unwrap().stdout.contains("cannot be undone"));
}

#[test]
fn another_folder_a_check_and_no_run() {
    let project = tasks("- ping:\n");
    project.local("m").unwrap();
    let none = undo(&project, &["last"]);
    assert_eq!(none.code, Some(1), "{none}");
    assert!(none.stderr.starts_with("error: there are no runs in "), "{none}");
    assert_eq!(project.apply(["--check"]).unwrap().code, Some(0));
    let run = first(&project);
    let check = undo(&project, &["last"]);
    let says = format!("error: run {run} was in check mode: it has changed nothing\n");
    assert_eq!((check.code, check.stderr), (Some(1), says));
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    // Looking at what would be done does not come in between.
    assert_eq!(undo(&project, &["last", "--check"]).code, Some(0));
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert!(done.stderr.contains("m: nothing is recorded of this run"), "{done}");
    let of_that = undo(&project, &["last"]);
    assert_eq!(of_that.code, Some(0), "{of_that}");
    let mut command = project.command(["undo", "last"]);
    command.current_dir(project.home()).env("CONVOY_JOURNAL", project.path(".convoy/runs"));
    let there = project.wait(command.spawn().unwrap()).unwrap();
    assert_eq!(there.code, Some(1), "{there}");
    assert!(there.stderr.ends_with("hint: go there first: cd [folder]/site\n"), "{there}");
}

/// Root makes a folder, in which another user works; both are become by sudo.
const USERS: &str = r#"
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
fn users_that_were_become() {
    let accounts = Accounts {
        login: "op",
        lines: "
            account op word-of-op
            account app
            sudoers 'op ALL=(ALL:ALL) ALL'
            mount -t tmpfs tmpfs /srv
            echo old >/etc/app.conf
            echo hunter1 >/etc/secret.conf
        ",
    };
    let project = site(USERS);
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    let node = project.node_with("l", options).unwrap();
    project.file("password", "word-of-op").unwrap();
    let words = ["--become-password-file", "password", "-e", "word=hunter2"];
    let ran = project.apply(words).unwrap();
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
    let looked = undo(&project, &["last", "--check"]);
    assert_eq!(looked.code, Some(0), "{looked}");
    let done = undo(&project, &[&first(&project)]);
    assert_eq!(done.code, Some(0), "{done}");
    let stays = "l: stays as it is: /etc/secret.conf: it contained a secret, and secrets are not backed up";
    assert!(done.stderr.lines().any(|line| line == stays), "{done}");
    let found = exec("cat /etc/app.conf /etc/secret.conf; echo; ls /srv");
    assert_eq!(found, "l | CHANGED | rc=0 >>\nold\nhunter2\n", "{done}");
    let _ = node;
}
