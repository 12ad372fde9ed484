//! `docs/connecting.md`: its examples run on machines like those it describes, and its messages exist.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use convoy_tests::documentation::fenced_blocks;
use convoy_tests::namespace::{self, Machine, Switch};
use convoy_tests::program::{convoy, repository};
use convoy_tests::project::Project;

fn page() -> String {
    fs::read_to_string(repository().join("docs/connecting.md")).expect("the page")
}

/// Replaces fingerprints and keys by `…`.
fn with_placeholders_for_keys(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive([' ', '\n', '"', ',']) {
        let end = word.len() - word.trim_end_matches([' ', '\n', '"', ',']).len();
        let (bare, end) = word.split_at(word.len() - end);
        match bare {
            key if key.starts_with("AAAA") => out.push('…'),
            print if print.starts_with("SHA256:") => out.push_str("SHA256:…"),
            other => out.push_str(other),
        }
        out.push_str(end);
    }
    out
}

/// Starts the two networks of the page, with the workstation, bastion, web1 and db1.
fn start_site(key: &str) -> (Machine, Vec<Machine>, [Switch; 2]) {
    let (office, cluster) = (Switch::new().unwrap(), Switch::new().unwrap());
    let mut workstation = Machine::workstation().unwrap();
    workstation.plug(&office, "10.9.0.1/24").unwrap();
    let [mut bastion, mut web1, mut db1] = [(); 3].map(|()| Machine::new().unwrap());
    bastion.plug(&office, "10.9.0.2/24").unwrap();
    bastion.plug(&cluster, "10.9.1.1/24").unwrap();
    web1.plug(&office, "10.9.0.11/24").unwrap();
    db1.plug(&cluster, "10.9.1.21/24").unwrap();
    web1.run("useradd -m -s /bin/sh deploy && echo deploy:sesame | chpasswd").unwrap();
    for machine in [&mut bastion, &mut web1, &mut db1] {
        machine.sshd(&[key], &["PasswordAuthentication yes"]).unwrap();
    }
    (workstation, vec![bastion, web1, db1], [office, cluster])
}

#[test]
#[expect(clippy::print_stderr, reason = "the test's own output")]
fn examples_of_the_page_connecting() {
    if let Some(reason) = namespace::unavailable_reason() {
        eprintln!("skipped: {reason}");
        return;
    }
    let project = Project::new().unwrap();
    for suffix in ["", ".pub"] {
        let name = format!("{}{suffix}", project.key().path.display());
        fs::copy(name, project.home().join(format!(".ssh/id_ed25519{suffix}"))).unwrap();
    }
    let (workstation, _machines, _networks) = start_site(&project.key().public);
    let mut ran = 0;
    for (kind, text) in fenced_blocks(&page()) {
        if let Some((_, name)) = kind.split_once("file=") {
            let path =
                name.strip_prefix("~/").map_or_else(|| project.path(name), |rest| project.home().join(rest));
            fs::write(path, text).unwrap();
            continue;
        }
        assert_eq!(kind, "console", "an example is a file or is run: {text}");
        let (line, expected) = text.split_once('\n').unwrap();
        let args = line.strip_prefix("$ convoy ").expect("a convoy command");
        let mut shell = Command::new("setsid");
        let script = format!("exec {} {args}", convoy().display());
        shell.args(["--wait", "sh", "-c", &script]).current_dir(project.path("."));
        let convoy_command = project.command::<PathBuf>([]);
        shell.envs(convoy_command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut command = workstation.command(&shell);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let both = [output.stderr, output.stdout].concat();
        assert_eq!(with_placeholders_for_keys(&String::from_utf8_lossy(&both)), expected, "{line}");
        ran += 1;
    }
    assert!(ran > 5);
}

/// Every message that the page explains occurs in the sources.
#[test]
fn messages_of_the_page_connecting_exist() {
    let sources = ["error.rs", "tcp.rs", "connector.rs", "session.rs", "host_key.rs"];
    let sources_text: String = sources
        .iter()
        .map(|name| fs::read_to_string(repository().join("controller/src/ssh").join(name)).expect("a source"))
        .collect();
    let page = page();
    let (_, table) = page.split_once("## What the errors mean").expect("the part on errors");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let messages: Vec<&str> = rows.flat_map(|(messages, _)| messages.split('`').step_by(2)).collect();
    assert!(messages.len() > 15, "{messages:?}");
    for message in messages {
        for part in message.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            assert!(sources_text.contains(part), "no source contains {part:?}");
        }
    }
}
