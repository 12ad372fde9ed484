//! What the playbook checks on the demo's nodes before it writes anything.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use convoy::demo::Site;
use convoy_tests::program::{self, RunOutput};
use tempfile::tempdir;

/// Applies the playbook to the demo's nodes.
fn apply(site: &Site, dir: &Path, args: &[&str]) -> RunOutput {
    let (playbook, inventory) =
        (site.playbook().display().to_string(), site.inventory().display().to_string());
    program::run(dir, &[&["apply", &playbook, "-i", &inventory], args].concat())
}

/// Asserts that the run failed with this message and changed nothing.
fn assert_fails_unchanged(outcome: &RunOutput, message: &str) {
    assert_eq!(outcome.code, Some(2), "{message}: {}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains(message), "{message}: {}", outcome.stdout);
    let changed: u32 = outcome.recaps()[0].iter().map(|host| host.count("changed")).sum();
    assert_eq!(changed, 0, "{}", outcome.stdout);
}

#[test]
fn check_mode_reports_changes_and_makes_none() {
    let dir = tempdir().unwrap();
    let site = Site::open(&dir.path().join("demo")).unwrap();
    let outcome = apply(&site, dir.path(), &["--check", "--diff"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", outcome.stdout);
    let changed: Vec<u32> = outcome.recaps()[0].iter().map(|host| host.count("changed")).collect();
    assert_eq!(changed, [6, 6, 6, 6, 4], "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("of-the-demo"), "{}", outcome.stdout);
    let lib = site.nodes_folder().join("gw1/wso2am-4.1.0/repository/components/lib");
    assert_eq!(fs::read_dir(lib).unwrap().count(), 0);
}

#[test]
fn a_running_new_server_is_an_error_and_a_stale_pid_file_is_not() {
    let dir = tempdir().unwrap();
    let site = Site::open(&dir.path().join("demo")).unwrap();
    let home = site.nodes_folder().join("gw1/wso2am-4.1.0");
    let mut server = Command::new("sh")
        .args(["-c", "read line", "sh"])
        .arg(format!("-Dcarbon.home={}", home.display()))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = fs::File::create(home.join("wso2carbon.pid")).unwrap();
    // Padded, as the server writes it.
    pid.write_all(format!("{}\n{}", server.id(), "\0".repeat(90)).as_bytes()).unwrap();
    assert_fails_unchanged(&apply(&site, dir.path(), &[]), "stop the server in ");
    drop(server.stdin.take());
    server.wait().unwrap();
    let outcome = apply(&site, dir.path(), &[]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
}
