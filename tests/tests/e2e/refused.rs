//! What is wrong in files, and how the command says it: the whole output, one case after the other.

use convoy_tests::project::Project;

use crate::harness::site;

/// Refused when the playbook is read.
const READ: &[(&str, &str)] = &[
    ("unknown key of a play", "- hosts: l\n  taks: []\n"),
    ("unknown key of a task", "- hosts: l\n  tasks:\n    - ping:\n      whn: true\n"),
    ("unknown key of a block", "- hosts: l\n  tasks:\n    - block: [{ping: }]\n      rescu: []\n"),
    (
        "unknown key of loop_control",
        "- hosts: l\n  tasks:\n    - ping:\n      loop: [1]\n      loop_control: {lable: x}\n",
    ),
    (
        "unknown key of a role",
        "- hosts: l\n  roles:\n    - {role: base, wen: true, tgas: [x]}\n    - {rol: base}\n",
    ),
    ("unknown parameter", "- hosts: l\n  tasks:\n    - copy: {content: x, dst: /x}\n"),
    ("unknown module", "- hosts: l\n  tasks:\n    - coppy: {content: x, dest: /x}\n"),
    (
        "a key twice",
        "- hosts: l\n  tasks:\n    - copy:\n        dest: /x\n        content: a\n        content: b\n",
    ),
    ("a tab", "- hosts: l\n  tasks:\n\t- ping:\n"),
    ("a mode in decimal", "- hosts: l\n  tasks:\n    - copy: {content: x, dest: /x, mode: 644}\n"),
    ("two modules", "- hosts: l\n  tasks:\n    - ping:\n      copy: {content: x, dest: /x}\n"),
    ("no module", "- hosts: l\n  tasks:\n    - name: Nothing\n"),
    ("a handler that is not there", "- hosts: l\n  tasks:\n    - ping:\n      notify: Restart\n"),
    ("a role that is not there", "- hosts: l\n  roles: [none]\n"),
    ("not a list", "hosts: l\ntasks: []\n"),
    (
        "several at once",
        "- hosts: l\n  gather_fact: false\n  tasks:\n    - pong:\n    - file: {path: /x, state: gone}\n",
    ),
];

/// Fails when the task is due.
const DUE: &[(&str, &str)] = &[
    ("undefined variable", "- copy: {content: '{{ nobody }}', dest: '{{ place }}/x'}"),
    ("undefined attribute", "- debug: msg={{ inventory_hostname.nothing }}"),
    ("cyclic variables", "- debug: msg={{ a }}\n  vars: {a: '{{ b }}', b: '{{ c }}', c: '{{ a }}'}"),
    ("template syntax", "- debug: msg=\"{{ 1 + }}\""),
    ("wrong condition", "- ping:\n  when: place is nonsense"),
    ("error in a template", "- template: {src: bad.j2, dest: '{{ place }}/x'}"),
    ("error in a Handlebars template", "- template: {src: bad.hbs, dest: '{{ place }}/x'}"),
    ("syntax of a template", "- template: {src: syntax.j2, dest: '{{ place }}/x'}"),
    ("syntax of a Handlebars template", "- template: {src: syntax.hbs, dest: '{{ place }}/x'}"),
    ("no file on the controller", "- copy: {src: none.conf, dest: '{{ place }}/x'}"),
    ("no template on the controller", "- template: {src: none.j2, dest: '{{ place }}/x'}"),
    ("a mode in decimal by template", "- file: {path: '{{ place }}', mode: '{{ 9999 }}'}"),
    ("a user that is not there", "- file: {path: '{{ place }}', owner: nobody-at-all}"),
    ("no folder on the node", "- copy: {content: x, dest: '{{ place }}/none/x'}"),
    ("no program", "- command: /no/such/program"),
    ("a wait in vain", "- wait_for: {path: '{{ place }}/x', timeout: 1}"),
];

fn report(name: &str, project: &Project) -> String {
    let ran = project.apply([]).expect("a run");
    format!("==== {name}\n{ran}\n")
}

#[test]
fn when_the_playbook_is_read() {
    let mut all = String::new();
    for (name, playbook) in READ {
        let project = site(playbook);
        project.file("roles/base/tasks/main.yml", "- ping:\n").unwrap();
        project.host("l ansible_connection=local").unwrap();
        all.push_str(&report(name, &project));
    }
    assert_eq!(all.matches("--- exit code 1\n").count(), READ.len(), "{all}");
    insta::assert_snapshot!(all);
}

#[test]
fn when_the_task_is_due() {
    let mut all = String::new();
    for (name, tasks) in DUE {
        let project = crate::harness::tasks(tasks);
        project
            .file("templates/bad.j2", "one\ntwo {{ nobody }}\n")
            .unwrap()
            .file("templates/bad.hbs", "one\ntwo {{nobody}}\n")
            .unwrap()
            .file("templates/syntax.j2", "one\n{% for %}\n")
            .unwrap()
            .file("templates/syntax.hbs", "one\n{{#if}}\n")
            .unwrap();
        let place = project.local("l").unwrap();
        all.push_str(&report(name, &project));
        assert_eq!(std::fs::read_dir(place).unwrap().count(), 0, "{name}");
    }
    assert_eq!(all.matches("--- exit code 2\n").count(), DUE.len(), "{all}");
    insta::assert_snapshot!(all);
}
