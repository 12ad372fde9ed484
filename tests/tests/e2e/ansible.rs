//! Compares what `convoy apply` prints with what `ansible-playbook` 2.18 printed for the same playbooks.
//!
//! `ansible/record.sh` records the expected output. The whole output must match, except for what also differs between two
//! runs of Ansible: times, and the order in which hosts finish a task.

use std::fs;
use std::path::{Path, PathBuf};

use convoy_tests::project::Project;

/// Declares a test for each case directory in `ansible/`.
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
fn every_case_directory_has_a_test() {
    let mut directories: Vec<String> = fs::read_dir(cases_directory())
        .expect("the cases")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    directories.sort();
    assert_eq!(directories, CASES);
}

/// Returns the directory of all cases.
fn cases_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/ansible")
}

fn compare(case: &str) {
    let project = Project::new().expect("a project");
    copy(&cases_directory(), &project.path("."));
    let place = project.path("place");
    fs::create_dir(&place).expect("a directory");
    project.substitute("[folder]/site/place", "[place]");
    project.substitute("[folder]/site", "[cases]");
    let options = fs::read_to_string(cases_directory().join(case).join("options")).unwrap_or_default();
    let site = format!("{case}/site.yml");
    let args = ["apply", "-i", "hosts", &site].into_iter().chain(options.split_whitespace());
    let child = project.command(args).env("PLACE", &place).spawn().expect("convoy");
    let ran = project.wait(child).expect("an end");
    let code = ran.code.unwrap_or(-1);
    let expected =
        fs::read_to_string(cases_directory().join(case).join("expected.txt")).expect("Ansible's output");
    let actual = format!("{}--- exit code {code}\n", ran.stdout);
    assert_eq!(with_sorted_results(&actual), with_sorted_results(&expected), "{}", ran.stderr);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Returns the output with the results of each task sorted by host and with placeholders for times. Results of the same
/// host keep their order.
fn with_sorted_results(output: &str) -> String {
    let mut sorted = String::new();
    let mut results: Vec<String> = Vec::new();
    for line in output.lines() {
        let line = without_times(line);
        if is_result(&line) {
            results.push(format!("{line}\n"));
        } else if let (Some(last), true) = (results.last_mut(), !line.is_empty()) {
            last.push_str(&format!("{line}\n"));
        } else {
            results.sort_by_key(|result| host_of_result(result));
            sorted.extend(results.drain(..));
            sorted.push_str(&format!("{line}\n"));
        }
    }
    sorted.extend(results);
    sorted
}

fn is_result(line: &str) -> bool {
    ["ok: [", "changed: [", "skipping: [", "fatal: [", "failed: ["]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Returns the host of a result.
fn host_of_result(result: &str) -> String {
    let name = result.split(['[', ']', ' ']).nth(2).unwrap_or_default();
    name.to_owned()
}

/// Returns a line with placeholders for start, end and duration of a command.
fn without_times(line: &str) -> String {
    let mut line = line.to_owned();
    for key in ["\"delta\": \"", "\"end\": \"", "\"start\": \""] {
        let Some(begin) = line.find(key).map(|at| at + key.len()) else { continue };
        let Some(length) = line[begin..].find('"') else { continue };
        line.replace_range(begin..begin + length, "[time]");
    }
    line
}
