//! Keywords and settings of the language, with their whole output.

use crate::harness::{site, tasks};

/// What stands further in takes the place of what stands further out, whole, as in Ansible.
#[test]
fn defaults_of_modules_replace_each_other() {
    let project = site(
        "- hosts: all
  gather_facts: false
  module_defaults:
    file: {path: '{{ place }}/outer', state: touch}
    ansible.builtin.stat: {path: '{{ place }}/outer'}
  tasks:
    - file:
    - stat:
      register: outer
    - block:
        - file:
            state: directory
        - stat:
          register: inner
      module_defaults:
        file: {path: '{{ place }}/inner'}
        ansible.legacy.stat: {path: '{{ place }}/inner'}
    - debug: msg={{ outer.stat.isreg }}-{{ inner.stat.isdir }}
",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert!(ran.stdout.contains("\"msg\": \"True-True\""), "{ran}");
}

#[test]
fn what_a_module_was_asked_is_shown_and_never_registered() {
    let project = tasks(
        "- stat: {dest: '{{ place }}', follow: yes}\n  register: found\n- debug: msg={{ found.invocation is defined }}\n\
         - ping:\n  no_log: true\n",
    );
    project.local("l").unwrap();
    let ran = project.apply(["-vvv"]).unwrap();
    let expected = r#"    "invocation": {
        "module_args": {
            "checksum_algorithm": "sha1",
            "follow": true,
            "get_attributes": true,
            "get_checksum": true,
            "get_mime": true,
            "path": "[folder]/nodes/l/place"
        }
    },
"#;
    assert!(ran.stdout.contains(expected) && ran.stdout.contains("\"msg\": false"), "{ran}");
    assert_eq!(ran.stdout.matches("\"invocation\"").count(), 1, "{ran}");
    assert!(!project.apply(["-vv"]).unwrap().stdout.contains("invocation"));
}

const STATS: &str = "- hosts: all
  gather_facts: false
  tasks:
    - set_stats: {data: {hosts: 1, names: ['{{ inventory_hostname }}']}, aggregate: true}
    - set_stats: {data: {port: '{{ port }}'}, per_host: true}
    - set_stats: {data: {word: '{{ word }}'}}
";

#[test]
fn statistics_are_shown_at_the_end() {
    let project = site(STATS);
    project.host("[all:vars]\nansible_connection=local\n[web]\na port=1\nb port=2").unwrap();
    let given = ["-e", "word=open", "-f", "1"];
    let mut convoy = project.command(["apply", "-i", "hosts", "site.yml"].iter().chain(&given));
    let ran = project.wait(convoy.env("ANSIBLE_SHOW_CUSTOM_STATS", "1").spawn().unwrap()).unwrap();
    let (_, shown) = ran.stdout.split_once("CUSTOM STATS: ").expect("statistics");
    let mut lines: Vec<&str> = shown.lines().skip(1).filter(|line| !line.is_empty()).collect();
    // Whoever comes first is named first.
    let run = lines.remove(2);
    assert_eq!(lines[..2], ["\ta: { \"port\": 1}", "\tb: { \"port\": 2}"], "{ran}");
    assert!(run.starts_with("\tRUN: { \"hosts\": 2, \"names\": [  \""), "{ran}");
    assert!(run.ends_with("], \"word\": \"openopen\"}"), "{ran}");
    assert!(!project.apply(given).unwrap().stdout.contains("CUSTOM STATS"));
    let json = project.apply(given.into_iter().chain(["--output", "json"])).unwrap().stdout;
    let recap = json.lines().find(|line| line.contains("\"event\": \"recap\"")).expect("a recap");
    assert!(recap.contains("\"custom\": {"), "{json}");
}

const CACHE: &str = "- hosts: l
  tasks:
    - set_fact: {kept: yes, cacheable: true}
    - set_fact: {gone: yes}
    - set_fact: {hidden: '{{ lookup(\"unvault\", \"word\") }}', cacheable: true}
";
const LATER: &str = "- hosts: l
  tasks:
    - debug: msg={{ ansible_facts.distribution is defined }}-{{ kept | default('none') }}-{{ gone | default('none') }}
";

/// Facts of one run are there in the next; a run that forgets them gathers anew.
#[test]
fn facts_are_kept_between_runs() {
    let project = site(CACHE);
    project.local("l").unwrap();
    project.file("word", "hunter2").unwrap().file("later.yml", LATER).unwrap();
    project
        .file("clear.yml", "- hosts: l\n  gather_facts: false\n  tasks:\n    - meta: clear_facts\n")
        .unwrap()
        .file(
            "ansible.cfg",
            "[defaults]\nfact_caching = jsonfile\nfact_caching_connection = facts\ngathering = smart\n",
        )
        .unwrap();
    let run = |words: &[&str]| project.run(["apply", "-i", "hosts"].iter().chain(words).copied()).unwrap();
    let gathers = |ran: &convoy_tests::program::RunOutput| ran.stdout.contains("TASK [Gathering Facts]");
    let first = run(&["site.yml"]);
    assert!(gathers(&first) && first.code == Some(0), "{first}");
    let file = project.path("facts/l");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.contains("\n    \"ansible_distribution\": ")
            && kept.contains("\"_ansible_facts_gathered\": true")
    );
    let second = run(&["later.yml"]);
    assert!(!gathers(&second) && second.stdout.contains("\"msg\": \"True-True-none\""), "{second}");
    let third = run(&["later.yml", "--flush-cache"]);
    assert!(gathers(&third) && third.stdout.contains("\"msg\": \"True-none-none\""), "{third}");
    assert!(file.exists());
    run(&["clear.yml"]);
    assert!(!file.exists());
    std::fs::write(&file, "{").unwrap();
    let last = run(&["later.yml"]);
    assert!(gathers(&last) && last.stderr.contains("[WARNING]: the cached facts in"), "{last}");
}

/// As Ansible does it: what one item of a loop sets, the next one sees.
#[test]
fn items_of_set_fact_build_on_each_other() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - set_fact:
        all: \"{{ all | default([]) + [item * 2] }}\"
        by: \"{{ by | default({}) | combine({item: word}) }}\"
      loop: [1, 2, 3]
      when: item != 2 or all is defined
      register: last
      vars: {word: \"{{ 'n' ~ item }}\"}
    - assert:
        that:
          - \"all == [2, 4, 6] and by == {1: 'n1', 2: 'n2', 3: 'n3'}\"
          - last.results | length == 3
",
    );
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.recap("l"), "ok=2", "{ran}");
}
