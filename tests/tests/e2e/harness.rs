//! What the tests have in common: projects with a playbook, names of runs, and waiting for tasks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use convoy_tests::project::Project;
use convoy_tests::sshd::poll;

/// Returns a project with this `site.yml`.
pub(crate) fn site(playbook: &str) -> Project {
    let project = Project::new().expect("a project");
    project.file("site.yml", playbook).expect("a playbook");
    project
}

/// Returns a project whose `site.yml` is one play on all hosts with these tasks, without gathering facts.
pub(crate) fn tasks(tasks: &str) -> Project {
    let lines: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
    site(&format!("- hosts: all\n  gather_facts: false\n  tasks:\n{lines}"))
}

/// Returns the names of all runs that have a journal, oldest first.
pub(crate) fn run_names(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.path(".convoy/runs")).expect("journals");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("a run").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns the name of the oldest run.
pub(crate) fn first_run(project: &Project) -> String {
    run_names(project).swap_remove(0)
}

/// Returns the name of the latest run.
pub(crate) fn last_run(project: &Project) -> String {
    run_names(project).pop().expect("a run")
}

/// Returns the path of a run's journal.
pub(crate) fn journal_path(project: &Project, run: &str) -> PathBuf {
    project.path(".convoy/runs").join(run).join("journal")
}

/// Returns what tasks have appended to the file `ran` in a directory: an empty text if none did.
pub(crate) fn commands_run(place: &Path) -> String {
    fs::read_to_string(place.join("ran")).unwrap_or_default()
}

/// Creates a FIFO at which a task can wait.
pub(crate) fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status();
    assert!(status.is_ok_and(|status| status.success()), "mkfifo {}", path.display());
}

/// Waits until a file exists.
pub(crate) fn wait_for_file(path: &Path) {
    let exists = || Ok(path.exists().then_some(()));
    poll(exists).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
