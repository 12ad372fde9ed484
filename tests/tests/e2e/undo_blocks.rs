//! `undo:` of blocks: tasks that `convoy undo` runs where a run has begun the block.

use std::fs;
use std::path::Path;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::poll;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::site;
use crate::undo::{first, undo};

/// Two blocks, one in the other; what is done with the node is written down in `ran`.
const PLAY: &str = r#"
- name: Service
  hosts: all
  gather_facts: false
  vars: {ran: "{{ place }}/ran"}
  tasks:
    - set_fact: {word: "{{ inventory_hostname }}"}
    - stat: {path: "{{ place }}/registered"}
      register: there
    - name: Service of {{ word }}
      block:
        - name: Configure
          copy: {content: "new\n", dest: "{{ place }}/conf"}
          notify: restart
        - name: Register
          shell: echo {{ word }} >> {{ place }}/registered; echo 4711
          register: registration
        - name: Open
          block:
            - name: Look
              command: "true"
              changed_when: false
            - name: Open it
              file: {path: "{{ place }}/open", state: touch}
          undo:
            - shell: echo closes {{ registration.stdout }} >> {{ ran }}
      when: not there.stat.exists
      tags: service
      undo:
        - name: Unregister
          shell: echo unregisters {{ registration.stdout }} {{ word }} $(cat {{ place }}/conf) >> {{ ran }}; rm {{ place }}/registered
          notify: restart
  handlers:
    - name: restart
      shell: echo restarts $(cat {{ place }}/conf) >> {{ ran }}
"#;

fn ran(node: &Node) -> String {
    fs::read_to_string(node.place.join("ran")).unwrap_or_default()
}

/// What a command has shown, with hosts in order, and without the name of a run.
fn shown(ran: &RunOutput, run: &str) -> String {
    let text = format!("{ran}").replace(run, "[run]");
    let mut lines: Vec<&str> = text.lines().collect();
    let host = |line: &str| line.starts_with("changed: [") || line.starts_with("ok: [");
    lines.chunk_by_mut(|a, b| host(a) && host(b)).for_each(|lines| {
        lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    });
    lines.join("\n")
}

fn prepare(project: &Project, names: &[&str]) -> Vec<Node> {
    let nodes: Vec<Node> = names.iter().map(|name| project.node(name).unwrap()).collect();
    nodes.iter().for_each(|node| fs::write(node.place.join("conf"), "old\n").unwrap());
    nodes
}

#[test]
fn blocks_are_undone_before_files_and_handlers_run_after() {
    let project = site(PLAY);
    let nodes = prepare(&project, &["a", "b"]);
    let done = project.apply(["-t", "all,service"]).unwrap();
    assert_eq!((done.recap("a").as_str(), done.code), ("ok=7 changed=4", Some(0)), "{done}");
    let run = first(&project);
    for node in &nodes {
        assert_eq!(ran(node), "restarts new\n");
        fs::remove_file(node.place.join("ran")).unwrap();
    }
    let looked = undo(&project, &["last", "--check"]);
    assert_eq!(looked.code, Some(0), "{looked}");
    assert!(nodes.iter().all(|node| ran(node).is_empty()));
    let done = undo(&project, &[&run]);
    insta::assert_snapshot!(shown(&done, &run));
    for (node, name) in nodes.iter().zip(["a", "b"]) {
        assert_eq!(ran(node), format!("closes 4711\nunregisters 4711 {name} new\nrestarts old\n"));
        assert!(!node.place.join("registered").exists() && !node.place.join("open").exists());
    }
    let again = undo(&project, &[&run]);
    assert_eq!((again.recap("a").as_str(), again.code), ("ok=1", Some(0)), "{again}");
    let says = "b: block \"Service of b\" is undone already: run ";
    assert!(again.stderr.lines().any(|line| line.starts_with(says)), "{again}");
    assert_eq!(ran(&nodes[0]).lines().count(), 3);
}

#[test]
fn a_run_that_changed_nothing_in_a_block_leaves_it() {
    let project = site(&PLAY.replace("      when: not there.stat.exists\n", ""));
    let nodes = prepare(&project, &["l"]);
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let playbook = fs::read_to_string(project.path("site.yml")).unwrap();
    let looks = playbook.replace(
        "shell: echo {{ word }} >> {{ place }}/registered; echo 4711",
        "shell: echo 4711\n          changed_when: false",
    );
    project.file("site.yml", looks.replace("state: touch", "state: file")).unwrap();
    let second = project.apply([]).unwrap();
    assert_eq!(second.recap("l"), "ok=6", "{second}");
    fs::remove_file(nodes[0].place.join("ran")).unwrap();
    let done = undo(&project, &["last"]);
    assert_eq!((done.recap("l").as_str(), done.code), ("ok=1", Some(0)), "{done}");
    assert_eq!(ran(&nodes[0]), "");
}

/// On one host what undoes the block fails.
#[test]
fn a_failure_leaves_the_host_as_it_is_and_can_be_mended() {
    let project = site(&PLAY.replace("rm {{ place }}/registered", "test -e {{ place }}/well"));
    let nodes = prepare(&project, &["a", "b"]);
    fs::write(nodes[1].place.join("well"), "").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let run = first(&project);
    let failed = undo(&project, &[&run]);
    assert_eq!(failed.code, Some(2), "{failed}");
    assert_eq!(
        (failed.recap("a"), failed.recap("b")),
        ("ok=2 changed=1 failed=1".into(), "ok=5 changed=4".into())
    );
    let left = failed.stderr.lines().map(|line| line.replace(&run, "[run]")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(left);
    assert_eq!(fs::read_to_string(nodes[0].place.join("conf")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(nodes[1].place.join("conf")).unwrap(), "old\n");
    // What is wrong is mended, in a line that moves the block.
    project.file("site.yml", format!("# mended\n{}", PLAY.trim_start())).unwrap();
    let refused = undo(&project, &[&run]);
    let text = "error: playbooks or roles are not what they were when the run read them\n  = note: [folder]/site/site.yml has \
                changed\nhint: --accept-changes undoes blocks as the playbooks say now; --files-only takes back files alone\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
    let mended = undo(&project, &[&run, "--accept-changes"]);
    assert_eq!((mended.recap("a"), mended.recap("b")), ("ok=4 changed=3".into(), "ok=1".into()), "{mended}");
    assert_eq!(
        ran(&nodes[0]),
        "restarts new\ncloses 4711\nunregisters 4711 a new\nunregisters 4711 a new\nrestarts old\n"
    );
    assert_eq!(ran(&nodes[1]), "restarts new\ncloses 4711\nunregisters 4711 b new\nrestarts old\n");
}

#[test]
fn blocks_of_included_files_and_roles() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - include_tasks: {file: '{{ name }}.yml'}
      loop: [x, y]
      vars: {name: more}
      when: item is defined
    - include_role: {name: app, tasks_from: '{{ which }}'}
      vars: {which: install, port: 80}
  handlers:
    - {name: told, shell: 'echo told >> {{ place }}/ran'}
",
    );
    let block = |title: &str, what: &str| {
        format!(
            "- name: {title}\n  block:\n    - command: 'true'\n  undo:\n    - shell: echo {what} >> {{{{ place }}}}/ran\n      notify: told\n"
        )
    };
    project
        .file(
            "more.yml",
            format!(
                "- include_tasks: '{{{{ item }}}}.yml'\n{}",
                block("More {{ item }}", "more {{ item }} {{ name }}")
            ),
        )
        .unwrap();
    for name in ["x", "y"] {
        project
            .file(&format!("{name}.yml"), block(&format!("In {name}"), &format!("in {name} {{{{ item }}}}")))
            .unwrap();
    }
    project
        .file("roles/app/tasks/install.yml", block("Install", "role {{ role_name }} {{ port }} {{ own }}"))
        .unwrap();
    project.file("roles/app/defaults/main.yml", "own: default\nport: 0\n").unwrap();
    project
        .file(
            "roles/app/handlers/main.yml",
            "- {name: of the role, listen: told, shell: 'echo role told >> {{ place }}/ran'}\n",
        )
        .unwrap();
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    let titles: Vec<&str> = done
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("PLAY [Undo of block ")?.split(']').next())
        .collect();
    assert_eq!(titles, ["\"Install\"", "\"More y\"", "\"In y\"", "\"More x\"", "\"In x\""]);
    assert_eq!(
        ran(&node),
        "role app 80 default\nmore y more\nin y y\nmore x more\nin x x\ntold\nrole told\n",
        "{done}"
    );
}

/// The controller is killed while a block is at work; then the block is gone from the playbook.
#[test]
fn killed_in_a_block() {
    let playbook = PLAY
        .replace("echo 4711", "touch {{ place }}/begun; cat {{ place }}/gate")
        .replace("{{ registration.stdout }}", "it");
    let project = site(&playbook);
    let nodes = prepare(&project, &["l"]);
    let gate = nodes[0].place.join("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    let exists = |path: &Path| path.exists().then_some(());
    poll(|| Ok(exists(&nodes[0].place.join("begun")))).unwrap();
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    project.wait(child).unwrap();
    fs::write(&gate, "").unwrap();
    let run = first(&project);
    project.file("site.yml", playbook.replace("Service of", "Other service of")).unwrap();
    let refused = undo(&project, &[&run, "--accept-changes"]);
    let text = "error: the block \"Service of l\" is not in the playbooks any more\n  = note: it was at \
                [folder]/site/site.yml:10:7, and the run has begun it: l\nhint: put it back with its name and its `undo:`, or \
                take back files alone with --files-only\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
    let looked = undo(&project, &[&run, "--files-only", "--check"]);
    assert!(
        looked
            .stderr
            .starts_with("[WARNING]: block \"Service of l\" is not undone on l, as --files-only says"),
        "{looked}"
    );
    assert!(looked.stderr.contains("l: cannot be undone: shell, it runs a command, once"), "{looked}");
    project.file("site.yml", &playbook).unwrap();
    let done = undo(&project, &[&run]);
    assert_eq!((done.recap("l").as_str(), done.code), ("ok=4 changed=3", Some(0)), "{done}");
    assert_eq!(ran(&nodes[0]), "unregisters it l new\nrestarts old\n");
}

#[test]
fn an_undo_that_is_interrupted_is_begun_again() {
    let project =
        site(&PLAY.replace("echo closes", "touch {{ place }}/begun; cat {{ place }}/gate; echo closes"));
    let nodes = prepare(&project, &["l"]);
    let gate = nodes[0].place.join("gate");
    assert!(std::process::Command::new("mkfifo").arg(&gate).status().unwrap().success());
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let run = first(&project);
    let child = project.command(["undo", &run]).spawn().unwrap();
    poll(|| Ok(nodes[0].place.join("begun").exists().then_some(()))).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let runs = || {
        fs::read_dir(project.path(".convoy/runs")).unwrap().map(|entry| entry.unwrap().path().join("journal"))
    };
    let told = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains("press Ctrl-C again"));
    poll(|| Ok(runs().any(|path| told(&path)).then_some(()))).unwrap();
    fs::write(&gate, "").unwrap();
    let left = project.wait(child).unwrap();
    assert_eq!(left.code, Some(130), "{left}");
    let said = left.stderr.replace(&run, "[run]");
    insta::assert_snapshot!(said);
    fs::remove_file(&gate).unwrap();
    // `last` is not the undo.
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(ran(&nodes[0]), "restarts new\ncloses 4711\nunregisters 4711 l new\nrestarts old\n");
}

/// What a secret was is not in the journal: no task takes the placeholder for it.
#[test]
fn secrets_are_not_known() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - block:
        - {command: echo hunter2, register: token, no_log: true}
      undo:
        - {shell: 'echo {{ token.rc }}:{{ token.stdout }} >> {{ place }}/ran'}
",
    );
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(2), "{done}");
    let says = "fatal: [l]: FAILED! => {\"changed\": false, \"msg\": \"The task includes an option with an undefined variable.. \
                'dict object' has no attribute 'rc'\\n\\nThe error appears to be in site.yml:7:19\"}";
    assert!(done.has_line(says), "{done}");
    assert_eq!(ran(&node), "");
}

#[test]
fn a_plan_tells_which_block_undoes_what() {
    let project = site(PLAY);
    fs::create_dir_all(project.local("m").unwrap()).unwrap();
    let plan = project.apply(["--check", "-v"]).unwrap();
    let told: Vec<&str> = plan.stdout.lines().filter(|line| line.contains("undone")).collect();
    let expected = [
        "cannot be undone: \"restart\" on m: it runs a command",
        "undone with block \"Open\": \"Look\" on m: it runs a command",
        "undone with block \"Service of m\": \"Register\" on m: it runs a command",
    ];
    assert_eq!(told, expected, "{plan}");
}
