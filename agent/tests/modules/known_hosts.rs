//! `known_hosts`.

use std::process::Command;

use convoy_protocol::{Diff, Map, Status, map};

use super::harness::{Node, text};

const OLD: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJo0vVzIZrOoUFPvzLLlwY0A3gvcNzTqwdBq0GcRAQla";
const NEW: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIO1pXkqpUVMPIV4CMpGUPWEr7pUzAK9QGFBP9zZ2dzHj";

fn args(node: &Node, more: Map) -> Map {
    let mut args = map! { "name" => "a.example", "path" => node.text("known_hosts") };
    args.extend(more);
    args
}

fn line(host: &str, key: &str) -> String {
    format!("{host} ssh-ed25519 {key}")
}

#[test]
fn a_key_comes_changes_and_goes() {
    let mut node = Node::new();
    let key = line("a.example", OLD);
    let made = node.converges("known_hosts", args(&node, map! { "key" => key.as_str() }));
    assert_eq!(node.read("known_hosts"), format!("{key}\n"));
    let Diff::Text { before, after } = &made.diff[0] else { panic!("{:?}", made.diff) };
    assert_eq!((before.header.as_str(), after.text.as_str()), ("/dev/null", format!("{key}\n").as_str()));
    let expected = map! {
        "name" => "a.example", "key" => key.as_str(), "path" => node.text("known_hosts"), "hash_host" => false, "state" => "present",
    };
    assert_eq!(made.values, expected);
    // Another key of the type takes its place; those of others, comments and other types stay.
    let others = format!(
        "# mine\n{}\na.example ssh-rsa AAAAB3Nz\n@cert-authority a.example ssh-ed25519 {OLD}\n",
        line("b.example", OLD)
    );
    node.write("known_hosts", &format!("{others}{key}"));
    let new = line("a.example", NEW);
    node.converges("known_hosts", args(&node, map! { "key" => format!("{new} comment\n") }));
    assert_eq!(node.read("known_hosts"), format!("{others}{new} comment\n"));
    node.converges("known_hosts", args(&node, map! { "key" => new.as_str(), "state" => "absent" }));
    assert_eq!(node.read("known_hosts"), others);
    let unknown =
        node.run("known_hosts", args(&node, map! { "key" => "a.example ecdsa AAAA", "state" => "absent" }));
    assert_eq!(unknown.status, Status::Same);
    node.converges("known_hosts", args(&node, map! { "state" => "absent" }));
    let kept = format!("# mine\n{}\n@cert-authority a.example ssh-ed25519 {OLD}\n", line("b.example", OLD));
    assert_eq!(node.read("known_hosts"), kept);
}

#[test]
fn hashed_names_are_read_and_written_as_ssh_does() {
    let mut node = Node::new();
    let key = line("a.example", OLD);
    let hash = args(&node, map! { "key" => key.as_str(), "hash_host" => true });
    let done = node.run("known_hosts", hash.clone());
    assert_eq!((done.status, node.read("known_hosts").starts_with("|1|")), (Status::Changed, true));
    let find = |host: &str| {
        let found = Command::new("ssh-keygen")
            .args(["-F", host, "-f"])
            .arg(node.path("known_hosts"))
            .output()
            .unwrap();
        String::from_utf8(found.stdout).unwrap().contains(OLD)
    };
    assert!(find("a.example") && !find("b.example"));
    assert_eq!(node.run("known_hosts", hash).status, Status::Same);
    // As it stands, it is no name of the host.
    let plain = node.run("known_hosts", args(&node, map! { "key" => key.as_str() }));
    assert_eq!((plain.status, node.read("known_hosts")), (Status::Changed, format!("{key}\n")));
    let status =
        Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(node.path("known_hosts")).status().unwrap();
    assert!(status.success());
    node.converges("known_hosts", args(&node, map! { "state" => "absent" }));
    assert_eq!(node.read("known_hosts"), "");
}

#[test]
fn markers_are_part_of_a_line() {
    let mut node = Node::new();
    let ca = format!("@cert-authority *.example ssh-ed25519 {OLD}");
    node.converges("known_hosts", args(&node, map! { "key" => ca.as_str() }));
    let key = line("a.example", NEW);
    node.converges("known_hosts", args(&node, map! { "key" => key.as_str() }));
    assert_eq!(node.read("known_hosts"), format!("{ca}\n{key}\n"));
    node.converges("known_hosts", args(&node, map! { "key" => ca.as_str(), "state" => "absent" }));
    assert_eq!(node.read("known_hosts"), format!("{key}\n"));
}

#[test]
fn lines_refused() {
    let mut node = Node::new();
    let nowhere = map! { "path" => node.text("none/known_hosts"), "key" => line("a.example", OLD) };
    let directory = node.text("none");
    for (more, expected) in [
        (map! {}, "No key specified when adding a host".to_owned()),
        (
            map! { "key" => line("b.example", OLD) },
            "Host parameter does not match hashed host field in supplied key".to_owned(),
        ),
        (map! { "key" => "a.example" }, "Host parameter does not match hashed host field in supplied key".to_owned()),
        (
            map! { "name" => "a.example,b.example", "key" => line("a.example,b.example", OLD) },
            "Comma separated list of names is not supported. Please pass a single name to lookup in the known_hosts file.".to_owned(),
        ),
        (nowhere, format!("Failed to write to file {directory}/known_hosts: the directory {directory} does not exist")),
    ] {
        assert_eq!(node.fails("known_hosts", args(&node, more)), expected);
    }
    assert_eq!(text(&node.run("known_hosts", args(&node, map! { "state" => "absent" })), "state"), "absent");
}
