//! Secrets in a whole run: they appear in the files they are sent to, and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use convoy::secrets::Password;
use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};

use crate::harness::{site, wait_for_file};

// Recognizable secrets: an encrypted variable, a variable in an encrypted file, the content of an encrypted file, a
// password, and output that a node prints.
const VALUE: &str = "canary-value-5a1c";
const FILE_VALUE: &str = "canary-of-file-77e1";
const COPIED_CONTENT: &str = "canary-copied-9b1d";
const BECOME_PASSWORD: &str = "canary-become-41aa";
const PRINTED_VALUE: &str = "canary-printed-c3f0";
const CANARIES: [&str; 5] = [VALUE, FILE_VALUE, COPIED_CONTENT, BECOME_PASSWORD, PRINTED_VALUE];

/// Encrypts a text with the password `sesame`.
pub(crate) fn encrypted(text: &str) -> String {
    Password::new("default", "the test", "sesame").seal(text.as_bytes(), None, None).expect("random bytes")
}

/// Returns YAML that sets the variable `name` to an encrypted value.
pub(crate) fn encrypted_variable(name: &str, text: &str) -> String {
    let lines: String = encrypted(text).lines().map(|line| format!("  {line}\n")).collect();
    format!("{name}: !vault |\n{lines}")
}

/// A play that uses secrets wherever they could leak.
const LEAKY_PLAY: &str = r#"
- name: "A play with {{ of_extra }}"
  hosts: all
  gather_facts: false
  ignore_errors: true
  tasks:
    - name: A file with a secret
      template: {src: app.conf.j2, dest: "{{ place }}/app.conf", mode: "0600"}
    - {copy: {src: secret.txt, dest: "{{ place }}/secret.txt", mode: "0600"}}
    - {copy: {content: "of {{ of_file }}\n", dest: "{{ place }}/content", mode: "0600"}}
    - {copy: {src: tree/, dest: "{{ place }}/tree/", mode: "0600"}}
    - {lineinfile: {path: "{{ place }}/app.conf", line: "more = {{ value }}"}}
    - name: "Deal with {{ value }}"
      debug: {msg: "{{ value }} and {{ of_file }}"}
    - {debug: {var: value}}
    - {debug: {var: vars}}
    - {debug: {var: hostvars}}
    - {set_fact: {fact: "{{ value }}-{{ of_file }}", plain: "{{ value | b64encode }}"}}
    - {debug: {var: fact}}
    - {debug: {msg: "{{ plain }}"}}
    - {assert: {that: fact == 'x', fail_msg: "it is {{ fact }}"}}
    - {assert: {that: "'{{ value }}' == 'x'"}}
    - {fail: {msg: "no {{ value }}"}}
    - name: What a command prints of its environment
      shell: 'printf %s "$S"; printf %s "$S" >&2; exit 3'
      environment: {S: "{{ value }}"}
    - name: The same, shown
      shell: 'printf "all: %s" "$S"; printf %s "$S" | base64 >&2; exit 3'
      environment: {S: "{{ value }}"}
      no_log: false
    - name: What a command prints of its input
      shell: cat; exit 4
      args: {stdin: "{{ of_file }}"}
      register: result
      retries: 1
      delay: 0
      until: result.rc == 0
    - {debug: {var: result}}
    - {shell: "cat '{{ place }}/printed'", no_log: true, register: hidden}
    - {debug: {msg: "{{ hidden.stdout }}"}}
    - {debug: {msg: "{{ value | from_json }}"}}
    - {debug: {msg: "{{ {}[value] }}"}}
    - {debug: {msg: "{{ value.missing }}"}}
    - {debug: {msg: "{{ lookup('pipe', 'exit 3 #' ~ value) }}"}}
    - {debug: {msg: x}, loop: "{{ value }}"}
    - {debug: {msg: "{{ item }}"}, loop: ["{{ value }}", "{{ of_file }}"]}
    - {debug: {msg: x}, loop: [1], loop_control: {label: "{{ value }}"}}
    - {debug: {msg: x}, when: "value == 'x'"}
    - {debug: {msg: x}, when: "{{ value }}"}
    - {debug: {msg: x}, when: "value | from_json"}
    - {debug: {msg: x}, failed_when: "value | from_json"}
    - {debug: {msg: x}, ignore_unreachable: "{{ value }}"}
    - {debug: {msg: x, verbosity: "{{ value }}"}}
    - {set_fact: {"{{ value }}": 1}}
    - {file: {path: "{{ place }}/content", mode: "{{ value }}"}}
    - {file: {path: "{{ place }}/content", state: "{{ value }}"}}
    - {copy: {content: x, dest: "/none/{{ value }}/x"}}
    - {stat: {path: "{{ value }}", follow: "{{ of_file }}"}}
    - {copy: {src: "{{ value }}", dest: "{{ place }}/x"}}
    - {template: {src: app.conf.j2, dest: "{{ place }}/app.conf", validate: "sh -c 'cat %s; exit 1'"}, vars: {port: 2}}
    - {template: {src: fault.j2, dest: "{{ place }}/x"}}
    - {include_vars: more.yml}
    - {debug: {var: more}}
    - {debug: {msg: "{{ lookup('file', 'secret.txt') }}{{ lookup('unvault', 'secret.txt') }}"}}
    - {command: whoami, become: true, register: user}
    - {debug: {var: user.stdout}}
    - include_tasks: some.yml
      loop: ["{{ value }}"]
"#;

fn project_with_secrets() -> (Project, Node) {
    let project = site(LEAKY_PLAY);
    let file = |name: &str, text: &str| {
        project.file(name, text).expect("a file of the project");
    };
    file("sesame", "sesame\n");
    file("become", &format!("{BECOME_PASSWORD}\n"));
    file("group_vars/all/value.yml", &encrypted_variable("value", VALUE));
    file("group_vars/all/of_file.yml", &encrypted(&format!("of_file: {FILE_VALUE}\nport: 1\n")));
    file("extra.yml", &encrypted(&format!("of_extra: {FILE_VALUE}\n")));
    file("more.yml", &encrypted(&format!("more: [{FILE_VALUE}]\n")));
    file("some.yml", &encrypted("- debug: {msg: \"{{ item }}\"}\n"));
    file("files/secret.txt", &encrypted(&format!("{COPIED_CONTENT}\n")));
    file("files/tree/a", &encrypted(COPIED_CONTENT));
    file("templates/app.conf.j2", "password = {{ value }}\nport = {{ port }}\n");
    file("templates/fault.j2", "{{ value }}\n{{ value | from_json }}\n");
    let node = project.node("n").expect("a node");
    fs::write(node.place.join("printed"), PRINTED_VALUE).expect("a file on the node");
    (project, node)
}

const ARGUMENTS: [&str; 10] = [
    "apply",
    "-i",
    "hosts",
    "site.yml",
    "-vvvv",
    "--diff",
    "--vault-password-file=sesame",
    "--become-password-file=become",
    "-f1",
    "-e@extra.yml",
];

/// Returns the secrets, plain and in Base64.
fn searched_texts() -> Vec<String> {
    // Without the last characters, which depend on what follows.
    let encoded = ["Y2FuYXJ5LXZhbHVlLTVhMW", "Y2FuYXJ5LW9mLWZpbGUtNzdlM"];
    CANARIES.iter().chain(&encoded).map(|text| (*text).to_owned()).collect()
}

fn assert_no_secret(what: &str, text: &str) {
    let has_secret = |line: &&str| searched_texts().iter().any(|text| line.contains(text.as_str()));
    let found: Vec<&str> = text.lines().filter(has_secret).collect();
    assert!(found.is_empty(), "{what} contains secrets:\n{}", found.join("\n"));
}

/// Returns the files below a directory that contain a secret.
fn files_with_secrets(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(&current)? {
            let path = entry?.path();
            let Ok(data) = path.symlink_metadata() else { continue };
            if data.is_dir() {
                pending.push(path);
            } else if data.is_file() {
                let bytes = fs::read(&path)?;
                let has_secret =
                    |text: &String| bytes.windows(text.len()).any(|part| part == text.as_bytes());
                if searched_texts().iter().any(has_secret) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn secrets_appear_only_in_the_files_they_were_sent_to() {
    let (project, node) = project_with_secrets();
    for format in ["text", "json"] {
        let mut command = project.command(ARGUMENTS.iter().chain(&["--output", format]));
        let temporary = project.path("../tmp");
        fs::create_dir_all(&temporary).unwrap();
        command.env("CONVOY_LOG", "trace").env("TMPDIR", &temporary);
        let ran: RunOutput = project.wait(command.spawn().unwrap()).unwrap();
        assert_no_secret(&format!("standard output ({format})"), &ran.stdout);
        assert_no_secret("standard error", &ran.stderr);
        // All tasks ran.
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.contains("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), "{ran}");
        if format == "text" {
            assert!(ran.stdout.contains("the text is not shown: it holds secrets"), "{ran}");
            assert!(ran.stdout.contains("all: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), "{ran}");
        }
    }
    // The journals are among the files that are searched below.
    assert_eq!(fs::read_dir(project.path(".convoy/runs")).unwrap().count(), 2);
    for format in ["text", "json"] {
        let ran = project.run(["runs", "show", "last", "-vvvv", "--output", format]).unwrap();
        assert_no_secret("the output of `runs show`", &ran.to_string());
        assert!(ran.stdout.contains("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), "{ran}");
    }
    let text = |name: &str| fs::read_to_string(node.place.join(name)).unwrap();
    assert_eq!(text("app.conf"), format!("password = {VALUE}\nport = 1\nmore = {VALUE}\n"));
    assert_eq!(text("secret.txt"), format!("{COPIED_CONTENT}\n"));
    let shown = |name: &str| node.place.join(name);
    let expected = ["app.conf", "content", "printed", "secret.txt", "tree/a"].map(shown);
    assert_eq!(files_with_secrets(&node.place).unwrap(), expected);
    assert_eq!(files_with_secrets(&node.home).unwrap(), Vec::<PathBuf>::new());
    assert_eq!(files_with_secrets(&project.home()).unwrap(), Vec::<PathBuf>::new());
    assert_eq!(files_with_secrets(&project.path(".")).unwrap(), [project.path("./become")]);
    assert_eq!(files_with_secrets(&project.path("../tmp")).unwrap(), Vec::<PathBuf>::new());
    let is_ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("convoy-");
    for left in fs::read_dir("/tmp").unwrap().flatten().filter(is_ours) {
        assert_eq!(files_with_secrets(&left.path()).unwrap_or_default(), Vec::<PathBuf>::new());
    }
}

/// Returns the command lines and environments of all processes, as far as they can be read.
fn all_command_lines_and_environments() -> io::Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        if entry.file_name().to_string_lossy().parse::<u32>().is_err() {
            continue;
        }
        for file in ["cmdline", "environ"] {
            // A process may have ended in the meantime.
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            all.push_str(&String::from_utf8_lossy(&bytes).replace('\0', "\n"));
            all.push('\n');
        }
    }
    Ok(all)
}

#[test]
fn secrets_appear_in_no_command_line_and_no_environment() {
    let (project, node) = project_with_secrets();
    project
        .file(
            "site.yml",
            "- hosts: all
  gather_facts: false
  become: true
  tasks:
    - {template: {src: app.conf.j2, dest: '{{ place }}/app.conf'}}
    - command: mkfifo {{ place }}/gate
    - shell: 'touch {{ place }}/begun; cat {{ place }}/gate'
",
        )
        .unwrap();
    let child = project.command(ARGUMENTS).spawn().unwrap();
    wait_for_file(&node.place.join("begun"));
    let seen = all_command_lines_and_environments().unwrap();
    fs::write(node.place.join("gate"), "go\n").unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    // The processes of the run were among those that were read.
    assert!(seen.contains("--vault-password-file=sesame"), "{seen}");
    assert_no_secret("a process", &seen);
}

/// This applies to modules that edit files of keys and values.
#[test]
fn only_the_keys_with_secret_values_are_hidden() {
    let project = site(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - toml: {path: '{{ place }}/a.toml', set: {server.offset: 2, db.password: '{{ value }}'}, create: true}\n      register: done\n    - debug: {var: \"done['keys']\"}\n    - properties: {path: '{{ place }}/{{ value }}', set: {a: 1}}\n      ignore_errors: true\n",
    );
    project.file("sesame", "sesame\n").unwrap();
    project.file("group_vars/all/value.yml", encrypted_variable("value", VALUE)).unwrap();
    let node = project.node("n").unwrap();
    fs::write(node.place.join("a.toml"), "[db]\npassword = 'old-and-secret'\n").unwrap();
    let ran = project.apply(["--diff", "-vv", "--vault-password-file=sesame"]).unwrap();
    let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    assert_no_secret("standard output", &ran.stdout);
    assert!(!ran.stdout.contains("old-and-secret"), "{ran}");
    let shown = format!("-db.password = {hidden}\n+db.password = {hidden} (another)\n+server.offset = 2\n");
    assert!(ran.stdout.contains(&shown), "{ran}");
    assert!(
        ran.stdout.contains("\"done['keys']\": [\n        \"db.password\",\n        \"server.offset\"\n"),
        "{ran}"
    );
    assert!(ran.stdout.contains(&format!("{hidden} does not exist")), "{ran}");
    assert!(ran.stdout.contains(&format!("\"checksum\": \"{hidden}\"")), "{ran}");
    assert!(fs::read_to_string(node.place.join("a.toml")).unwrap().contains(VALUE));
}

/// Nothing in it is derived from the password.
#[test]
fn the_content_of_a_keystore_is_not_hidden_by_its_password() {
    let project = site(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - keystore: {path: '{{ place }}/a.jks', password: '{{ value }}', alias: server}\n      register: key\n    - debug: {msg: \"{{ key.entries[0].subject }} {{ key.days_left }} {{ key.key_sha256 | length }}\"}\n    - keystore: {path: '{{ place }}/a.jks', password: '{{ value }}', alias: servr}\n      ignore_errors: true\n    - keystore: {path: '{{ place }}/a.jks', password: '{{ value }}x'}\n      ignore_errors: true\n",
    );
    project.file("sesame", "sesame\n").unwrap();
    project.file("group_vars/all/value.yml", encrypted_variable("value", VALUE)).unwrap();
    let node = project.node("n").unwrap();
    let made = std::process::Command::new("keytool")
        .args([
            "-genkeypair",
            "-alias",
            "server",
            "-keyalg",
            "EC",
            "-dname",
            "CN=server",
            "-startdate",
            "-1H",
        ])
        .args(["-validity", "100", "-storetype", "JKS", "-storepass", VALUE, "-keypass", VALUE])
        .arg("-keystore")
        .arg(node.place.join("a.jks"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let ran = project.apply(["-vv", "--vault-password-file=sesame"]).unwrap();
    assert_no_secret("standard output", &ran.stdout);
    assert!(ran.stdout.contains("\"msg\": \"CN=server 99 64\""), "{ran}");
    assert!(ran.stdout.contains("a.jks has no alias servr: it holds server"), "{ran}");
    assert!(
        ran.stdout.contains("a.jks cannot be opened: the password is wrong, or the file was tampered with"),
        "{ran}"
    );
}
