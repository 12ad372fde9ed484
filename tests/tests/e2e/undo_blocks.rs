//! The keyword `undo` of blocks: tasks that `convoy undo` runs on hosts where a run has started the block.

use std::fs;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::poll;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{commands_run, first_run, journal_path, make_fifo, run_names, site, wait_for_file};
use crate::undo::undo;

/// Two nested blocks. The commands that undo them add lines to the file `ran`.
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

/// Returns the output of a command with the hosts in order and without the name of the run.
fn sorted_output(output: &RunOutput, run: &str) -> String {
    let text = output.to_string().replace(run, "[run]");
    let mut lines: Vec<&str> = text.lines().collect();
    let host = |line: &str| line.starts_with("changed: [") || line.starts_with("ok: [");
    lines.chunk_by_mut(|a, b| host(a) && host(b)).for_each(|lines| {
        lines.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned));
    });
    lines.join("\n")
}

/// Starts nodes with these names, each with a file `conf`.
fn start_nodes(project: &Project, names: &[&str]) -> Vec<Node> {
    let nodes: Vec<Node> = names.iter().map(|name| project.node(name).unwrap()).collect();
    nodes.iter().for_each(|node| fs::write(node.place.join("conf"), "old\n").unwrap());
    nodes
}

#[test]
fn blocks_are_undone_before_files_and_handlers_run_last() {
    let project = site(PLAY);
    let nodes = start_nodes(&project, &["a", "b"]);
    let done = project.apply(["-t", "all,service"]).unwrap();
    assert_eq!((done.recap("a").as_str(), done.code), ("ok=7 changed=4", Some(0)), "{done}");
    let run = first_run(&project);
    for node in &nodes {
        assert_eq!(commands_run(&node.place), "restarts new\n");
        fs::remove_file(node.place.join("ran")).unwrap();
    }
    let checked = undo(&project, &["last", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked}");
    assert!(nodes.iter().all(|node| commands_run(&node.place).is_empty()));
    let done = undo(&project, &[&run]);
    insta::assert_snapshot!(sorted_output(&done, &run));
    for (node, name) in nodes.iter().zip(["a", "b"]) {
        assert_eq!(
            commands_run(&node.place),
            format!("closes 4711\nunregisters 4711 {name} new\nrestarts old\n")
        );
        assert!(!node.place.join("registered").exists() && !node.place.join("open").exists());
    }
    let again = undo(&project, &[&run]);
    assert_eq!((again.recap("a").as_str(), again.code), ("ok=1", Some(0)), "{again}");
    let says = "b: block \"Service of b\" is undone already: run ";
    assert!(again.stderr.lines().any(|line| line.starts_with(says)), "{again}");
    assert_eq!(commands_run(&nodes[0].place).lines().count(), 3);
}

#[test]
fn a_block_in_which_nothing_changed_is_not_undone() {
    let project = site(&PLAY.replace("      when: not there.stat.exists\n", ""));
    let nodes = start_nodes(&project, &["l"]);
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let playbook = fs::read_to_string(project.path("site.yml")).unwrap();
    let changes_nothing = playbook.replace(
        "shell: echo {{ word }} >> {{ place }}/registered; echo 4711",
        "shell: echo 4711\n          changed_when: false",
    );
    project.file("site.yml", changes_nothing.replace("state: touch", "state: file")).unwrap();
    let second = project.apply([]).unwrap();
    assert_eq!(second.recap("l"), "ok=6", "{second}");
    fs::remove_file(nodes[0].place.join("ran")).unwrap();
    let done = undo(&project, &["last"]);
    assert_eq!((done.recap("l").as_str(), done.code), ("ok=1", Some(0)), "{done}");
    assert_eq!(commands_run(&nodes[0].place), "");
}

#[test]
fn a_failed_undo_stops_on_its_host_and_can_be_repeated() {
    let project = site(&PLAY.replace("rm {{ place }}/registered", "test -e {{ place }}/well"));
    let nodes = start_nodes(&project, &["a", "b"]);
    fs::write(nodes[1].place.join("well"), "").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let run = first_run(&project);
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
    // Correct the playbook and move the block to another line.
    project.file("site.yml", format!("# mended\n{}", PLAY.trim_start())).unwrap();
    let refused = undo(&project, &[&run]);
    let text = "error: playbooks or roles are not what they were when the run read them\n  = note: [folder]/site/site.yml has \
                changed\nhint: --accept-changes undoes blocks as the playbooks say now; --files-only undoes files alone\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
    let corrected = undo(&project, &[&run, "--accept-changes"]);
    assert_eq!(
        (corrected.recap("a"), corrected.recap("b")),
        ("ok=4 changed=3".into(), "ok=1".into()),
        "{corrected}"
    );
    assert_eq!(
        commands_run(&nodes[0].place),
        "restarts new\ncloses 4711\nunregisters 4711 a new\nunregisters 4711 a new\nrestarts old\n"
    );
    assert_eq!(
        commands_run(&nodes[1].place),
        "restarts new\ncloses 4711\nunregisters 4711 b new\nrestarts old\n"
    );
}

#[test]
fn blocks_of_included_files_and_roles_are_undone() {
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
        commands_run(&node.place),
        "role app 80 default\nmore y more\nin y y\nmore x more\nin x x\ntold\nrole told\n",
        "{done}"
    );
}

/// The undo is refused while the block is missing from the playbook.
#[test]
fn a_block_in_progress_when_the_controller_is_killed_is_undone() {
    let playbook = PLAY
        .replace("echo 4711", "touch {{ place }}/begun; cat {{ place }}/gate")
        .replace("{{ registration.stdout }}", "it");
    let project = site(&playbook);
    let nodes = start_nodes(&project, &["l"]);
    let gate = nodes[0].place.join("gate");
    make_fifo(&gate);
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    wait_for_file(&nodes[0].place.join("begun"));
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    project.wait(child).unwrap();
    fs::write(&gate, "").unwrap();
    let run = first_run(&project);
    project.file("site.yml", playbook.replace("Service of", "Other service of")).unwrap();
    let refused = undo(&project, &[&run, "--accept-changes"]);
    let text = "error: the block \"Service of l\" is not in the playbooks any more\n  = note: it was at \
                [folder]/site/site.yml:10:7, and the run has begun it: l\nhint: put it back with its name and its `undo:`, or \
                undo files alone with --files-only\n";
    assert_eq!((refused.stderr.as_str(), refused.code), (text, Some(3)));
    let checked = undo(&project, &[&run, "--files-only", "--check"]);
    assert!(
        checked
            .stderr
            .starts_with("[WARNING]: block \"Service of l\" is not undone on l, as --files-only says"),
        "{checked}"
    );
    assert!(checked.stderr.contains("l: cannot be undone: shell, it runs a command, once"), "{checked}");
    project.file("site.yml", &playbook).unwrap();
    let done = undo(&project, &[&run]);
    assert_eq!((done.recap("l").as_str(), done.code), ("ok=4 changed=3", Some(0)), "{done}");
    assert_eq!(commands_run(&nodes[0].place), "unregisters it l new\nrestarts old\n");
}

#[test]
fn an_interrupted_undo_can_be_repeated() {
    let project =
        site(&PLAY.replace("echo closes", "touch {{ place }}/begun; cat {{ place }}/gate; echo closes"));
    let nodes = start_nodes(&project, &["l"]);
    let gate = nodes[0].place.join("gate");
    make_fifo(&gate);
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    let run = first_run(&project);
    let child = project.command(["undo", &run]).spawn().unwrap();
    wait_for_file(&nodes[0].place.join("begun"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let is_handled = |run: &String| {
        fs::read_to_string(journal_path(&project, run)).is_ok_and(|text| text.contains("press Ctrl-C again"))
    };
    poll(|| Ok(run_names(&project).iter().any(is_handled).then_some(()))).unwrap();
    fs::write(&gate, "").unwrap();
    let left = project.wait(child).unwrap();
    assert_eq!(left.code, Some(130), "{left}");
    let stderr = left.stderr.replace(&run, "[run]");
    insta::assert_snapshot!(stderr);
    fs::remove_file(&gate).unwrap();
    // `last` still names the run, not the undo.
    let done = undo(&project, &["last"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(
        commands_run(&nodes[0].place),
        "restarts new\ncloses 4711\nunregisters 4711 l new\nrestarts old\n"
    );
}

/// The journal does not contain them, and no placeholder takes their place.
#[test]
fn secret_results_are_undefined_in_undo() {
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
    assert_eq!(commands_run(&node.place), "");
}

#[test]
fn check_mode_reports_which_block_undoes_a_task() {
    let project = site(PLAY);
    fs::create_dir_all(project.local("m").unwrap()).unwrap();
    let plan = project.apply(["--check", "-v"]).unwrap();
    let reported: Vec<&str> = plan.stdout.lines().filter(|line| line.contains("undone")).collect();
    let expected = [
        "cannot be undone: \"restart\" on m: it runs a command",
        "undone with block \"Open\": \"Look\" on m: it runs a command",
        "undone with block \"Service of m\": \"Register\" on m: it runs a command",
    ];
    assert_eq!(reported, expected, "{plan}");
}
