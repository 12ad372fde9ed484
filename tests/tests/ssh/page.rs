//! The page on connecting: its examples are run as they stand, on the machines that it speaks of.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use convoy_tests::namespace::{self, Machine, Switch};
use convoy_tests::program::{convoy, repository};
use convoy_tests::project::Project;

fn page() -> String {
    fs::read_to_string(repository().join("docs/connecting.md")).expect("the page")
}

/// Returns the fenced parts: what is said of each, and its text.
fn fences(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some((_, text))) => text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    found
}

/// Writes `…` for what differs from run to run: fingerprints and keys.
fn without_keys(text: &str) -> String {
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

/// The two networks of the page: workstation, bastion, web1 and db1.
fn site(key: &str) -> (Machine, Vec<Machine>, [Switch; 2]) {
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
fn examples_do_what_they_show() {
    if let Some(why) = namespace::unavailable_reason() {
        eprintln!("not tested: {why}");
        return;
    }
    let project = Project::new().unwrap();
    for suffix in ["", ".pub"] {
        let name = format!("{}{suffix}", project.key().path.display());
        fs::copy(name, project.home().join(format!(".ssh/id_ed25519{suffix}"))).unwrap();
    }
    let (workstation, _machines, _networks) = site(&project.key().public);
    let mut ran = 0;
    for (kind, text) in fences(&page()) {
        if let Some((_, name)) = kind.split_once("file=") {
            let path =
                name.strip_prefix("~/").map_or_else(|| project.path(name), |rest| project.home().join(rest));
            fs::write(path, text).unwrap();
            continue;
        }
        assert_eq!(kind, "console", "an example is a file or is run: {text}");
        let (line, expected) = text.split_once('\n').unwrap();
        let words = line.strip_prefix("$ convoy ").expect("a command of convoy");
        let mut shell = Command::new("setsid");
        let script = format!("exec {} {words}", convoy().display());
        shell.args(["--wait", "sh", "-c", &script]).current_dir(project.path("."));
        let plain = project.command::<PathBuf>([]);
        shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut inside = workstation.command(&shell);
        let done = inside.stdin(Stdio::null()).output().unwrap();
        let both = [done.stderr, done.stdout].concat();
        assert_eq!(without_keys(&String::from_utf8_lossy(&both)), expected, "{line}");
        ran += 1;
    }
    assert!(ran > 5);
}

/// Every message that the page explains is one that convoy says.
#[test]
fn messages_are_those_of_the_program() {
    let sources = ["error.rs", "tcp.rs", "connector.rs", "session.rs", "host_key.rs"];
    let said: String = sources
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
            assert!(said.contains(part), "nothing says {part:?}");
        }
    }
}
