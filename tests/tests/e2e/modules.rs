//! Modules end to end: each is checked, applied, and applied again without changes.

use std::fs;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Project, listing};

use crate::harness::{site, tasks};

/// Applies a playbook three times: in check mode, which must write nothing; with the recap `first_recap`; and with the recap
/// `second_recap`, which must write nothing either. Returns the output of the second.
fn apply_twice(
    project: &Project,
    place: &std::path::Path,
    first_recap: &str,
    second_recap: &str,
) -> RunOutput {
    let before = listing(place).expect("a listing");
    let checked = project.apply(["--check", "--diff"]).expect("a run");
    assert_eq!(checked.code, Some(0), "{checked}");
    assert_eq!(listing(place).expect("a listing"), before, "check mode wrote something: {checked}");
    let ran = project.apply(["--diff"]).expect("a run");
    assert_eq!((ran.recap("l").as_str(), ran.code), (first_recap, Some(0)), "{ran}");
    let after = listing(place).expect("a listing");
    let second = project.apply(["--diff"]).expect("a run");
    assert_eq!((second.recap("l").as_str(), second.code), (second_recap, Some(0)), "{second}");
    assert_eq!(listing(place).expect("a listing"), after, "the second run wrote something: {second}");
    ran
}

#[test]
fn copy() {
    let project = tasks(
        "- copy: {src: one, dest: '{{ place }}/one', mode: '0600'}
- copy: {src: tree, dest: '{{ place }}'}
- copy: {src: tree/, dest: '{{ place }}/inside/', mode: '0640', directory_mode: '0750'}
- copy: {content: {a: [1, true]}, dest: '{{ place }}/data.json'}
- copy: {src: '{{ place }}/one', dest: '{{ place }}/other', remote_src: true}",
    );
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    project.file("files/one", &binary).unwrap();
    project.file("files/tree/a", "a\n").unwrap().file("files/tree/deep/b", "").unwrap();
    let node = project.node("l").unwrap();
    fs::create_dir(node.place.join("inside")).unwrap();
    // In check mode the first task has not copied `one` to the node.
    fs::write(node.place.join("one"), "before").unwrap();
    apply_twice(&project, &node.place, "ok=5 changed=5", "ok=5");
    assert_eq!(fs::read(node.place.join("one")).unwrap(), binary);
    assert_eq!(fs::read(node.place.join("other")).unwrap(), binary);
    assert_eq!(fs::read_to_string(node.place.join("tree/a")).unwrap(), "a\n");
    assert_eq!(fs::read_to_string(node.place.join("inside/deep/b")).unwrap(), "");
    assert_eq!(fs::read_to_string(node.place.join("data.json")).unwrap(), r#"{"a": [1, true]}"#);
}

#[test]
fn template() {
    let project = tasks(
        "- template: {src: a.conf.j2, dest: '{{ place }}/a.conf', mode: '0644'}
- template: {src: b.conf.hbs, dest: '{{ place }}/b.conf', mode: '0644'}",
    );
    project
        .file("group_vars/all.yml", "ports: [1, 2]\nname: web & <co>\ntls: {enabled: true}\n")
        .unwrap()
        .file("templates/a.conf.j2", "name = {{ name }}\n{% for p in ports %}\nport {{ p }}\n{% endfor %}\n")
        .unwrap()
        .file(
            "templates/b.conf.hbs",
            "name = {{name}}\n{{#each ports}}\nport {{this}}\n{{/each}}\n{{#if tls.enabled}}\ntls\n{{/if}}\n",
        )
        .unwrap();
    let node = project.node("l").unwrap();
    apply_twice(&project, &node.place, "ok=2 changed=2", "ok=2");
    assert_eq!(fs::read_to_string(node.place.join("a.conf")).unwrap(), "name = web & <co>\nport 1\nport 2\n");
    assert_eq!(
        fs::read_to_string(node.place.join("b.conf")).unwrap(),
        "name = web & <co>\nport 1\nport 2\ntls\n"
    );
}

#[test]
fn file() {
    let project = tasks(
        "- file: {path: '{{ place }}/a/b', state: directory, mode: '0750'}
- file: {path: '{{ place }}/link', src: there, state: link}
- file: {path: '{{ place }}/old', state: absent}
- file: {path: '{{ place }}/there', mode: '0600'}",
    );
    let node = project.node("l").unwrap();
    fs::create_dir_all(node.place.join("old/deep")).unwrap();
    fs::write(node.place.join("there"), "").unwrap();
    apply_twice(&project, &node.place, "ok=4 changed=4", "ok=4");
    assert!(!node.place.join("old").exists());
    assert_eq!(fs::read_link(node.place.join("link")).unwrap().to_str(), Some("there"));
}

#[test]
fn lineinfile() {
    let project = tasks(
        "- lineinfile: {path: '{{ place }}/conf', regexp: '^port', line: port 2}
- lineinfile: {path: '{{ place }}/conf', line: last}
- lineinfile: {path: '{{ place }}/conf', regexp: '^old', state: absent}
- lineinfile: {path: '{{ place }}/new', line: first, create: true, mode: '0644'}",
    );
    let node = project.node("l").unwrap();
    fs::write(node.place.join("conf"), "port 1\nold\nend\n").unwrap();
    let ran = apply_twice(&project, &node.place, "ok=4 changed=4", "ok=4");
    assert_eq!(fs::read_to_string(node.place.join("conf")).unwrap(), "port 2\nend\nlast\n");
    assert!(ran.has_line("-port 1") && ran.has_line("+port 2"), "{ran}");
}

#[test]
fn command_and_shell() {
    let project = tasks(
        "- command: {cmd: touch made, chdir: '{{ place }}', creates: made}
- shell: {cmd: 'echo one | tr a-z A-Z > said', chdir: '{{ place }}', creates: said}
- command: {argv: [printf, '%s', 'a b']}
  register: said
  changed_when: false
  check_mode: false
- assert: {that: said.stdout == 'a b'}",
    );
    let node = project.node("l").unwrap();
    apply_twice(&project, &node.place, "ok=4 changed=2", "ok=4");
    assert_eq!(fs::read_to_string(node.place.join("said")).unwrap(), "ONE\n");
}

#[test]
fn blockinfile_replace_and_assemble() {
    let project = tasks(
        "- blockinfile: {path: '{{ place }}/conf', block: \"a\\nb\", marker: '# {mark}', insertafter: ^one}
- replace: {path: '{{ place }}/conf', regexp: '^(t)wo$', replace: '\\1hree'}
- assemble: {src: parts, dest: '{{ place }}/whole', remote_src: false, mode: '0644'}
- assemble: {src: '{{ place }}/d', dest: '{{ place }}/other', delimiter: '--'}",
    );
    project.file("files/parts/2", "two").unwrap().file("files/parts/1", "one").unwrap();
    std::os::unix::fs::symlink("1", project.path("files/parts/3")).unwrap();
    let node = project.node("l").unwrap();
    fs::write(node.place.join("conf"), "one\ntwo\n").unwrap();
    fs::create_dir(node.place.join("d")).unwrap();
    fs::write(node.place.join("d/x"), "x").unwrap();
    fs::write(node.place.join("d/y"), "y").unwrap();
    apply_twice(&project, &node.place, "ok=4 changed=4", "ok=4");
    assert_eq!(fs::read_to_string(node.place.join("conf")).unwrap(), "one\n# BEGIN\na\nb\n# END\nthree\n");
    assert_eq!(fs::read_to_string(node.place.join("whole")).unwrap(), "one\ntwo\none");
    assert_eq!(fs::read_to_string(node.place.join("other")).unwrap(), "x\n--\ny");
}

#[test]
fn raw_and_script() {
    let project = tasks(
        "- raw: echo one | tr a-z A-Z
  register: said
- script: 'make it.sh'
  ignore_errors: true
  register: split
- script: '\"make it.sh\" \"{{ place }}/a b\" two'
  register: made
- script: {cmd: \"'make it.sh' {{ place }}/c\", creates: '{{ place }}/c'}
- script: {cmd: \"'make it.sh' {{ place }}/c\", creates: '{{ place }}/c'}
- assert:
    that:
      - said.stdout == 'ONE\\n' and said.stdout_lines == ['ONE']
      - split.msg is search(\"Could not find or access 'make'\")
      - made.stdout_lines == ['make it.sh', 'two'] and made is changed and made.rc == 0",
    );
    project.file("files/make it.sh", "#!/bin/sh\ntouch \"$1\"; basename \"$0\"; echo $2\n").unwrap();
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    let recap = "ok=5 changed=3 skipped=1 ignored=1";
    assert_eq!((ran.recap("l").as_str(), ran.code), (recap, Some(0)), "{ran}");
    assert!(node.place.join("a b").exists() && node.place.join("c").exists());
    let left = fs::read_dir(node.home.join(".cache/convoy")).unwrap().flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("script-")));
}

#[test]
fn binary_content_passes_from_slurp_to_copy() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - slurp: {src: '{{ place }}/from'}
      register: held
    - copy: {content: '{{ held.content | b64decode }}', dest: '{{ place }}/to'}
",
    );
    let node = project.node("l").unwrap();
    fs::write(node.place.join("from"), [0xfe, 0xed, 0, b'x']).unwrap();
    apply_twice(&project, &node.place, "ok=2 changed=1", "ok=2");
    assert_eq!(fs::read(node.place.join("to")).unwrap(), [0xfe, 0xed, 0, b'x']);
}

#[test]
fn modules_that_only_read_change_nothing() {
    let project = site(
        "- hosts: all
  tasks:
    - ping:
    - setup: {gather_subset: [min]}
    - stat: {path: '{{ place }}/x'}
      register: x
    - wait_for: {path: '{{ place }}/x'}
    - find: {paths: '{{ place }}'}
      register: all
    - slurp: {src: '{{ place }}/x'}
      register: held
    - getent: {database: passwd, key: root}
    - assert:
        that:
          - all.matched == 1 and all.files[0].path == place ~ '/x'
          - held.content | b64decode == 'x' and getent_passwd.root[1] == '0'
    - wait_for: {port: '{{ ansible_port }}', host: 127.0.0.1}
    - set_fact: {sum: '{{ x.stat.checksum }}'}
    - assert:
        that: [sum == '11f6ad8ec52a2984abaafd7c3b516503785c2072', x.stat.size == 1, ansible_system == 'Linux']
    - debug: {var: x.stat.mode}
    - meta: noop
    - fail: {msg: never}
      when: not x.stat.exists
",
    );
    let node = project.node("l").unwrap();
    fs::write(node.place.join("x"), "x").unwrap();
    apply_twice(&project, &node.place, "ok=13 skipped=1", "ok=13 skipped=1");
}

#[test]
fn wait_for_returns_when_the_file_exists() {
    let project = tasks(
        "- shell: (sleep 0.2; echo > {{ place }}/late) > /dev/null 2>&1 &
- wait_for: {path: '{{ place }}/late', sleep: 1, timeout: 60}
- stat: path={{ place }}/late
  register: late
  until: late.stat.exists
  retries: 3
  delay: 1
- assert: {that: late.stat.exists}",
    );
    let _node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4 changed=1", Some(0)), "{ran}");
}

/// They run in check mode if they would be notified.
#[test]
fn handlers_write_nothing_in_check_mode() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - copy: {content: x, dest: '{{ place }}/x'}
      notify: Mark
  handlers:
    - name: Mark
      copy: {content: y, dest: '{{ place }}/y'}
",
    );
    let node = project.node("l").unwrap();
    apply_twice(&project, &node.place, "ok=2 changed=2", "ok=1");
}

#[test]
fn no_log_keeps_secrets_out_of_the_output() {
    let project = tasks(
        "- copy: {content: hunter2, dest: '{{ place }}/x'}
  no_log: true
- command: 'printf %s hunter2'
  no_log: true
  register: said
- debug: {var: said}
- copy: {content: '{{ said.stdout }}', dest: '{{ place }}/y'}
- command: sh -c 'echo hunter2; exit 1'
  no_log: true
  ignore_errors: true",
    );
    let node = project.node("l").unwrap();
    for form in [&["-vvvv", "--diff"][..], &["--output", "json", "-vvv"], &["--check", "-vvv", "--diff"]] {
        let ran = project.apply(form.iter().copied()).unwrap();
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(!ran.to_string().contains("hunter2"), "{ran}");
    }
    assert_eq!(fs::read_to_string(node.place.join("y")).unwrap(), "hunter2");
}
