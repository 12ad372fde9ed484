//! Prompts for host keys, passphrases and passwords, and the errors without a terminal.

use std::fs;
use std::process::Command;

use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::{ClientKey, SshdOptions, output};
use convoy_tests::terminal::Terminal;

/// Returns a project with nodes of these names and an empty `known_hosts` file.
fn project_with_unknown_hosts(names: &[&str]) -> (Project, Vec<Node>) {
    let project = Project::new().unwrap();
    project.file("site.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ping:\n").unwrap();
    let nodes: Vec<Node> = names.iter().map(|name| project.node(name).unwrap()).collect();
    for (name, node) in names.iter().zip(&nodes) {
        let mut keygen = Command::new("ssh-keygen");
        keygen.arg("-lf").arg(node.sshd.dir().join("host_ed25519.pub"));
        let printed = output(&mut keygen).unwrap();
        project.substitute(printed.split(' ').nth(1).unwrap(), format!("[fingerprint of {name}]"));
        project.substitute(format!("[127.0.0.1]:{}", node.sshd.port), format!("[{name}'s address]"));
        project.substitute(node.sshd.host_key("ed25519").unwrap(), format!("[key of {name}]"));
    }
    fs::write(project.home().join(".ssh/known_hosts"), "").unwrap();
    (project, nodes)
}

const APPLY: [&str; 4] = ["apply", "-i", "hosts", "site.yml"];

/// Runs `convoy` without a terminal, even if the test has one.
fn without_terminal(project: &Project, args: &[&str]) -> RunOutput {
    project.wait(project.command_under(&["setsid", "--wait"], args).spawn().unwrap()).unwrap()
}

#[test]
fn unknown_host_keys_are_listed_and_rejected_without_a_terminal() {
    let (project, nodes) = project_with_unknown_hosts(&["web1", "web2"]);
    let known = project.home().join(".ssh/known_hosts");
    fs::write(&known, nodes[0].sshd.known_hosts("ed25519").unwrap()).unwrap();
    project.host("database1 ansible_host=localhost ansible_port=1").unwrap();
    // One host at a time, for a fixed order of the results.
    let ran = without_terminal(&project, &["apply", "-i", "hosts", "site.yml", "-f", "1"]);
    insta::assert_snapshot!(ran, @r#"

PLAY [all] *********************************************************************

TASK [ping] ********************************************************************
ok: [web1]
fatal: [web2]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh: the host key of web2 (127.0.0.1 [port of web2]), ssh-ed25519 [fingerprint of web2], is unknown; compare it with `ssh-keygen -l` on the host, then add to ~/.ssh/known_hosts: [web2's address] [key of web2]", "unreachable": true}
fatal: [database1]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh: localhost port 1: connection refused: nothing is listening there", "unreachable": true}

PLAY RECAP *********************************************************************
database1                  : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   
web1                       : ok=1    changed=0    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   
web2                       : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   

--- standard error
[WARNING]: no known_hosts file has the host keys of these hosts, so they are refused:
  host  address            type     fingerprint
  web2  [web2's address]  ED25519  [fingerprint of web2]
Compare them with `ssh-keygen -l` on the hosts, then continue with --host-key-checking accept-new
web2: task "ping" (site.yml:4:7) and what follows it
database1: task "ping" (site.yml:4:7) and what follows it

hint: continue with `convoy resume [run]`
--- exit code 4
"#);
    assert!(!nodes[1].sshd.log().contains("Accepted"));
    let accepted = without_terminal(
        &project,
        &["exec", "web*", "-i", "hosts", "-m", "ping", "--host-key-checking", "accept-new"],
    );
    assert_eq!(accepted.code, Some(0), "{accepted}");
    assert_eq!(fs::read_to_string(known).unwrap().lines().count(), 2);
    assert_eq!(without_terminal(&project, &["exec", "web*", "-i", "hosts", "-m", "ping"]).code, Some(0));
}

#[test]
fn unknown_host_keys_are_accepted_with_one_prompt_for_all_hosts() {
    let (project, nodes) = project_with_unknown_hosts(&["web1", "web2"]);
    fs::write(project.home().join(".ssh/config"), "HashKnownHosts yes\n").unwrap();
    let mut terminal = Terminal::start(&project.command(APPLY)).unwrap();
    terminal.answer("(yes/no)? ", "y\r").unwrap();
    terminal.answer("Please type 'yes' or 'no': ", "yes\r").unwrap();
    let (shown, code) = terminal.finish().unwrap();
    let question = project.normalize(shown.split_once("PLAY [all]").unwrap().0);
    insta::assert_snapshot!(question, @r"
No known_hosts file has the host keys of these hosts:
  host  address            type     fingerprint
  web1  [web1's address]  ED25519  [fingerprint of web1]
  web2  [web2's address]  ED25519  [fingerprint of web2]
Compare them with `ssh-keygen -l` on the hosts. Accept them all, and add them to [folder]/home/.ssh/known_hosts (yes/no)? y
Please type 'yes' or 'no': yes
");
    assert_eq!(code, Some(0), "{shown}");
    let known = fs::read_to_string(project.home().join(".ssh/known_hosts")).unwrap();
    assert!(known.lines().count() == 2 && known.lines().all(|line| line.starts_with("|1|")), "{known}");
    for node in &nodes {
        let mut find = Command::new("ssh-keygen");
        find.args(["-F", &format!("[127.0.0.1]:{}", node.sshd.port), "-f"]);
        let found = output(find.arg(project.home().join(".ssh/known_hosts"))).unwrap();
        assert!(found.contains(&node.sshd.host_key("ed25519").unwrap()), "{found}");
    }
    assert_eq!(without_terminal(&project, &APPLY).code, Some(0));
}

#[test]
fn host_keys_are_checked_at_the_addresses_that_play_variables_set() {
    let (project, nodes) = project_with_unknown_hosts(&["web1"]);
    let port = nodes[0].sshd.port;
    project.file("hosts", "web1\n").unwrap();
    project.file("vars.yml", format!("port: {port}\n")).unwrap();
    project.file("site.yml", "- hosts: all\n  gather_facts: false\n  vars_files: vars.yml\n  port: '{{ port }}'\n  tasks:\n    - ping:\n").unwrap();
    project.file("host_vars/web1.yml", "ansible_host: 127.0.0.1\n").unwrap();
    let ran = without_terminal(&project, &APPLY);
    assert!(ran.stderr.contains("  web1  [web1's address]  ED25519  [fingerprint of web1]\n"), "{ran}");
}

#[test]
fn nothing_runs_if_the_host_keys_are_not_accepted() {
    let (project, nodes) = project_with_unknown_hosts(&["web1"]);
    let mut terminal = Terminal::start(&project.command(APPLY)).unwrap();
    terminal.answer("(yes/no)? ", "no\r").unwrap();
    let (shown, code) = terminal.finish().unwrap();
    assert!(shown.ends_with("\nerror: the host keys were not accepted\nhint: nothing was done\n"), "{shown}");
    assert_eq!(code, Some(3));
    assert!(
        !nodes[0].sshd.log().contains("Accepted")
            && fs::read(project.home().join(".ssh/known_hosts")).unwrap().is_empty()
    );
}

#[test]
fn a_changed_host_key_is_rejected_without_a_prompt() {
    let (project, nodes) = project_with_unknown_hosts(&["web1"]);
    let other = ClientKey::generate(&project.home(), "ed25519").unwrap();
    let old: Vec<&str> = other.public.split(' ').take(2).collect();
    let line = format!("[127.0.0.1]:{} {}\n", nodes[0].sshd.port, old.join(" "));
    fs::write(project.home().join(".ssh/known_hosts"), line).unwrap();
    for args in [vec![], vec!["--host-key-checking", "accept-new"]] {
        let mut command = project.command(APPLY);
        let (shown, code) = Terminal::start(command.args(args)).unwrap().finish().unwrap();
        assert!(shown.contains("differs from the one in ~/.ssh/known_hosts:1"), "{shown}");
        assert_eq!(code, Some(4));
    }
    assert!(!nodes[0].sshd.log().contains("Accepted"));
}

/// Returns a project with two nodes and an encrypted key.
fn project_with_encrypted_key() -> (Project, Vec<Node>, ClientKey) {
    let (project, _) = project_with_unknown_hosts(&[]);
    fs::create_dir(project.path("keys")).unwrap();
    let key = ClientKey::encrypted(&project.path("keys"), "ed25519", "open sesame").unwrap();
    let nodes = ["web1", "web2"].map(|name| project.node_with(name, SshdOptions::new(&key)).unwrap()).into();
    let hosts = fs::read_to_string(project.path("hosts")).unwrap();
    let project_key = project.key().path.display().to_string();
    project.file("hosts", hosts.replace(&project_key, &key.path.display().to_string())).unwrap();
    (project, nodes, key)
}

#[test]
fn a_passphrase_is_prompted_for_once_for_all_hosts() {
    let (project, _nodes, key) = project_with_encrypted_key();
    let mut terminal = Terminal::start(&project.command(APPLY)).unwrap();
    let prompt = format!("Enter passphrase for key '{}': ", key.path.display());
    for passphrase in ["wrong\r", "wro\x15open sesamee\x7f\r"] {
        terminal.answer(&prompt, passphrase).unwrap();
    }
    let (shown, code) = terminal.finish().unwrap();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("Enter passphrase").count(), 2, "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn without_a_terminal_an_encrypted_key_is_reported_with_a_hint() {
    let (project, _nodes, key) = project_with_encrypted_key();
    let ran = without_terminal(&project, &APPLY);
    let path = project.normalize(&key.path.display().to_string());
    let why = format!("127.0.0.1: {path} is encrypted and its passphrase is unknown: run `ssh-add {path}`\"");
    assert_eq!(ran.stdout.matches(&why).count(), 2, "{ran}");
    assert_eq!(ran.code, Some(4));
    let child =
        project.command(APPLY).args(["-e", "ansible_ssh_private_key_passphrase='open sesame'"]).spawn();
    assert_eq!(project.wait(child.unwrap()).unwrap().code, Some(0));
}

#[test]
fn a_password_is_prompted_for_and_the_option_is_named_without_a_terminal() {
    let (project, _) = project_with_unknown_hosts(&[]);
    project.host("web1 ansible_connection=local").unwrap();
    let mut command = project.command(APPLY);
    let mut terminal = Terminal::start(command.arg("-kK")).unwrap();
    terminal.answer("SSH password: ", "hidden\r").unwrap();
    terminal.answer("BECOME password[defaults to SSH password]: ", "\r").unwrap();
    let (shown, code) = terminal.finish().unwrap();
    assert!(code == Some(0) && !shown.contains("hidden"), "{shown}");
    let ran = without_terminal(&project, &["apply", "-i", "hosts", "site.yml", "-k"]);
    insta::assert_snapshot!(ran, @r"
--- standard error
error: cannot ask for the password: No such device or address (os error 6)
hint: without a terminal give it in a file, with --connection-password-file
--- exit code 1
");
    project.file("empty", "\n").unwrap();
    let ran = without_terminal(&project, &["apply", "-i", "hosts", "site.yml", "--conn-pass-file", "empty"]);
    insta::assert_snapshot!(ran, @r"
--- standard error
error: empty has no password in it
--- exit code 1
");
}

#[test]
fn unsupported_ssh_settings_are_reported_once() {
    let (project, nodes) = project_with_unknown_hosts(&["web1", "web2"]);
    let known: String = nodes.iter().map(|node| node.sshd.known_hosts("ed25519").unwrap()).collect();
    fs::write(project.home().join(".ssh/known_hosts"), known).unwrap();
    let config = "Host *\n  VerifyHostKeyDNS yes\n  ForwardAgent no\n  ControlMaster auto\n";
    fs::write(project.home().join(".ssh/config"), config).unwrap();
    let ran = without_terminal(&project, &["apply", "-i", "hosts", "site.yml", "-f", "1"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    insta::assert_snapshot!(ran.stderr, @r"
    [WARNING]: the ssh configuration sets `VerifyHostKeyDNS yes` for web1 and
    perhaps other hosts, which convoy does not support
    ");
    fs::write(project.home().join(".ssh/config"), "Host *\n  Prot 22\n").unwrap();
    let ran = without_terminal(&project, &["exec", "web1", "-i", "hosts", "-m", "ping"]);
    insta::assert_snapshot!(ran, @r#"
    web1 | UNREACHABLE! => {
        "changed": false,
        "msg": "Failed to connect to the host via ssh: the ssh configuration: [folder]/home/.ssh/config: line 2: Bad configuration option: prot",
        "unreachable": true
    }
    --- exit code 4
    "#);
}
