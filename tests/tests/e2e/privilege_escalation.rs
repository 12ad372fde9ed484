//! `become` with real accounts and passwords, and the real sudo, su and doas.

use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::{Accounts, SshdOptions};

use crate::harness::site;

const ACCOUNTS: Accounts = Accounts {
    login: "op",
    script: "
        password root word-of-root
        for name in op guest tight old gone; do account $name word-of-$name; done
        account app word-of-app
        useradd --create-home --shell /usr/sbin/nologin service
        chage --lastday 0 old
        chage --expiredate 1 gone
        sudoers 'op, tight, old, gone ALL=(ALL:ALL) ALL'
        sudoers 'op ALL=(root) NOPASSWD: /usr/bin/su'
        sudoers 'Defaults:tight requiretty'
        sudoers 'app ALL=(service) NOPASSWD: ALL'
        doas_conf 'permit op'
        doas_conf 'permit nopass app as service'
        doas_conf 'permit old'
    ",
};

const PRINT_USER: &str = "- hosts: all
  gather_facts: false
  become: true
  tasks:
    - name: Who is it
      command: id -un
      register: who
    - debug: {var: who.stdout}
";

/// Returns a project whose only node has these accounts.
fn project() -> (Project, Node) {
    let project = site(PRINT_USER);
    let options = SshdOptions { accounts: Some(ACCOUNTS), ..SshdOptions::new(project.key()) };
    let node = project.node_with("l", options).unwrap();
    (project, node)
}

/// Returns the output for each of these cases: the login user, the password, and further arguments, separated by two
/// spaces.
fn outputs(project: &Project, cases: &[(&str, &str, &str)]) -> String {
    let mut all = String::new();
    for (login, password, args) in cases {
        let user = format!("ansible_user={login}");
        let mut line = vec!["-e", user.as_str()];
        if !password.is_empty() {
            project.file("password", password).unwrap();
            line.extend(["--become-password-file", "password"]);
        }
        line.extend(args.split("  ").filter(|word| !word.is_empty()));
        let ran = project.apply(line).unwrap();
        all.push_str(&format!("==== {login}, password {password:?} {args}\n{ran}\n"));
    }
    all
}

#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn sudo() {
    let (project, _node) = project();
    let all = outputs(
        &project,
        &[
            ("op", "word-of-op", ""),
            ("op", "word-of-op", "--become-user  app"),
            ("op", "", ""),
            ("op", "wrong", ""),
            ("old", "word-of-old", ""),
            ("op", "word-of-op", "-e  ansible_become_exe=/usr/bin/sudo"),
            ("tight", "word-of-tight", ""),
            ("app", "word-of-app", ""),
            ("guest", "word-of-guest", ""),
            ("op", "word-of-op", "--become-user  no-one"),
            ("app", "", "--become-user  service"),
            ("op", "word-of-op", "-e  ansible_become_exe=/no/sudo"),
            ("op", "word-of-op", "-e  {ansible_become_flags: \"-H 'x\"}"),
        ],
    );
    insta::assert_snapshot!(all);
}

#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn su() {
    let (project, _node) = project();
    let all = outputs(
        &project,
        &[
            ("op", "word-of-root", "--become-method  su"),
            ("guest", "word-of-app", "--become-method  su  --become-user  app"),
            ("op", "", "--become-method  su"),
            ("op", "wrong", "--become-method  su"),
            ("op", "word-of-old", "--become-method  su  --become-user  old"),
            ("op", "word-of-gone", "--become-method  su  --become-user  gone"),
            ("op", "word-of-op", "--become-method  su  --become-user  no-one"),
            ("op", "", "--become-method  su  -e  ansible_su_exe='sudo su'  --become-user  app"),
        ],
    );
    insta::assert_snapshot!(all);
}

#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn doas() {
    let (project, _node) = project();
    let all = outputs(
        &project,
        &[
            ("op", "word-of-op", "--become-method  doas"),
            ("op", "word-of-op", "--become-method  doas  --become-user  app"),
            ("app", "", "--become-method  doas  --become-user  service"),
            ("op", "", "--become-method  doas"),
            ("op", "wrong", "--become-method  doas"),
            ("old", "word-of-old", "--become-method  doas"),
            ("guest", "word-of-guest", "--become-method  doas"),
            ("op", "word-of-op", "--become-method  doas  --become-user  no-one"),
        ],
    );
    insta::assert_snapshot!(all);
}

/// The user cannot read any file of the login user.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn files_can_be_sent_to_and_read_by_an_unprivileged_user() {
    let (project, _node) = project();
    let playbook = "- hosts: all
  gather_facts: false
  vars: {ansible_become_password: word-of-op, user: app, answers: [for app, 'skipped, since done exists']}
  tasks:
    - file: {path: '~/', mode: '0700'}
    - become: true
      become_user: app
      block:
        - copy: {src: secret, dest: ~/copied, mode: '0600'}
        - copy: {src: tree, dest: ~/trees}
        - template: {src: t.j2, dest: ~/rendered, validate: 'grep app %s'}
        - lineinfile: {path: ~/lines, line: one, create: true}
        - stat: {path: ~/copied, checksum_algorithm: sha256}
          register: copied
        - assert: {that: [copied.stat.pw_name == user, copied.stat.size == 300000]}
        - command: cat rendered
          args: {chdir: /home/app, creates: done}
          register: rendered
        - assert: {that: [rendered.stdout in answers]}
        - file: {path: ~/done, state: touch, modification_time: preserve, access_time: preserve}
    - name: The password is in no command line and no environment
      shell: cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n' | grep word-of-o[p]
      become: true
      register: found
      changed_when: false
      failed_when: found.rc != 1
";
    project.file("site.yml", playbook).unwrap();
    project.file("files/secret", vec![b'x'; 300_000]).unwrap();
    project.file("files/tree/a/b", "b").unwrap();
    project.file("templates/t.j2", "for app\n").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=11 changed=7", Some(0)), "{ran}");
    let again = project.apply([]).unwrap();
    assert_eq!((again.recap("l").as_str(), again.code), ("ok=11", Some(0)), "{again}");
}

#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn become_settings_are_read_from_the_environment() {
    let (project, _node) = project();
    project.file("site.yml", PRINT_USER.replace("  become: true\n", "")).unwrap();
    let printed_user = |args: &[&str], variables: &[(&str, &str)]| {
        let args = ["apply", "-i", "hosts", "site.yml"].iter().chain(args);
        let child = project.command(args).envs(variables.iter().copied()).spawn().unwrap();
        let ran = project.wait(child).unwrap();
        let line = ran.stdout.lines().find(|line| line.contains("who.stdout") || line.contains("msg"));
        line.unwrap_or_default().trim().to_owned()
    };
    let su = [("ANSIBLE_BECOME", "yes"), ("ANSIBLE_BECOME_METHOD", "su"), ("ANSIBLE_BECOME_USER", "guest")];
    let passwords = [("ANSIBLE_SU_PASS", "word-of-app"), ("ANSIBLE_BECOME_PASS", "word-of-guest")];
    let all = |more: &[(&'static str, &'static str)]| [&su[..], more].concat();
    assert_eq!(printed_user(&[], &[]), "\"who.stdout\": \"op\"");
    assert_eq!(printed_user(&[], &all(&passwords[1..])), "\"who.stdout\": \"guest\"");
    // Settings of a method take precedence over the general ones.
    assert_eq!(printed_user(&["--become-user", "app"], &all(&passwords)), "\"who.stdout\": \"app\"");
    project.file("password", "word-of-op\n").unwrap();
    let sudo = ["--become-method", "sudo", "-e", "ansible_sudo_user=app"];
    assert_eq!(
        printed_user(&sudo, &all(&[("ANSIBLE_BECOME_PASSWORD_FILE", "password")])),
        "\"who.stdout\": \"app\""
    );
    let odd = printed_user(&[], &all(&[("ANSIBLE_BECOME_METHOD", "runas")]));
    assert!(odd.contains("become method runas is not supported: there are sudo, su and doas"), "{odd}");
}
