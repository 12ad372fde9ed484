//! Keywords and settings of the playbook language: module defaults, `invocation`, statistics, cached facts.

use crate::harness::{site, tasks};

/// As in Ansible, they replace the outer defaults of a module as a whole.
#[test]
fn inner_module_defaults_replace_outer_ones() {
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
fn module_arguments_are_printed_with_vvv_and_never_registered() {
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
fn custom_stats_are_printed_at_the_end() {
    let project = site(STATS);
    project.host("[all:vars]\nansible_connection=local\n[web]\na port=1\nb port=2").unwrap();
    let options = ["-e", "word=open", "-f", "1"];
    let mut convoy = project.command(["apply", "-i", "hosts", "site.yml"].iter().chain(&options));
    let ran = project.wait(convoy.env("ANSIBLE_SHOW_CUSTOM_STATS", "1").spawn().unwrap()).unwrap();
    let (_, shown) = ran.stdout.split_once("CUSTOM STATS: ").expect("statistics");
    let mut lines: Vec<&str> = shown.lines().skip(1).filter(|line| !line.is_empty()).collect();
    // The order of the hosts varies.
    let run = lines.remove(2);
    assert_eq!(lines[..2], ["\ta: { \"port\": 1}", "\tb: { \"port\": 2}"], "{ran}");
    assert!(run.starts_with("\tRUN: { \"hosts\": 2, \"names\": [  \""), "{ran}");
    assert!(run.ends_with("], \"word\": \"openopen\"}"), "{ran}");
    assert!(!project.apply(options).unwrap().stdout.contains("CUSTOM STATS"));
    let json = project.apply(options.into_iter().chain(["--output", "json"])).unwrap().stdout;
    let recap = json.lines().find(|line| line.contains("\"event\": \"recap\"")).expect("a recap");
    assert!(recap.contains("\"custom\": {"), "{json}");
}

const SETS_FACTS: &str = "- hosts: l
  tasks:
    - set_fact: {kept: yes, cacheable: true}
    - set_fact: {gone: yes}
    - set_fact: {hidden: '{{ lookup(\"unvault\", \"word\") }}', cacheable: true}
";
const PRINTS_FACTS: &str = "- hosts: l
  tasks:
    - debug: msg={{ ansible_facts.distribution is defined }}-{{ kept | default('none') }}-{{ gone | default('none') }}
";

/// A run that flushes the cache gathers facts again.
#[test]
fn cached_facts_are_used_by_later_runs() {
    let project = site(SETS_FACTS);
    project.local("l").unwrap();
    project.file("word", "hunter2").unwrap().file("later.yml", PRINTS_FACTS).unwrap();
    project
        .file("clear.yml", "- hosts: l\n  gather_facts: false\n  tasks:\n    - meta: clear_facts\n")
        .unwrap()
        .file(
            "ansible.cfg",
            "[defaults]\nfact_caching = jsonfile\nfact_caching_connection = facts\ngathering = smart\n",
        )
        .unwrap();
    let run = |args: &[&str]| project.run(["apply", "-i", "hosts"].iter().chain(args).copied()).unwrap();
    let gathers_facts =
        |ran: &convoy_tests::program::RunOutput| ran.stdout.contains("TASK [Gathering Facts]");
    let first = run(&["site.yml"]);
    assert!(gathers_facts(&first) && first.code == Some(0), "{first}");
    let file = project.path("facts/l");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.contains("\n    \"ansible_distribution\": ")
            && kept.contains("\"_ansible_facts_gathered\": true")
    );
    let second = run(&["later.yml"]);
    assert!(!gathers_facts(&second) && second.stdout.contains("\"msg\": \"True-True-none\""), "{second}");
    let third = run(&["later.yml", "--flush-cache"]);
    assert!(gathers_facts(&third) && third.stdout.contains("\"msg\": \"True-none-none\""), "{third}");
    assert!(file.exists());
    run(&["clear.yml"]);
    assert!(!file.exists());
    std::fs::write(&file, "{").unwrap();
    let last = run(&["later.yml"]);
    assert!(gathers_facts(&last) && last.stderr.contains("[WARNING]: the cached facts in"), "{last}");
}

/// As in Ansible.
#[test]
fn loop_items_of_set_fact_see_earlier_items() {
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
