//! The upgrade playbook and the example inventory in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use convoy::source_file::read_yaml;
use convoy::yaml::Node;
use convoy_tests::program;
use tempfile::tempdir;

const PLAYBOOK: &str = "playbooks/wso2-apim/upgrade.yml";

fn repository_path(file: &str) -> String {
    program::repository().join(file).display().to_string()
}

#[test]
fn the_playbook_can_be_read_and_its_tasks_have_their_tags() {
    let dir = tempdir().unwrap();
    let (playbook, inventory) = (repository_path(PLAYBOOK), repository_path("inventory/demo"));
    let checked = program::run(dir.path(), &["apply", &playbook, "-i", &inventory, "--syntax-check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let listed = program::run(dir.path(), &["apply", &playbook, "-i", &inventory, "--list-tasks"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    for line in [
        "The node has one role\tTAGS: [always]",
        "Run the profile setup\tTAGS: [prerequisites, profile]",
        "Configure the new server as the old one was\tTAGS: [step1]",
        "Copy the keystores\tTAGS: [keystores, step2]",
        "What is not yet done\tTAGS: [always]",
    ] {
        assert!(listed.stdout.contains(line), "{line}\n{}", listed.stdout);
    }
}

#[test]
fn the_example_inventory_has_all_hosts() {
    let dir = tempdir().unwrap();
    let (playbook, inventory) = (repository_path(PLAYBOOK), repository_path("inventory/production.example"));
    let listed = program::run(dir.path(), &["apply", &playbook, "-i", &inventory, "--list-hosts"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    for host in ["cp1", "cp2", "tm1", "tm2", "gw1", "gw2"] {
        assert!(listed.stdout.contains(&format!("\n      {host}.apim.example.com\n")), "{}", listed.stdout);
    }
}

/// Returns all YAML files below a directory.
fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let yaml = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "yml"));
    yaml.chain(dirs.iter().flat_map(|dir| yaml_files(dir))).collect()
}

/// Collects the sources of all `copy` tasks.
fn collect_copy_sources(node: &Node, sources: &mut Vec<String>) {
    for item in node.as_list().unwrap_or_default() {
        collect_copy_sources(item, sources);
    }
    for (key, value) in node.as_map().unwrap_or_default() {
        if key.as_str().is_some_and(|key| key.rsplit('.').next() == Some("copy")) {
            let source = value.get("src").and_then(Node::as_str).or_else(|| value.as_str());
            sources.extend(source.map(str::to_owned));
        }
        collect_copy_sources(value, sources);
    }
}

#[test]
fn no_task_copies_configuration_files() {
    let mut sources = Vec::new();
    for file in yaml_files(&program::repository().join("playbooks/wso2-apim")) {
        if let Some(document) = read_yaml(&file, &convoy::secrets::Vault::default()).unwrap() {
            collect_copy_sources(&document, &mut sources);
        }
    }
    assert_eq!(sources.len(), 6, "{sources:?}");
    for source in sources {
        let allowed = [
            "components/lib/",
            "components/dropins/",
            "resources/security/",
            "server/userstores/",
            "wso2_jdbc_driver",
        ];
        assert!(allowed.iter().any(|dir| source.contains(dir)), "a task copies {source}");
    }
}
