//! `convoy vault`, and encrypted files and values wherever a run reads them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Stdio;

use convoy_tests::program::RunOutput;
use convoy_tests::project::Project;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{tasks, wait_for_file};
use crate::secrets::{encrypted, encrypted_variable};

/// Returns a project with two password files and a plain text file.
pub(crate) fn project_with_passwords() -> Project {
    let project = Project::new().expect("a project");
    project.file("sesame", "sesame\n").expect("a password");
    project.file("other", "other\n").expect("a password");
    project.file("vars.yml", "user: admin\n").expect("a file");
    project
}

/// Runs `convoy vault` with these arguments.
fn run_vault(project: &Project, args: &[&str]) -> RunOutput {
    project.run(["vault"].iter().chain(args)).expect("the command runs")
}

/// Runs `convoy vault` with an editor that runs `script` with its file as `$1`.
fn run_vault_with_editor(project: &Project, script: &str, args: &[&str]) -> RunOutput {
    let mut command = project.command(["vault"].iter().chain(args));
    command.env("EDITOR", write_editor(project, script));
    project.wait(command.spawn().expect("the command starts")).expect("it ends")
}

/// Writes an editor that runs `script` and returns its path.
fn write_editor(project: &Project, script: &str) -> PathBuf {
    // It records the path of its file, so that tests can check that nothing remains there.
    let path_record = project.path("../edited");
    let script = format!("#!/bin/sh\necho \"$1\" > {}\n{script}\n", path_record.display());
    project.file("editor", script).expect("an editor");
    fs::set_permissions(project.path("editor"), fs::Permissions::from_mode(0o700)).expect("a program");
    project.path("editor")
}

/// Returns the first line of a file.
fn first_line(project: &Project, name: &str) -> String {
    let text = fs::read_to_string(project.path(name)).expect("a file");
    text.lines().next().unwrap_or_default().to_owned()
}

/// Asserts that the temporary directory in which a file was edited is removed.
fn assert_edit_directory_is_removed(project: &Project) {
    let path = fs::read_to_string(project.path("../edited")).expect("the editor ran");
    let directory = PathBuf::from(path.trim()).parent().map(PathBuf::from).unwrap_or_default();
    assert!(directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with("convoy-vault-")));
    assert!(!directory.exists(), "{}", directory.display());
}

#[test]
fn files_are_encrypted_and_decrypted_in_place() {
    let project = project_with_passwords();
    let path = project.path("vars.yml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("vars.yml", project.path("link.yml")).unwrap();
    let ran = run_vault(&project, &["encrypt", "link.yml", "--vault-password-file", "sesame"]);
    assert_eq!(ran.to_string(), "--- exit code 0\n");
    assert_eq!(first_line(&project, "vars.yml"), "$ANSIBLE_VAULT;1.1;AES256");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    assert!(project.path("link.yml").is_symlink());
    let ran = run_vault(&project, &["view", "vars.yml", "--vault-password-file=sesame", "-v"]);
    assert_eq!(
        ran.to_string(),
        "user: admin\n--- standard error\nvars.yml: opened with the vault id `default` from sesame\n--- exit code 0\n"
    );
    let ran = run_vault(&project, &["rekey", "vars.yml", "--vault-id=sesame", "--new-vault-id=dev@other"]);
    assert_eq!(
        (ran.code, first_line(&project, "vars.yml").as_str()),
        (Some(0), "$ANSIBLE_VAULT;1.2;AES256;dev"),
        "{ran}"
    );
    assert_eq!(run_vault(&project, &["view", "vars.yml", "--vault-id=sesame"]).code, Some(1));
    let ran = run_vault(&project, &["decrypt", "vars.yml", "--vault-id=dev@other", "--output", "-"]);
    assert_eq!(ran.to_string(), "user: admin\n--- exit code 0\n");
    assert_eq!(run_vault(&project, &["decrypt", "vars.yml", "--vault-id=dev@other"]).code, Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), "user: admin\n");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    // No other files remain.
    let mut names: Vec<_> =
        fs::read_dir(project.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["link.yml", "other", "sesame", "vars.yml"]);
}

#[test]
fn plain_text_is_overwritten_unless_the_file_has_another_hard_link() {
    let project = project_with_passwords();
    // The open file gives access to the old content after the file is replaced.
    let mut old = fs::File::open(project.path("vars.yml")).unwrap();
    assert_eq!(run_vault(&project, &["encrypt", "vars.yml", "--vault-id=sesame"]).code, Some(0));
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut old, &mut bytes).unwrap();
    assert_eq!(bytes, vec![0; "user: admin\n".len()]);
    project.file("one", "in clear").unwrap();
    fs::hard_link(project.path("one"), project.path("two")).unwrap();
    assert_eq!(run_vault(&project, &["encrypt", "one", "--vault-id=sesame"]).code, Some(0));
    assert_eq!(fs::read_to_string(project.path("two")).unwrap(), "in clear");
}

#[test]
fn standard_input_is_encrypted_to_standard_output() {
    let project = project_with_passwords();
    let run_with_input = |args: &[&str], input: &str| {
        let mut child = project.command(["vault"].iter().chain(args)).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        project.wait(child).unwrap()
    };
    let encrypted = run_with_input(&["encrypt", "--vault-id=sesame"], "hello");
    assert!(encrypted.stdout.starts_with("$ANSIBLE_VAULT;1.1;AES256\n"), "{encrypted}");
    let opened = run_with_input(&["decrypt", "--vault-id=sesame"], &encrypted.stdout);
    assert_eq!(opened.to_string(), "hello--- exit code 0\n");
    let asked = run_with_input(&["encrypt_string", "--vault-id=sesame", "--stdin-name", "db"], "hello");
    assert!(asked.stdout.starts_with("db: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n"), "{asked}");
    // Without a terminal the password is read from standard input.
    let mut child = std::process::Command::new("setsid");
    let prompted = project.command(["vault", "view", "--ask-vault-pass", "secret.yml"]);
    project.file("secret.yml", encrypted.stdout).unwrap();
    child.arg(prompted.get_program()).args(prompted.get_args()).current_dir(project.path("."));
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"sesame\n").unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.to_string(), "hello--- standard error\nVault password: --- exit code 0\n");
}

#[test]
fn encrypt_string_prints_yaml() {
    let project = project_with_passwords();
    let ran = run_vault(
        &project,
        &[
            "encrypt-string",
            "--vault-id=dev@sesame",
            "-n",
            "one",
            "-n",
            "two",
            "hunter2",
            "hunter3",
            "hunter4",
        ],
    );
    assert_eq!(
        ran.stderr,
        "The number of --name options do not match the number of args.\n\
         The last named variable will be \"two\". The rest will not have names.\n\
         # The encrypted version of variable (\"one\", the string #1 from the command line args).\n\
         # The encrypted version of variable (\"two\", the string #2 from the command line args).\n\
         # The encrypted version of the string #3 from the command line args.)\n"
    );
    let heads: Vec<&str> =
        ran.stdout.lines().filter(|line| line.contains('!') || line.contains('$')).collect();
    let header = "          $ANSIBLE_VAULT;1.2;AES256;dev";
    assert_eq!(heads, ["one: !vault |", header, "two: !vault |", header, "!vault |", header]);
    let pasted = ran.stdout.split("!vault |\n          $ANSIBLE_VAULT;1.2;AES256;dev\n").count();
    assert_eq!((pasted, ran.code), (4, Some(0)));
}

#[test]
fn a_file_is_edited_in_a_private_directory() {
    let project = project_with_passwords();
    project.file("secret.yml", encrypted("user: admin\n")).unwrap();
    let before = fs::read(project.path("secret.yml")).unwrap();
    let args = ["edit", "secret.yml", "--vault-password-file=sesame"];
    // An editor that changes nothing.
    let ran =
        run_vault_with_editor(&project, "stat -c %a \"$(dirname \"$1\")\"; cat \"$1\"; touch \"$1~\"", &args);
    assert_eq!(ran.to_string(), "700\nuser: admin\n--- exit code 0\n");
    assert_eq!(fs::read(project.path("secret.yml")).unwrap(), before);
    assert_edit_directory_is_removed(&project);
    // An editor that replaces the file.
    let script = "echo 'user: root' > \"$1.new\"; mv \"$1.new\" \"$1\"";
    assert_eq!(run_vault_with_editor(&project, script, &args).to_string(), "--- exit code 0\n");
    let ran = run_vault(&project, &["view", "secret.yml", "--vault-password-file=sesame"]);
    assert_eq!(ran.to_string(), "user: root\n--- exit code 0\n");
    assert_edit_directory_is_removed(&project);
    // The vault id in the file stays, even if the password is given without an id.
    let ran = run_vault(&project, &["encrypt", "vars.yml", "--vault-id=dev@sesame"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let args = ["edit", "vars.yml", "--vault-password-file=sesame"];
    assert_eq!(run_vault_with_editor(&project, "echo more >> \"$1\"", &args).code, Some(0));
    assert_eq!(first_line(&project, "vars.yml"), "$ANSIBLE_VAULT;1.2;AES256;dev");
}

#[test]
fn a_failing_or_interrupted_editor_changes_nothing() {
    let project = project_with_passwords();
    project.file("secret.yml", encrypted("user: admin\n")).unwrap();
    let before = fs::read(project.path("secret.yml")).unwrap();
    let args = ["edit", "secret.yml", "--vault-password-file=sesame"];
    let ran = run_vault_with_editor(&project, "echo x > \"$1\"; exit 3", &args);
    assert_eq!(
        ran.to_string(),
        "--- standard error\nerror: the editor `[folder]/site/editor` failed: exit code 3\n  = note: secret.yml is as it \
         was\nhint: set EDITOR to the editor of your choice\n--- exit code 1\n"
    );
    assert_edit_directory_is_removed(&project);
    for signal in [Signal::TERM, Signal::HUP] {
        let begun = project.path("begun");
        let _ = fs::remove_file(&begun);
        let mut command = project.command(["vault"].iter().chain(&args));
        let script = format!("echo x > \"$1\"; touch {}; exec sleep 600", begun.display());
        let child = command.env("EDITOR", write_editor(&project, &script)).spawn().unwrap();
        wait_for_file(&begun);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(project.wait(child).unwrap().to_string(), "--- exit code 130\n");
        assert_edit_directory_is_removed(&project);
    }
    assert_eq!(fs::read(project.path("secret.yml")).unwrap(), before);
    let script = format!("echo x > \"$1\"; echo '# changed' >> {}", project.path("secret.yml").display());
    let ran = run_vault_with_editor(&project, &script, &args);
    assert_eq!(
        ran.to_string(),
        "--- standard error\nerror: secret.yml was changed while it was edited\n  = note: what you wrote is in \
         [folder]/site/secret.yml.edited, encrypted\n--- exit code 1\n"
    );
    assert_eq!(first_line(&project, "secret.yml.edited"), "$ANSIBLE_VAULT;1.1;AES256");
}

#[test]
fn create_writes_an_encrypted_file() {
    let project = project_with_passwords();
    let args = ["create", "--skip-tty-check", "new/secret.yml", "--vault-password-file=sesame"];
    let ran = run_vault_with_editor(&project, "echo 'user: admin' > \"$1\"", &args);
    assert_eq!(
        ran.to_string(),
        "--- standard error\n[WARNING]: new does not exist, creating...\n--- exit code 0\n"
    );
    assert_edit_directory_is_removed(&project);
    assert_eq!(first_line(&project, "new/secret.yml"), "$ANSIBLE_VAULT;1.1;AES256");
    assert_eq!(fs::metadata(project.path("new/secret.yml")).unwrap().mode() & 0o777, 0o600);
}

/// Tasks that use encrypted files and values wherever they can occur.
const TASKS_WITH_ENCRYPTED_INPUT: &str = "- name: Values from everywhere
  assert:
    that:
      - inline == 'of a value'
      - group_file == 'of a group'
      - of_inventory == 'of the inventory'
      - of_vars_files == 'of vars_files'
      - of_extra == 'of -e'
      - lookup('file', 'secret.txt') == 'copied'
      - lookup('unvault', 'secret.txt') == 'copied\\n'
      - inline is vault_encrypted
      - group_file is not vault_encrypted
      - \"'files/secret.txt' is vaulted_file\"
      - inline | type_debug == 'AnsibleVaultEncryptedUnicode'
      - \"'hello' | vault('key', salt='salty') | unvault('key') == 'hello'\"
      - braces | length == 20
- include_vars: more.yml
- assert: {that: of_include == 'of include_vars'}
- include_tasks: some.yml
- include_role: {name: r}
- copy: {src: secret.txt, dest: '{{ place }}/clear'}
- copy: {src: secret.txt, dest: '{{ place }}/sealed', decrypt: false}
- template: {src: page.j2, dest: '{{ place }}/page'}
- set_fact: {kept: '{{ inline }}', whole: \"{{ {'a': inline} }}\"}
- assert: {that: [kept == 'of a value', whole.a == 'of a value']}
";

#[test]
fn runs_decrypt_files_and_values() {
    let project = tasks(TASKS_WITH_ENCRYPTED_INPUT);
    let file = |name: &str, text: &str| {
        project.file(name, text).unwrap();
    };
    let site = fs::read_to_string(project.path("site.yml")).unwrap();
    let site = site.replacen("  tasks:", "  vars_files: [listed.yml]\n  tasks:", 1);
    file("site.yml", &encrypted(&site));
    file("sesame", "sesame\n");
    file(
        "group_vars/all/inline.yml",
        &(encrypted_variable("inline", "of a value") + &encrypted_variable("braces", "{{ not a template }}")),
    );
    file("group_vars/all/file.yml", &encrypted("group_file: of a group\n"));
    file("listed.yml", &encrypted("of_vars_files: of vars_files\n"));
    file("extra.yml", &encrypted("of_extra: of -e\n"));
    file("more.yml", &encrypted("of_include: of include_vars\n"));
    file("some.yml", &encrypted("- assert: {that: \"group_file == 'of a group'\"}\n"));
    file("roles/r/defaults/main.yml", &encrypted("of_default: of defaults\n"));
    file("roles/r/vars/main.yml", &encrypted("of_role: of vars\n"));
    file("roles/r/tasks/main.yml", "- assert: {that: [of_default == 'of defaults', of_role == 'of vars']}\n");
    file("files/secret.txt", &encrypted("copied\n"));
    file("templates/page.j2", &encrypted("a {{ inline }}\n"));
    let place = project.local("l").unwrap();
    let hosts = fs::read_to_string(project.path("hosts")).unwrap();
    file(
        "hosts",
        &encrypted(&format!("{}of_inventory='of the inventory'\n", hosts.trim_end().to_owned() + " ")),
    );
    let ran = project.apply(["-e", "@extra.yml", "--vault-password-file", "sesame"]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=12 changed=3", Some(0)), "{ran}");
    let text = |name: &str| fs::read_to_string(place.join(name)).unwrap();
    assert_eq!((text("clear").as_str(), text("page").as_str()), ("copied\n", "a of a value\n"));
    assert!(text("sealed").starts_with("$ANSIBLE_VAULT;"));
    // The password file can be named in the environment, and `inventory` uses it, too.
    let mut command = project.command(["inventory", "-i", "hosts", "--list"]);
    let ran = project.wait(command.env("ANSIBLE_VAULT_PASSWORD_FILE", "sesame").spawn().unwrap()).unwrap();
    assert!(ran.stdout.contains("\"__ansible_vault\": \"$ANSIBLE_VAULT;1.1;AES256"), "{ran}");
    assert!(ran.stdout.contains("\"group_file\": \"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER\""), "{ran}");
}

/// Runs the examples in order and compares their output. `…` stands for any further output.
#[test]
fn examples_of_the_page_vault() {
    let page = fs::read_to_string(convoy_tests::program::repository().join("docs/vault.md")).unwrap();
    let project = tasks("- debug: {msg: \"{{ db_password }}\"}\n");
    project.local("l").unwrap();
    project.file("group_vars/all/vault.yml", "db_password: hunter2\n").unwrap();
    project.file("prod.yml", "db_password: hunter2\n").unwrap();
    fs::write(project.home().join("vault-pass"), "correct horse\n").unwrap();
    fs::write(project.home().join("prod-pass"), "battery staple\n").unwrap();
    let program = convoy_tests::program::convoy().parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut examples = 0;
    for block in page.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for example in block.split("$ ").skip(1) {
            let (command, expected) = example.split_once('\n').unwrap();
            let plain = project.command(["--version"]);
            let mut shell = std::process::Command::new("sh");
            shell.arg("-c").arg(format!("exec 2>&1; {command}")).current_dir(project.path(".")).env_clear();
            shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", &path);
            let ran = project
                .wait(
                    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
                )
                .unwrap();
            assert_eq!(ran.code, Some(0), "{command}: {ran}");
            match expected.split_once('…') {
                Some((start, _)) => {
                    assert!(ran.stdout.starts_with(start.trim_end_matches(' ')), "{command}: {ran}");
                }
                None => assert_eq!(ran.stdout, expected, "{command}"),
            }
            examples += 1;
        }
    }
    assert_eq!(examples, 8);
}
