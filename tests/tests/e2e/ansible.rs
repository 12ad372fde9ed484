//! The engine: the same playbooks, and what `ansible-playbook` 2.18 prints for them (`ansible/bake.sh`).
//!
//! Compared whole, but for what is not the same in two runs of Ansible either: times, and the order in which the hosts
//! finish a task.

use std::fs;
use std::path::{Path, PathBuf};

use convoy_tests::project::Project;

/// A case per folder of `ansible/`: a test that one is forgotten stands at the end.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            compare(stringify!($name));
        })*

        const CASES: &[&str] = &[$(stringify!($name)),*];
    };
}

cases! {
    blocks, check, conditions, delegation, dynamic, environment, facts, failing, failures, free, handlers, host_pinned,
    includes, loops, messages, percentage, roles, serial, start_at, tags, tolerated, until,
}

#[test]
fn every_case_is_compared() {
    let mut folders: Vec<String> = fs::read_dir(cases())
        .expect("the cases")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    assert_eq!(folders, CASES);
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/ansible")
}

fn compare(case: &str) {
    let project = Project::new().expect("a project");
    copy(&cases(), &project.path("."));
    let place = project.path("place");
    fs::create_dir(&place).expect("a folder");
    project.substitute("[folder]/site/place", "[place]");
    project.substitute("[folder]/site", "[cases]");
    let options = fs::read_to_string(cases().join(case).join("options")).unwrap_or_default();
    let site = format!("{case}/site.yml");
    let words = ["apply", "-i", "hosts", &site].into_iter().chain(options.split_whitespace());
    let child = project.command(words).env("PLACE", &place).spawn().expect("convoy");
    let ran = project.wait(child).expect("an end");
    let code = ran.code.unwrap_or(-1);
    let expected = fs::read_to_string(cases().join(case).join("expected.txt")).expect("what Ansible printed");
    let got = format!("{}--- exit code {code}\n", ran.stdout);
    assert_eq!(without_order(&got), without_order(&expected), "{}", ran.stderr);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Returns the output with the results of each task sorted by host, and without times.
fn without_order(output: &str) -> String {
    let mut sorted = String::new();
    let mut results: Vec<String> = Vec::new();
    for line in output.lines() {
        let line = without_times(line);
        if starts_result(&line) {
            results.push(format!("{line}\n"));
        } else if let (Some(last), true) = (results.last_mut(), !line.is_empty()) {
            last.push_str(&format!("{line}\n"));
        } else {
            results.sort_by_key(|result| host(result));
            sorted.extend(results.drain(..));
            sorted.push_str(&format!("{line}\n"));
        }
    }
    sorted.extend(results);
    sorted
}

fn starts_result(line: &str) -> bool {
    ["ok: [", "changed: [", "skipping: [", "fatal: [", "failed: ["]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Results of one host stay in their order.
fn host(result: &str) -> String {
    let name = result.split(['[', ']', ' ']).nth(2).unwrap_or_default();
    name.to_owned()
}

/// Returns a line without what a clock had a part in.
fn without_times(line: &str) -> String {
    let mut line = line.to_owned();
    for key in ["\"delta\": \"", "\"end\": \"", "\"start\": \""] {
        let Some(begin) = line.find(key).map(|at| at + key.len()) else { continue };
        let Some(length) = line[begin..].find('"') else { continue };
        line.replace_range(begin..begin + length, "[time]");
    }
    line
}
