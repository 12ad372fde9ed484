//! Errors when something cannot be decrypted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use convoy_tests::project::Project;

use crate::harness::tasks;
use crate::secrets::{encrypted, encrypted_variable};
use crate::vault;

/// Runs these commands and returns their output, one after the other.
fn outputs(project: &Project, runs: &[&[&str]]) -> String {
    let mut outputs = String::new();
    for args in runs {
        let ran = project.run(args.iter()).expect("the command runs");
        outputs.push_str(&format!("==== convoy {}\n{ran}\n", args.join(" ")));
    }
    outputs
}

#[test]
fn errors_of_the_vault_command() {
    let project = vault::project_with_passwords();
    project.file("secret.yml", encrypted("user: admin\n")).unwrap();
    let damaged = encrypted("user: admin\n");
    let line = damaged.lines().nth(2).unwrap();
    project.file("odd.yml", damaged.replace(line, &line[1..])).unwrap();
    project.file("strange.yml", damaged.replace(line, &format!("x{}", &line[1..]))).unwrap();
    project
        .file("cut.yml", damaged.lines().take(2).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    project.file("old.yml", damaged.replace("1.1;AES256", "1.0;AES")).unwrap();
    project.file("fails", "#!/bin/sh\nexit 7\n").unwrap();
    fs::set_permissions(project.path("fails"), fs::Permissions::from_mode(0o700)).unwrap();
    insta::assert_snapshot!(outputs(
        &project,
        &[
            &["vault", "view", "secret.yml", "--vault-id=dev@other"],
            &["vault", "view", "odd.yml", "--vault-id=sesame"],
            &["vault", "view", "strange.yml", "--vault-id=sesame"],
            &["vault", "view", "cut.yml", "--vault-id=sesame"],
            &["vault", "view", "old.yml", "--vault-id=sesame"],
            &["vault", "view", "vars.yml", "--vault-id=sesame"],
            &["vault", "view", "none.yml", "--vault-id=sesame"],
            &["vault", "view", "secret.yml", "--vault-password-file=fails"],
            &["vault", "view", "secret.yml", "--vault-password-file=none"],
            &["vault", "encrypt", "secret.yml", "--vault-id=sesame"],
            &["vault", "encrypt", "vars.yml", "--vault-id=sesame", "--vault-id=dev@other"],
            &["vault", "encrypt", "vars.yml", "--vault-id=sesame", "--encrypt-vault-id=dev"],
            &["vault", "encrypt", "vars.yml", "other", "--vault-id=sesame", "--output=x"],
            &["vault", "create", "new.yml", "--vault-id=sesame"],
            &["vault", "create", "--skip-tty-check", "secret.yml", "--vault-id=sesame"],
            &["vault", "encrypt-string", "-p", "--stdin-name=x", "--vault-id=sesame"],
        ]
    ));
}

#[test]
fn errors_of_a_run() {
    let project = tasks("- debug: {msg: \"{{ password }}\"}\n- include_vars: more.yml\n");
    project.local("l").unwrap();
    project.file("other", "other\n").unwrap();
    project.file("group_vars/all/value.yml", encrypted_variable("password", "hunter2")).unwrap();
    let without = outputs(&project, &[&["apply", "-i", "hosts", "site.yml"]]);
    let wrong = outputs(&project, &[&["apply", "-i", "hosts", "site.yml", "--vault-id=dev@other"]]);
    project.file("group_vars/all/file.yml", encrypted("user: admin\n")).unwrap();
    let file = outputs(
        &project,
        &[
            &["apply", "-i", "hosts", "site.yml"],
            &["apply", "-i", "hosts", "site.yml", "--vault-id=dev@other", "--vault-password-file=other"],
        ],
    );
    project.file("sesame", "sesame\n").unwrap();
    project.file("group_vars/all/file.yml", encrypted("user: {{ hunter2\n")).unwrap();
    let decrypted = outputs(&project, &[&["apply", "-i", "hosts", "site.yml", "--vault-id=sesame"]]);
    project.file("group_vars/all/file.yml", encrypted("user: admin\n")).unwrap();
    project.file("site.yml", encrypted("- hosts: all\n  tasks:\n    - debgu: msg=hunter2\n")).unwrap();
    let playbook = outputs(&project, &[&["apply", "-i", "hosts", "site.yml", "--vault-id=sesame"]]);
    insta::assert_snapshot!([without, wrong, file, decrypted, playbook].concat());
}

/// A user who has only the password of one group can work on that group.
#[test]
fn variables_of_other_hosts_may_stay_encrypted() {
    let project = tasks("- ping:\n- {ping: , delegate_to: \"{{ shut }}\", when: shut is defined}\n");
    project.local("open").unwrap();
    project.local("closed").unwrap();
    project.file("host_vars/closed.yml", encrypted("user: admin\n")).unwrap();
    let open = project.apply(["--limit", "open"]).unwrap();
    assert_eq!((open.recap("open").as_str(), open.code), ("ok=1 skipped=1", Some(0)), "{open}");
    let delegated = project.apply(["--limit", "open", "-e", "shut=closed"]).unwrap();
    let why = "Attempting to decrypt but no vault secrets found";
    assert!(delegated.stdout.contains("/host_vars/closed.yml: Attempting to decrypt"), "{delegated}");
    let all = project.apply([]).unwrap();
    assert!(all.stderr.contains(why) && all.code == Some(1), "{all}");
}
