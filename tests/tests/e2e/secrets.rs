//! Secrets on their way through a whole run: they are where they were sent, and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use convoy::secrets::Password;
use convoy_tests::program::RunOutput;
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::poll;

use crate::harness::site;

/// A secret in a variable, in a file of variables, in a file that is copied, of a password, in what a node prints.
const VALUE: &str = "canary-value-5a1c";
const OF_FILE: &str = "canary-of-file-77e1";
const COPIED: &str = "canary-copied-9b1d";
const BECOME: &str = "canary-become-41aa";
const PRINTED: &str = "canary-printed-c3f0";
const CANARIES: [&str; 5] = [VALUE, OF_FILE, COPIED, BECOME, PRINTED];

/// Encrypts with `sesame`.
pub(crate) fn sealed(text: &str) -> String {
    Password::new("default", "the test", "sesame").seal(text.as_bytes(), None, None).expect("random bytes")
}

/// An encrypted value in YAML, for the variable `name`.
pub(crate) fn inline(name: &str, text: &str) -> String {
    let lines: String = sealed(text).lines().map(|line| format!("  {line}\n")).collect();
    format!("{name}: !vault |\n{lines}")
}

/// A play that sends secrets to every place from which they could leak.
const SITE: &str = r#"
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

fn prepared() -> (Project, Node) {
    let project = site(SITE);
    let file = |name: &str, text: &str| {
        project.file(name, text).expect("a file of the project");
    };
    file("sesame", "sesame\n");
    file("become", &format!("{BECOME}\n"));
    file("group_vars/all/value.yml", &inline("value", VALUE));
    file("group_vars/all/of_file.yml", &sealed(&format!("of_file: {OF_FILE}\nport: 1\n")));
    file("extra.yml", &sealed(&format!("of_extra: {OF_FILE}\n")));
    file("more.yml", &sealed(&format!("more: [{OF_FILE}]\n")));
    file("some.yml", &sealed("- debug: {msg: \"{{ item }}\"}\n"));
    file("files/secret.txt", &sealed(&format!("{COPIED}\n")));
    file("files/tree/a", &sealed(COPIED));
    file("templates/app.conf.j2", "password = {{ value }}\nport = {{ port }}\n");
    file("templates/fault.j2", "{{ value }}\n{{ value | from_json }}\n");
    let node = project.node("n").expect("a node");
    fs::write(node.place.join("printed"), PRINTED).expect("a file on the node");
    (project, node)
}

const WORDS: [&str; 10] = [
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

/// Returns the canaries, and their Base64.
fn forms() -> Vec<String> {
    // Of the whole texts, less the last digits, which depend on what follows.
    let encoded = ["Y2FuYXJ5LXZhbHVlLTVhMW", "Y2FuYXJ5LW9mLWZpbGUtNzdlM"];
    CANARIES.iter().chain(&encoded).map(|text| (*text).to_owned()).collect()
}

fn assert_none(what: &str, text: &str) {
    let holds = |line: &&str| forms().iter().any(|form| line.contains(form.as_str()));
    let found: Vec<&str> = text.lines().filter(holds).collect();
    assert!(found.is_empty(), "{what} holds secrets:\n{}", found.join("\n"));
}

/// Returns the files below a folder that hold a canary.
fn holding(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(&inside)? {
            let path = entry?.path();
            let Ok(data) = path.symlink_metadata() else { continue };
            if data.is_dir() {
                folders.push(path);
            } else if data.is_file() {
                let bytes = fs::read(&path)?;
                let holds = |form: &String| bytes.windows(form.len()).any(|part| part == form.as_bytes());
                if forms().iter().any(holds) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn secrets_reach_their_files_and_nothing_else() {
    let (project, node) = prepared();
    for format in ["text", "json"] {
        let mut command = project.command(WORDS.iter().chain(&["--output", format]));
        let temporary = project.path("../tmp");
        fs::create_dir_all(&temporary).unwrap();
        command.env("CONVOY_LOG", "trace").env("TMPDIR", &temporary);
        let ran: RunOutput = project.wait(command.spawn().unwrap()).unwrap();
        assert_none(&format!("standard output ({format})"), &ran.stdout);
        assert_none("standard error", &ran.stderr);
        // Every task was done: none ended the run.
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.contains("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), "{ran}");
        if format == "text" {
            assert!(ran.stdout.contains("the text is not shown: it holds secrets"), "{ran}");
            assert!(ran.stdout.contains("all: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), "{ran}");
        }
    }
    // The journals are among what is searched below; whatever is shown of them has been there from the start.
    assert_eq!(fs::read_dir(project.path(".convoy/runs")).unwrap().count(), 2);
    for format in ["text", "json"] {
        let ran = project.run(["runs", "show", "last", "-vvvv", "--output", format]).unwrap();
        assert_none("what is shown of the journal", &ran.to_string());
        assert!(ran.stdout.contains("VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), "{ran}");
    }
    let text = |name: &str| fs::read_to_string(node.place.join(name)).unwrap();
    assert_eq!(text("app.conf"), format!("password = {VALUE}\nport = 1\nmore = {VALUE}\n"));
    assert_eq!(text("secret.txt"), format!("{COPIED}\n"));
    let shown = |name: &str| node.place.join(name);
    let expected = ["app.conf", "content", "printed", "secret.txt", "tree/a"].map(shown);
    assert_eq!(holding(&node.place).unwrap(), expected);
    assert_eq!(holding(&node.home).unwrap(), Vec::<PathBuf>::new());
    assert_eq!(holding(&project.home()).unwrap(), Vec::<PathBuf>::new());
    assert_eq!(holding(&project.path(".")).unwrap(), [project.path("./become")]);
    assert_eq!(holding(&project.path("../tmp")).unwrap(), Vec::<PathBuf>::new());
    let own = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("convoy-");
    for left in fs::read_dir("/tmp").unwrap().flatten().filter(own) {
        assert_eq!(holding(&left.path()).unwrap_or_default(), Vec::<PathBuf>::new());
    }
}

/// Command lines and environments of all processes, as far as they can be read.
fn processes() -> io::Result<String> {
    let mut all = String::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        if entry.file_name().to_string_lossy().parse::<u32>().is_err() {
            continue;
        }
        for file in ["cmdline", "environ"] {
            // A process may be gone meanwhile.
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            all.push_str(&String::from_utf8_lossy(&bytes).replace('\0', "\n"));
            all.push('\n');
        }
    }
    Ok(all)
}

#[test]
fn secrets_are_in_no_command_line_and_no_environment() {
    let (project, node) = prepared();
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
    let child = project.command(WORDS).spawn().unwrap();
    poll(|| Ok(node.place.join("begun").exists().then_some(()))).unwrap();
    let seen = processes().unwrap();
    fs::write(node.place.join("gate"), "go\n").unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    // The processes of the run were among them.
    assert!(seen.contains("--vault-password-file=sesame"), "{seen}");
    assert_none("a process", &seen);
}

/// Of files of keys and values only the keys whose values are secret are hidden, not all that was done.
#[test]
fn a_secret_hides_its_own_key() {
    let project = site(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - toml: {path: '{{ place }}/a.toml', set: {server.offset: 2, db.password: '{{ value }}'}, create: true}\n      register: done\n    - debug: {var: \"done['keys']\"}\n    - properties: {path: '{{ place }}/{{ value }}', set: {a: 1}}\n      ignore_errors: true\n",
    );
    project.file("sesame", "sesame\n").unwrap();
    project.file("group_vars/all/value.yml", inline("value", VALUE)).unwrap();
    let node = project.node("n").unwrap();
    fs::write(node.place.join("a.toml"), "[db]\npassword = 'old-and-secret'\n").unwrap();
    let ran = project.apply(["--diff", "-vv", "--vault-password-file=sesame"]).unwrap();
    let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    assert_none("standard output", &ran.stdout);
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

/// Nothing that a keystore tells comes of its password, so all of it is shown.
#[test]
fn what_a_secret_opens_is_no_secret() {
    let project = site(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - keystore: {path: '{{ place }}/a.jks', password: '{{ value }}', alias: server}\n      register: key\n    - debug: {msg: \"{{ key.entries[0].subject }} {{ key.days_left }} {{ key.key_sha256 | length }}\"}\n    - keystore: {path: '{{ place }}/a.jks', password: '{{ value }}', alias: servr}\n      ignore_errors: true\n    - keystore: {path: '{{ place }}/a.jks', password: '{{ value }}x'}\n      ignore_errors: true\n",
    );
    project.file("sesame", "sesame\n").unwrap();
    project.file("group_vars/all/value.yml", inline("value", VALUE)).unwrap();
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
    assert_none("standard output", &ran.stdout);
    assert!(ran.stdout.contains("\"msg\": \"CN=server 99 64\""), "{ran}");
    assert!(ran.stdout.contains("a.jks has no alias servr: it holds server"), "{ran}");
    assert!(
        ran.stdout.contains("a.jks cannot be opened: the password is wrong, or the file was tampered with"),
        "{ran}"
    );
}
