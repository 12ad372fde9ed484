//! The project that every test begins with.

use convoy_tests::project::Project;

/// A project with this `site.yml`.
pub(crate) fn site(playbook: &str) -> Project {
    let project = Project::new().expect("a project");
    project.file("site.yml", playbook).expect("a playbook");
    project
}

/// A project whose `site.yml` is one play without facts for all hosts, with these tasks.
pub(crate) fn tasks(tasks: &str) -> Project {
    let lines: String = tasks.lines().map(|line| format!("    {line}\n")).collect();
    site(&format!("- hosts: all\n  gather_facts: false\n  tasks:\n{lines}"))
}
