//! Unreachable hosts, and hosts that never answer: no task is ever ok or changed there.

use std::fs;

use convoy_tests::program::RunOutput;
use convoy_tests::project::Project;
use convoy_tests::sshd::{ClientKey, SshdOptions};

use crate::harness::tasks;

/// Returns the result that is printed for an unreachable host.
fn unreachable_result(project: &Project, args: &[&str]) -> String {
    let ran = project.apply(args.iter().copied()).expect("a run");
    assert_eq!((ran.recap("l").as_str(), ran.code), ("unreachable=1", Some(4)), "{ran}");
    let (_, rest) = ran.stdout.split_once("UNREACHABLE! => ").expect("a reason");
    rest.lines().next().unwrap_or_default().to_owned()
}

fn expected_result(msg: &str) -> String {
    format!(r#"{{"changed": false, "msg": "{msg}", "unreachable": true}}"#)
}

#[test]
fn a_refused_connection_is_reported() {
    let project = tasks("- ping:");
    project.host("l ansible_host=127.0.0.1 ansible_port=1").unwrap();
    let expected = expected_result(
        "Failed to connect to the host via ssh: 127.0.0.1 port 1: connection refused: nothing is listening there",
    );
    assert_eq!(unreachable_result(&project, &[]), expected);
}

#[test]
fn a_rejected_key_is_reported() {
    let project = tasks("- ping:");
    let node = project.node("l").unwrap();
    let other = ClientKey::generate(&project.home(), "ed25519").unwrap();
    let inventory = fs::read_to_string(project.path("hosts")).unwrap();
    let right = project.key().path.display().to_string();
    project.file("hosts", inventory.replace(&right, &other.path.display().to_string())).unwrap();
    let login = format!("{}@127.0.0.1", node.sshd.user);
    let msg = format!(
        "Failed to connect to the host via ssh: {login}: Permission denied (publickey); tried ~/id_ed25519"
    );
    assert_eq!(unreachable_result(&project, &[]), expected_result(&msg));
}

/// The user's key is not offered to that server.
#[test]
fn a_changed_host_key_is_reported_before_the_login() {
    let project = tasks("- ping:");
    let node = project.node("l").unwrap();
    let known = project.home().join(".ssh/known_hosts");
    let other = ClientKey::generate(&project.home(), "ed25519").unwrap();
    let changed: Vec<&str> = other.public.split(' ').take(2).collect();
    fs::write(&known, format!("[127.0.0.1]:{} {}\n", node.sshd.port, changed.join(" "))).unwrap();
    let message = unreachable_result(&project, &[]);
    assert!(message.contains("changed") && message.contains("known_hosts:1"), "{message}");
    let log = node.sshd.log();
    assert!(!log.contains("Accepted") && !log.contains("Failed publickey"), "{log}");
    let args = ["exec", "all", "-i", "hosts", "-m", "ping"];
    let child = project.command(args).env("ANSIBLE_HOST_KEY_CHECKING", "False").spawn().unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
}

/// Returns arguments for a module that would succeed or change something if the node answered.
fn arguments(name: &str) -> &'static str {
    match name {
        "command" | "shell" | "raw" => "touch {{ place }}/made",
        "script" => "x.sh",
        "async_status" => "{jid: j1.1}",
        "fetch" => "{src: /etc/passwd, dest: fetched}",
        "find" => "{paths: '{{ place }}'}",
        "slurp" | "archive_info" => "{src: /etc/passwd}",
        "getent" => "{database: passwd}",
        "replace" => "{path: '{{ place }}/x', regexp: x}",
        "blockinfile" => "{path: '{{ place }}/x', block: x, create: true}",
        "assemble" => "{src: '{{ place }}', dest: '{{ place }}/x'}",
        "toml" | "properties" => "{path: '{{ place }}/x', set: {x: y}, create: true}",
        "keystore" => "{path: '{{ place }}/x', password: x}",
        "xml" => "{path: '{{ place }}/x', xpath: /x}",
        "log4j2_convert" => "{src: '{{ place }}/y', path: '{{ place }}/x', create: true}",
        "toml_carry" | "properties_carry" => "{src: /etc/hosts, path: '{{ place }}/x'}",
        "unarchive" => "{src: /tmp/x.zip, dest: '{{ place }}', remote_src: true}",
        "uri" => "{url: 'http://127.0.0.1:1/'}",
        "get_url" => "{url: 'http://127.0.0.1:1/', dest: '{{ place }}/x'}",
        "debconf" | "group" | "user" | "apt" | "package" | "known_hosts" => "{name: x}",
        "service" | "systemd" | "systemd_service" => "{name: x, state: started}",
        "cron" => "{name: x, job: x, user: root, cron_file: '{{ place }}/x'}",
        "copy" => "{content: x, dest: '{{ place }}/x'}",
        "template" => "{src: x.j2, dest: '{{ place }}/x'}",
        "lineinfile" => "{path: '{{ place }}/x', line: x, create: true}",
        "file" => "{path: '{{ place }}/x', state: touch}",
        "stat" => "{path: '{{ place }}/x'}",
        "wait_for" => "{path: '{{ place }}/x', timeout: 1}",
        "tempfile" => "{state: file}",
        "ping" | "setup" | "gather_facts" => "",
        other => panic!("no arguments for the module {other}"),
    }
}

/// The node accepts the login and starts the command, which never answers.
#[test]
fn no_module_succeeds_on_a_node_that_never_answers() {
    let modules = convoy_agent::modules::ALL;
    let project = tasks("- ping:");
    project.file("templates/x.j2", "x").unwrap();
    project.file("files/x.sh", "touch made\n").unwrap();
    let mut options = SshdOptions::new(project.key());
    options.configuration.push("ForceCommand sleep 600".to_owned());
    let node = project.node_with("l", options).unwrap();
    let plays: String = modules
        .iter()
        .map(|module| {
            let name = module.name;
            project
                .file(
                    &format!("{name}.yml"),
                    format!(
                        "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name}: {}\n",
                        arguments(name)
                    ),
                )
                .unwrap();
            format!("{name}.yml ")
        })
        .collect();
    // All at once, since each waits until the node is given up.
    let children: Vec<_> = plays
        .split_whitespace()
        .map(|play| (play, project.command(["apply", "-i", "hosts", play]).spawn().unwrap()))
        .collect();
    for (play, child) in children {
        let ran: RunOutput = project.wait(child).unwrap();
        assert_eq!((ran.recap("l").as_str(), ran.code), ("unreachable=1", Some(4)), "{play}: {ran}");
    }
    assert_eq!(fs::read_dir(&node.place).unwrap().count(), 0);
}
