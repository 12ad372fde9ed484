//! Unusual nodes: a thousand of them, one with a tiny `/tmp`, and one of an unsupported architecture.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use convoy_tests::program::state_home;
use convoy_tests::sshd::{Accounts, SshdOptions};

use crate::harness::{site, tasks};

/// The memory limit of a run with a thousand hosts, in kilobytes.
const MEMORY_LIMIT: &str = "400000";

/// The hosts see each other's facts, and some of them have a task of their own.
#[test]
fn a_thousand_hosts_run_in_limited_memory() {
    let project = site(
        "- hosts: all
  gather_facts: false
  tasks:
    - set_fact: {mine: '{{ inventory_hostname }}'}
    - assert:
        that: hostvars[groups['all'][(groups['all'].index(inventory_hostname) + 1) % 1000]].mine is defined
        quiet: true
    - ping:
      when: inventory_hostname in groups['some']
",
    );
    project.host("[all:vars]\nansible_connection=local\n[many]\nh[0001:1000]\n[some]\nh[0001:0020]").unwrap();
    let listed = project.apply(["--list-hosts"]).unwrap();
    assert!(listed.stdout.contains("    hosts (1000):\n      h0001\n"), "{listed}");
    let limit = format!("ulimit -d {MEMORY_LIMIT}; exec \"$0\" \"$@\"");
    let mut command = project.command_under(&["sh", "-c", &limit], ["apply", "-i", "hosts", "site.yml"]);
    let ran = project.wait(command.spawn().unwrap()).unwrap();
    assert_eq!((ran.recap("h0001").as_str(), ran.recap("h1000").as_str()), ("ok=3", "ok=2 skipped=1"));
    assert_eq!((ran.stdout.matches("    failed=0 ").count(), ran.code), (1000, Some(0)), "{}", ran.stderr);
}

/// The agent, files in transfer and unpacked archives go elsewhere.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to mount a file system")]
fn a_node_with_a_tiny_tmp_works() {
    let project = tasks(
        "- copy: {src: large, dest: '{{ ansible_env.HOME }}/large'}
- command: df --output=size /tmp
  register: tmp
  changed_when: false
- assert:
    that: tmp.stdout_lines[1] | int == 64
- unarchive: {src: large.tar, dest: '{{ ansible_env.HOME }}', creates: '{{ ansible_env.HOME }}/unpacked'}
- template: {src: word, dest: '{{ ansible_env.HOME }}/word'}
- shell: ls -A /tmp
  register: left
  changed_when: false
- assert:
    that: left.stdout_lines | length == 1
",
    );
    let playbook = fs::read_to_string(project.path("site.yml")).unwrap();
    project.file("site.yml", playbook.replace("gather_facts: false", "gather_subset: env")).unwrap();
    project.file("large", vec![b'x'; 1 << 20]).unwrap().file("word", "{{ 1 + 1 }}").unwrap();
    project.file("unpacked", vec![b'y'; 1 << 20]).unwrap();
    let mut tar = Command::new("tar");
    let tar = tar.args(["-cf", "large.tar", "unpacked"]).current_dir(project.path(""));
    assert!(tar.status().unwrap().success());
    let accounts = Accounts {
        login: "op",
        // The server's own directory in /tmp stays visible.
        script: "
            account op word-of-op
            own=$(dirname \"$1\")
            mount --bind \"$own\" /mnt
            mount -t tmpfs -o size=64k,mode=1777 tmpfs /tmp
            mkdir \"$own\"
            mount --move /mnt \"$own\"
        ",
    };
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    let _node = project.node_with("l", options).unwrap();
    let user = ["-e", "ansible_user=op"];
    let ran = project.apply(user).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=8 changed=3", Some(0)), "{ran}");
    let again = project.apply(user).unwrap();
    assert_eq!((again.recap("l").as_str(), again.code), ("ok=7 skipped=1", Some(0)), "{again}");
}

#[test]
fn a_node_of_an_unsupported_architecture_is_unreachable() {
    let project = tasks("- ping:");
    let mut options = SshdOptions::new(project.key());
    let (programs, home) = (project.path("programs"), project.path("../nodes/l/home"));
    let variables = format!(
        "SetEnv PATH={}:/usr/bin:/bin HOME={} XDG_STATE_HOME={}",
        programs.display(),
        home.display(),
        state_home(&home).display()
    );
    options.configuration.push(variables);
    fs::create_dir(&programs).unwrap();
    fs::write(programs.join("uname"), "#!/bin/sh\necho vax\n").unwrap();
    fs::set_permissions(programs.join("uname"), fs::Permissions::from_mode(0o755)).unwrap();
    let node = project.node_with("l", options).unwrap();
    let ran = project.apply([]).unwrap();
    let stdout = "
PLAY [all] *********************************************************************

TASK [ping] ********************************************************************
fatal: [l]: UNREACHABLE! => {\"changed\": false, \"msg\": \"cannot start the agent: convoy carries no agent for the \
                  machine type vax\", \"unreachable\": true}

PLAY RECAP *********************************************************************
l                          : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   

";
    let stderr = "l: task \"ping\" (site.yml:4:7) and what follows it

hint: continue with `convoy resume [run]`
";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), (stdout, stderr, Some(4)));
    assert_eq!(fs::read_dir(&node.home).unwrap().count(), 0, "something was left there");
}
