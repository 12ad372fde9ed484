//! `become` with real accounts, real passwords and the real programs.

use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::{Accounts, SshdOptions};

use crate::harness::site;

const ACCOUNTS: Accounts = Accounts {
    login: "op",
    lines: "
        account op word-of-op
        account guest word-of-guest
        sudoers 'op ALL=(ALL:ALL) ALL'
    ",
};

const WHO: &str = "- hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: Who is it
      command: id -un
      register: who
    - debug: {var: who.stdout}
";

/// A project whose one node has these accounts.
fn project() -> (Project, Node) {
    let project = site(WHO);
    let options = SshdOptions { accounts: Some(ACCOUNTS), ..SshdOptions::new(project.key()) };
    let node = project.node_with("l", options).unwrap();
    (project, node)
}

/// Returns the whole output for each of these ways to do it: who logs in, which password is given, further words.
fn reports(project: &Project, cases: &[(&str, &str, &str)]) -> String {
    let mut all = String::new();
    for (login, password, words) in cases {
        let user = format!("ansible_user={login}");
        let mut line = vec!["-e", user.as_str()];
        if !password.is_empty() {
            project.file("password", password).unwrap();
            line.extend(["--become-password-file", "password"]);
        }
        line.extend(words.split_whitespace());
        let ran = project.apply(line).unwrap();
        all.push_str(&format!("==== {login}, password {password:?} {words}\n{ran}\n"));
    }
    all
}

#[test]
#[cfg_attr(not(may_mount), ignore = "only root can make accounts for a test")]
fn sudo() {
    let (project, _node) = project();
    let all = reports(
        &project,
        &[
            ("op", "word-of-op", ""),
            ("op", "word-of-op", "--become-user guest"),
            ("op", "", ""),
            ("op", "wrong", ""),
            ("guest", "word-of-guest", ""),
        ],
    );
    insta::assert_snapshot!(all);
}
