//! The errors and warnings in projects, with the complete text that the user sees.

use std::fmt::Write as _;

use super::Project;

/// Tasks of a play; each element is a project of its own.
const TASKS: &[&str] = &[
    "- pong:",
    "- dnf: {name: x}",
    "- block:\n    - copy: {content: x}\n  always: []",
    "- community.general.ufw: state=enabled",
    "- include: more.yml",
    "- ping:\n  meta: noop",
    "- name: Nothing to do",
    "- ping:\n  whn: true",
    "- ping: {dta: x}",
    "- ping: dta=x",
    "- ping: hello",
    "- ping: \"data='open\"",
    "- ping:\n  args: variable",
    "- ping:\n  register: 1abc",
    "- ping:\n  vars: {a-b: 1}",
    "- ping:\n  become: maybe\n  become_method: runas\n  retries: many",
    "- ping:\n  environment: PATH",
    "- ping:\n  module_defaults: {pign: {data: x}, ping: {dta: x}, copy: yes, file: {mode: 644}, group/awz: {}, group/a.b.c: {}, 1: {}}",
    "- ping:\n  async: ten\n  poll: x",
    "- include_tasks: x.yml\n  async: 10",
    "- ping:\n  debugger: always",
    "- ping:\n  collections: [community.general]",
    "- ping:\n  loop: items",
    "- ping:\n  loop: [1]\n  with_items: [2]",
    "- ping:\n  loop: [1]\n  loop_control: {loop_vr: x, index_var: 1x}",
    "- ping:\n  listen: x",
    "- block:\n    - ping:\n  loop: [1]\n  regster: x",
    "- rescue: []",
    "- ping:\n  undo: []",
    "- block: []\n  undo:\n    - pong:\n    - block: []\n      undo: []",
    "- meta: flush_handler",
    "- meta: end_role",
    "- action: pong data=x",
    "- import_tasks: none.yml",
    "- import_tasks: '{{ nobody }}.yml'",
    "- import_tasks: {file: x.yml, apply: {}}\n  loop: [1]",
    "- include_tasks: {file: x.yml, aply: {}}\n  become: true",
    "- include_tasks: {file: x.yml, apply: {becom: true}}",
    "- include_role: {nam: x}",
    "- import_role: {name: none}",
    "- ping:\n  notify: restart",
    "- just text",
];

/// Projects with all of their files.
const PROJECTS: &[&[(&str, &str)]] = &[
    &[("site.yml", "")],
    &[("site.yml", "hosts: all\n")],
    &[("site.yml", "- ping:\n")],
    &[("site.yml", "- hosts: 5\n  taks: []\n- hosts: []\n  tasks: {}\n  when: true\n")],
    &[
        (
            "site.yml",
            "- hosts: all\n  user: a\n  remote_user: b\n  handlers:\n    - meta: flush_handlers\n  roles: [{role: a, tags: [x]}]\n  tasks:\n    - import_role: {name: a, tasks_from: ../../../more.yml}\n",
        ),
        ("more.yml", "- ping:\n"),
        ("roles/a/tasks/main.yml", "- ping:\n"),
    ],
    &[(
        "site.yml",
        "- hosts: all\n  strategy: debug\n  order: random\n  vars_prompt: [{prompt: x}, {name: a, defalt: x}, {name: b, encrypt: md5_crpyt}, c]\n",
    )],
    &[("site.yml", "- hosts: all\n  vars_files: [a.yml, [b.yml, c.yml]]\n")],
    &[("site.yml", "- hosts: all\n  handlers:\n    - block: []\n    - include_role: {name: x}\n")],
    &[(
        "site.yml",
        "- hosts: all\n  tasks:\n    - ping:\n      notify: restart ap\n  handlers:\n    - name: restart app\n      ping:\n",
    )],
    &[("site.yml", "- import_playbook: none.yml\n")],
    &[("site.yml", "- import_playbook: other.yml\n"), ("other.yml", "- import_playbook: site.yml\n")],
    &[
        ("site.yml", "- hosts: all\n  tasks:\n    - import_tasks: a.yml\n"),
        ("a.yml", "- import_tasks: b.yml\n"),
        ("b.yml", "- import_tasks: a.yml\n"),
    ],
    &[
        ("site.yml", "- hosts: all\n  roles: [a]\n"),
        ("roles/a/meta/main.yml", "dependencies: [b]\n"),
        ("roles/b/meta/main.yml", "dependencies: [{role: a}]\nalow_duplicates: true\n"),
    ],
    &[
        ("site.yml", "- hosts: all\n  tasks:\n    - import_role: {name: a, tasks_from: none}\n"),
        ("roles/a/tasks/main.yml", "- ping:\n"),
    ],
    &[("site.yml", "- hosts: all\n  roles: [none, {become: true}, 'a,b']\n")],
    &[("site.yml", "- hosts: all\n  tasks:\n    - import_tasks: map.yml\n"), ("map.yml", "a: 1\n")],
];

#[test]
fn errors_are_reported_with_their_location() {
    let mut report = String::new();
    let tasks = TASKS.iter().map(|tasks| {
        let tasks: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
        vec![("site.yml", format!("- hosts: all\n  tasks:\n{tasks}"))]
    });
    let projects =
        PROJECTS.iter().map(|files| files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect());
    for files in tasks.chain(projects) {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let project = Project::new(&files);
        let problems = project.load().expect_err(files[0].1);
        let _ = writeln!(report, "{}\n", project.shown(&problems));
    }
    insta::assert_snapshot!(report);
}

#[test]
fn suspicious_tasks_cause_warnings() {
    let project = Project::new(&[
        (
            "site.yml",
            "- import_playbook: other.yml\n  become: true\n- hosts: all\n  roles: [{role: a, tag: x}]\n  \
             tasks:\n    - ping:\n      when: '{{ x }}'\n      module_defaults: {group/ansible.builtin.aws: {region: x}}\n    \
             - dnf: {name: x}\n      when: x\n    - copy: {content: x}\n      failed_when: false\n",
        ),
        ("other.yml", "- hosts: all\n"),
        ("roles/a/tasks/main.yml", ""),
    ]);
    insta::assert_snapshot!(project.shown(&project.load().unwrap().warnings));
}
