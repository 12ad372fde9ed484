//! What the playbook says on the demo's nodes before it writes anything.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use convoy::demo::Site;
use convoy_tests::program::{self, RunOutput};
use tempfile::tempdir;

/// Runs the playbook on the site's nodes.
fn apply(site: &Site, folder: &Path, more: &[&str]) -> RunOutput {
    let (playbook, inventory) =
        (site.playbook().display().to_string(), site.inventory().display().to_string());
    program::run(folder, &[&["apply", &playbook, "-i", &inventory], more].concat())
}

/// Checks that the run has failed with the message, on one line, and that nothing was changed.
fn assert_refused(outcome: &RunOutput, message: &str) {
    assert_eq!(outcome.code, Some(2), "{message}: {}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains(message), "{message}: {}", outcome.stdout);
    let changed: u32 = outcome.recaps()[0].iter().map(|host| host.count("changed")).sum();
    assert_eq!(changed, 0, "{}", outcome.stdout);
}

#[test]
fn check_mode_says_what_would_change_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let site = Site::open(&folder.path().join("demo")).unwrap();
    let outcome = apply(&site, folder.path(), &["--check", "--diff"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", outcome.stdout);
    let changed: Vec<u32> = outcome.recaps()[0].iter().map(|host| host.count("changed")).collect();
    assert_eq!(changed, [6, 6, 6, 6, 4], "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("of-the-demo"), "{}", outcome.stdout);
    let lib = site.nodes_folder().join("gw1/wso2am-4.1.0/repository/components/lib");
    assert_eq!(fs::read_dir(lib).unwrap().count(), 0);
}

#[test]
fn a_new_server_that_runs_is_refused_and_a_pid_file_alone_is_not() {
    let folder = tempdir().unwrap();
    let site = Site::open(&folder.path().join("demo")).unwrap();
    let home = site.nodes_folder().join("gw1/wso2am-4.1.0");
    let mut server = Command::new("sh")
        .args(["-c", "read line", "sh"])
        .arg(format!("-Dcarbon.home={}", home.display()))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = fs::File::create(home.join("wso2carbon.pid")).unwrap();
    // As the server writes it: padded.
    pid.write_all(format!("{}\n{}", server.id(), "\0".repeat(90)).as_bytes()).unwrap();
    assert_refused(&apply(&site, folder.path(), &[]), "stop the server in ");
    drop(server.stdin.take());
    server.wait().unwrap();
    let outcome = apply(&site, folder.path(), &[]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
}
