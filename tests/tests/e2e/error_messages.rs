//! Error messages: the whole output for one mistake after the other.

use convoy_tests::project::Project;

use crate::harness::site;

/// Mistakes that are found when the playbook is read.
const PARSE_ERRORS: &[(&str, &str)] = &[
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

/// Mistakes that are found when the task runs.
const TASK_ERRORS: &[(&str, &str)] = &[
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

/// Misspelled names: a title, options, and a play or tasks.
const TYPOS: &[(&str, &[&str], &str)] = &[
    ("a variable", &[], "- debug: msg={{ app_prot }}\n  vars: {app_port: 1}"),
    ("a variable in a condition", &[], "- ping:\n  when: app_prot == 1\n  vars: {app_port: 1}"),
    ("a variable in a template", &[], "- template: {src: port.j2, dest: /none}\n  vars: {app_port: 1}"),
    (
        "a variable in a Handlebars template",
        &[],
        "- template: {src: port.hbs, dest: /none}\n  vars: {app_port: 1}",
    ),
    ("a variable to loop over", &[], "- ping:\n  loop: '{{ prots }}'\n  vars: {ports: [1]}"),
    ("a registered result", &[], "- ping:\n  register: pinged\n- debug: msg={{ pingd.ping }}"),
    ("no variable is close", &[], "- debug: msg={{ x }}\n  vars: {y: 1}"),
    ("a variable in a keyword of the play", &[], "- hosts: '{{ mebers }}'\n  vars: {members: web}"),
    ("a group", &[], "- hosts: wbe"),
    ("a host among groups", &[], "- hosts: db,alhpa"),
    ("a handler", &[], "- ping:\n  notify: Restart app"),
    (
        "a handler whose name is a template",
        &[],
        "- ping:\n  changed_when: true\n  notify: '{{ \"Restart app\" }}'",
    ),
    ("a tag", &["--tags", "instal"], "- ping:\n  tags: install"),
    ("a task to start at", &["--start-at-task", "Instal"], "- name: Install\n  ping:"),
    ("a host of the limit", &["--limit", "db,alhpa"], "- hosts: all"),
    ("a limit that leaves none", &["--limit", "alhpa"], "- hosts: all"),
    ("a group in a list", &["--list-hosts"], "- hosts: wbe"),
];

#[test]
fn suggestions_for_misspelled_names() {
    let mut all = String::new();
    for (name, options, text) in TYPOS {
        let is_play = text.contains("hosts:");
        let project = if is_play {
            site(&format!("{text}\n  gather_facts: false\n  tasks: [ping: ]\n"))
        } else {
            let project = crate::harness::tasks(text);
            let site = std::fs::read_to_string(project.path("site.yml")).unwrap();
            project.file("site.yml", site + "  handlers: [{name: Restart apps, ping: }]\n").unwrap();
            project
        };
        project.file("templates/port.j2", "{{ app_prot }}\n").unwrap();
        project.file("templates/port.hbs", "{{app_prot}}\n").unwrap();
        project.host("[web]\nalpha\n[db]\nbeta\n[all:vars]\nansible_connection=local").unwrap();
        let limit: &[&str] = if is_play { &[] } else { &["--limit", "alpha"] };
        let ran = project.apply(options.iter().chain(limit).copied()).expect("a run");
        all.push_str(&format!("==== {name}\n{ran}\n"));
    }
    insta::assert_snapshot!(all);
}

fn report(name: &str, project: &Project) -> String {
    let ran = project.apply([]).expect("a run");
    format!("==== {name}\n{ran}\n")
}

#[test]
fn errors_when_a_playbook_is_read() {
    let mut all = String::new();
    for (name, playbook) in PARSE_ERRORS {
        let project = site(playbook);
        project.file("roles/base/tasks/main.yml", "- ping:\n").unwrap();
        project.host("l ansible_connection=local").unwrap();
        all.push_str(&report(name, &project));
    }
    assert_eq!(all.matches("--- exit code 1\n").count(), PARSE_ERRORS.len(), "{all}");
    insta::assert_snapshot!(all);
}

#[test]
fn errors_when_a_task_runs() {
    let mut all = String::new();
    for (name, tasks) in TASK_ERRORS {
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
    assert_eq!(all.matches("--- exit code 2\n").count(), TASK_ERRORS.len(), "{all}");
    insta::assert_snapshot!(all);
}
