//! The command on isolated machines: a jump host between two networks, and a login with a password.

use std::fs;
use std::process::{Child, Command, Stdio};

use convoy_tests::namespace::{self, Machine, Switch};
use convoy_tests::project::Project;

/// Prints why the test is skipped if machines cannot be created here, and returns whether it is.
#[expect(clippy::print_stderr, reason = "the test's own output")]
fn is_skipped() -> bool {
    let reason = namespace::unavailable_reason();
    if let Some(reason) = &reason {
        eprintln!("skipped: {reason}");
    }
    reason.is_some()
}

/// Starts a command on a machine.
fn start(machine: &Machine, command: &Command) -> Child {
    let mut command = machine.command(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_node_in_another_network_is_reached_through_the_jump_host() {
    if is_skipped() {
        return;
    }
    let (office, cluster) = (Switch::new().unwrap(), Switch::new().unwrap());
    let mut workstation = Machine::workstation().unwrap();
    workstation.plug(&office, "10.1.0.1/24").unwrap();
    let mut jump = Machine::new().unwrap();
    jump.plug(&office, "10.1.0.2/24").unwrap();
    jump.plug(&cluster, "10.2.0.1/24").unwrap();
    let mut node = Machine::new().unwrap();
    node.plug(&cluster, "10.2.0.2/24").unwrap();

    let project = Project::new().unwrap();
    let key = project.key().public.clone();
    let jump_key = jump.sshd(&[&key], &[]).unwrap();
    let node_key = node.sshd(&[&key], &[]).unwrap();
    let known = format!("10.1.0.2 {jump_key}\n10.2.0.2 {node_key}\n");
    fs::write(project.home().join(".ssh/known_hosts"), known).unwrap();
    let config = format!(
        "Host jump\n  HostName 10.1.0.2\nHost 10.2.0.*\n  ProxyJump jump\nHost *\n  User root\n  IdentityFile {}\n",
        project.key().path.display()
    );
    fs::write(project.home().join(".ssh/config"), config).unwrap();
    project.host("node ansible_host=10.2.0.2").unwrap();
    project
        .host("direct ansible_host=10.2.0.2 ansible_ssh_common_args='-o ProxyJump=none -o ConnectTimeout=1'")
        .unwrap();
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {content: hello, dest: /etc/convoy-was-here}\n    - command: cat /etc/convoy-was-here\n      register: it\n    - debug: {var: it.stdout}\n";
    project.file("site.yml", play).unwrap();
    let command = project.command(["apply", "-i", "hosts", "site.yml", "-u", "root"]);
    let child = start(&workstation, &command);
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.recap("node"), "ok=3 changed=2", "{ran}");
    assert!(ran.stdout.contains("10.2.0.2 port 22: network is unreachable"), "{ran}");
    assert_eq!(ran.code, Some(4), "{ran}");
    assert_eq!(node.run("cat /etc/convoy-was-here").unwrap(), "hello");
    assert!(
        !std::path::Path::new("/etc/convoy-was-here").exists() && !jump.path("etc/convoy-was-here").exists()
    );
    assert!(jump.log().contains("Accepted publickey for root from 10.1.0.1"), "{}", jump.log());
    assert!(node.log().contains("Accepted publickey for root from 10.2.0.1"), "{}", node.log());
}

#[test]
fn a_user_of_the_node_logs_in_with_a_password() {
    if is_skipped() {
        return;
    }
    let network = Switch::new().unwrap();
    let mut workstation = Machine::workstation().unwrap();
    workstation.plug(&network, "10.3.0.1/24").unwrap();
    let mut node = Machine::new().unwrap();
    node.plug(&network, "10.3.0.2/24").unwrap();
    node.run("useradd -m -s /bin/sh convoytest && echo convoytest:sesame | chpasswd").unwrap();
    let key = node.sshd(&[], &["PasswordAuthentication yes"]).unwrap();
    assert!(!fs::read_to_string("/etc/passwd").unwrap().contains("convoytest"));

    let project = Project::new().unwrap();
    fs::write(project.home().join(".ssh/known_hosts"), format!("10.3.0.2 {key}\n")).unwrap();
    project.host("node ansible_host=10.3.0.2 ansible_user=convoytest").unwrap();
    let run_with_password = |password: &str| {
        project.file("password", password).unwrap();
        let args = ["exec", "all", "-i", "hosts", "-a", "id -un", "--connection-password-file", "password"];
        let child = start(&workstation, &project.command(args));
        project.wait(child).unwrap().to_string()
    };
    assert_eq!(run_with_password("sesame\n"), "node | CHANGED | rc=0 >>\nconvoytest\n--- exit code 0\n");
    let refused = run_with_password("wrong\n");
    assert!(
        refused.contains("convoytest@10.3.0.2: Permission denied (publickey,password); tried the password"),
        "{refused}"
    );
}
