//! Errors that are reported only when the task runs: actions named by a template, and tasks that tolerate failure.

use crate::harness::tasks;

#[test]
fn argument_errors_of_tasks_that_tolerate_failure_are_reported_at_run_time() {
    let project = tasks(
        "- copy: {content: x}
  ignore_errors: true
  register: ignored
- block:
    - file: {path: /x, state: gone}
  rescue:
    - set_fact: {rescued: '{{ ansible_failed_result.msg }}'}
- block:
    - block:
        - fetch: {src: /x}
      always:
        - debug: msg=always
  rescue:
    - set_fact: {inner: '{{ ansible_failed_result.msg }}'}
- stat: {pth: /x}
  register: judged
  failed_when: judged.msg is not search('Unsupported parameters')
- assert:
    that:
      - ignored.msg == 'dest is required'
      - rescued is search('^value of state must be one of. .*, got. gone$')
      - inner == 'src and dest are required'",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=6 rescued=2 ignored=1", Some(0)), "{ran}");
    let warning = "[WARNING]: wrong arguments of `copy`: dest is required (site.yml:4:7)";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
}

#[test]
fn argument_errors_of_other_tasks_are_rejected_before_the_run() {
    let project = tasks(
        "- block:
    - copy: {content: x}
  always:
    - debug: msg=always
- block: []
  rescue:
    - copy: {content: x}
- copy: {content: x}
  ignore_errors: false
- copy: {content: x, dest: /x, mode: 644}
  ignore_errors: true",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(ran.stderr.matches("error: wrong arguments of `copy`").count(), 3, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error: mode 644 is decimal").count(), 1, "{}", ran.stderr);
}

#[test]
fn an_action_can_be_named_by_a_template() {
    let project = tasks(
        "- action: \"{{ which }} path={{ place }}/made state=directory\"
  vars: {which: file}
- name: Each
  action: \"{{ item }}\"
  args: {msg: '{{ item }} it is'}
  loop: [debug, ansible.builtin.fail]
  ignore_errors: true
- action: {module: '{{ omitted }}', path: /x}
  vars: {omitted: stat}
  module_defaults: {stat: {get_checksum: false}}
- action: '{{ wrong }}'
  vars: {wrong: meta}
  ignore_errors: true
- action: '{{ wrong }}'
  vars: {wrong: nonsense}
  ignore_errors: true
- action: '{{ nobody }}'
  when: false",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=5 changed=1 skipped=1 ignored=3", Some(0)), "{ran}");
    for line in [
        "ok: [l] => (item=debug) => {\n    \"msg\": \"debug it is\"\n}",
        "failed: [l] (item=ansible.builtin.fail) => {\"ansible_loop_var\": \"item\", \"changed\": false, \"item\": \
         \"ansible.builtin.fail\", \"msg\": \"ansible.builtin.fail it is\"}",
        "\"msg\": \"the name `meta` cannot come from a template\"",
        "\"msg\": \"The module nonsense was not found in configured module paths\"",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran}");
    }
}

#[test]
fn an_unsupported_module_is_an_error_only_where_it_is_called() {
    let project = tasks(
        "- dnf: {name: httpd, any: thing}
  when: family == 'RedHat'
- block:
    - ansible.builtin.yum_repository: {name: x}
  when: family == 'Debian'
  ignore_errors: true",
    );
    project.local("l").unwrap();
    project.file("group_vars/all.yml", "family: Debian\n").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 skipped=1 ignored=1", Some(0)), "{ran}");
    let msg = "\"msg\": \"the module `yum_repository` of ansible.builtin is not available in convoy\"";
    assert!(ran.stdout.contains(msg), "{ran}");
    let warning = "[WARNING]: the module `dnf` of ansible.builtin is not available in convoy";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);

    let project = tasks("- dnf: {name: httpd}");
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr.contains("error: the module `dnf` of ansible.builtin is not available in convoy"),
        "{}",
        ran.stderr
    );
}

#[test]
fn gather_facts_can_be_called_as_a_task() {
    let project = tasks(
        "- gather_facts: {gather_subset: [min], parallel: true}
- assert: {that: ansible_facts.system == 'Linux' and ansible_system == 'Linux'}",
    );
    project.local("l").unwrap();
    let ran = project.apply(["-v"]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2", Some(0)), "{ran}");
    assert!(ran.stdout.contains("TASK [gather_facts]") && ran.stdout.contains("\nok: [l]\n"), "{ran}");
}
