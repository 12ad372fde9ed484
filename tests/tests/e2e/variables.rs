//! Variables: those that convoy sets itself, variable files, and values of arguments and lookups.

use crate::harness::{site, tasks};

#[test]
fn failed_hosts_leave_ansible_play_hosts_with_force_handlers() {
    let project = site(
        "- hosts: all
  gather_facts: false
  force_handlers: true
  tasks:
    - ping:
      failed_when: inventory_hostname == 'b'
    - assert: {that: \"ansible_play_batch == ['a'] and ansible_play_hosts == ['a']\"}
- hosts: all
  gather_facts: false
  serial: '{{ nobody | default(omit) }}'
  tasks:
    - assert: {that: \"ansible_play_batch == ['a'] and ansible_play_hosts_all == ['a', 'b']\"}
",
    );
    project.local("a").unwrap();
    project.local("b").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("a").as_str(), ran.recap("b").as_str()), ("ok=3", "failed=1"), "{ran}");
}

#[test]
fn variable_files_apply_to_the_implicit_localhost() {
    let project = site(
        "- hosts: localhost
  gather_facts: false
  tasks:
    - assert: {that: \"a == 1 and b == 2 and hostvars.localhost.b == 2 and ansible_connection == 'local'\"}
",
    );
    project.file("host_vars/localhost", "b: 2\n").unwrap();
    project.file("group_vars/all.yml", "a: 1\nb: 1\n").unwrap();
    project.local("other").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("localhost").as_str(), ran.code), ("ok=1", Some(0)), "{ran}");
}

#[test]
fn role_name_variables_are_set() {
    let project = site("- hosts: l\n  gather_facts: false\n  roles: [web]\n");
    project.file("roles/web/meta/main.yml", "dependencies: [base]\n").unwrap();
    project.file("roles/base/tasks/main.yml", "- ping:\n").unwrap();
    let web = "- assert:
    that:
      - ansible_play_role_names == ['web'] and role_names == ['web']
      - ansible_dependent_role_names == ['base']
      - ansible_role_names | sort == ['base', 'web']
      - ansible_parent_role_names is undefined and ansible_parent_role_paths is undefined
- include_role: {name: inner}
";
    project.file("roles/web/tasks/main.yml", web).unwrap();
    let inner = "- assert:
    that:
      - ansible_parent_role_names == ['web']
      - ansible_parent_role_paths == [playbook_dir ~ '/roles/web']
";
    project.file("roles/inner/tasks/main.yml", inner).unwrap();
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4", Some(0)), "{ran}");
}

#[test]
fn an_empty_src_is_an_error() {
    let project = tasks(
        "- copy: {src: '{{ nobody | default(\"\") }}', dest: '{{ place }}/x'}
  ignore_errors: true
  register: copied
- template: {src: '{{ nobody | default(\"\") }}', dest: '{{ place }}/x'}
  ignore_errors: true
  register: rendered
- copy: {src: sealed, dest: '{{ place }}/x'}
  ignore_errors: true
  register: sealed
- assert:
    that:
      - copied.msg == 'src (or content) is required'
      - rendered.msg == 'src and dest are required'
      - sealed.msg == 'A vault password or secret must be specified to decrypt ' ~ playbook_dir ~ '/files/sealed'",
    );
    // A salt, a digest and a text in hexadecimal, and all of it in hexadecimal once more.
    let part = |letter: &str, count: usize| letter.repeat(count);
    let inner = [part("73", 32), part("68", 32), part("63", 16)].join("\n");
    let body: String = inner.bytes().map(|byte| format!("{byte:02x}")).collect();
    project.file("files/sealed", format!("$ANSIBLE_VAULT;1.1;AES256\n{body}\n")).unwrap();
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4 ignored=3", Some(0)), "{ran}");
    assert_eq!(std::fs::read_dir(&node.place).unwrap().count(), 0);
}

#[test]
fn lists_and_maps_are_converted_to_text_for_text_arguments() {
    let project = tasks(
        "- stat: {path: '{{ item }}'}
  loop: [{a: 1}]
  register: looked
- command:
  args: {stdin: '{{ [1, \"b\"] }}', cmd: cat}
  register: said
- assert:
    that:
      - not looked.results[0].stat.exists
      - said.stdout == \"[1, 'b']\"",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=3 changed=1", Some(0)), "{ran}");
}

#[test]
fn the_password_lookup_keeps_a_random_password() {
    let project = tasks(
        "- set_fact:
    kept: \"{{ lookup('password', 'credentials/web chars=digits length=12') }}\"
- assert:
    that:
      - kept is match('^[0-9]{12}$')
      - kept == lookup('password', 'credentials/web')
      - lookup('password', '/dev/null') != lookup('password', '/dev/null')
      - lookup('password', '/dev/null', length=3, chars=['a']) == 'aaa'
      - lookup('fileglob', 'none*') == []
      - lookup('password', 'credentials/web', encrypt='sha512_crypt') is match('^[$]6[$]')
      - lookup('password', 'credentials/web', encrypt='sha512_crypt') == lookup('password', 'credentials/web', encrypt='sha512_crypt')",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2", Some(0)), "{ran}");
    let kept = std::fs::read_to_string(project.path("credentials/web")).unwrap();
    assert!(kept.len() > 30 && kept[12..].starts_with(" salt="), "{kept}");
}
