//! The playbook as it stands in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use convoy::source_file::read_yaml;
use convoy::yaml::Node;
use convoy_tests::program;
use tempfile::tempdir;

const PLAYBOOK: &str = "playbooks/wso2-apim/upgrade.yml";

fn in_repository(file: &str) -> String {
    program::repository().join(file).display().to_string()
}

#[test]
fn it_can_be_read_and_its_steps_have_their_tags() {
    let folder = tempdir().unwrap();
    let (playbook, inventory) = (in_repository(PLAYBOOK), in_repository("inventory/demo"));
    let checked = program::run(folder.path(), &["apply", &playbook, "-i", &inventory, "--syntax-check"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let listed = program::run(folder.path(), &["apply", &playbook, "-i", &inventory, "--list-tasks"]);
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
fn the_example_inventory_has_hosts_for_it() {
    let folder = tempdir().unwrap();
    let (playbook, inventory) = (in_repository(PLAYBOOK), in_repository("inventory/production.example"));
    let listed = program::run(folder.path(), &["apply", &playbook, "-i", &inventory, "--list-hosts"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    for host in ["cp1", "cp2", "tm1", "tm2", "gw1", "gw2"] {
        assert!(listed.stdout.contains(&format!("\n      {host}.apim.example.com\n")), "{}", listed.stdout);
    }
}

/// All YAML files in a folder, however deep.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let yaml = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "yml"));
    yaml.chain(folders.iter().flat_map(|folder| yaml_files(folder))).collect()
}

/// Collects what `copy` tasks say of their source.
fn copied(node: &Node, found: &mut Vec<String>) {
    for item in node.as_list().unwrap_or_default() {
        copied(item, found);
    }
    for (key, value) in node.as_map().unwrap_or_default() {
        if key.as_str().is_some_and(|key| key.rsplit('.').next() == Some("copy")) {
            let source = value.get("src").and_then(Node::as_str).or_else(|| value.as_str());
            found.extend(source.map(str::to_owned));
        }
        copied(value, found);
    }
}

#[test]
fn no_task_copies_a_configuration_file() {
    let mut found = Vec::new();
    for file in yaml_files(&program::repository().join("playbooks/wso2-apim")) {
        if let Some(document) = read_yaml(&file, &convoy::secrets::Vault::default()).unwrap() {
            copied(&document, &mut found);
        }
    }
    assert_eq!(found.len(), 6, "{found:?}");
    for source in found {
        let allowed = [
            "components/lib/",
            "components/dropins/",
            "resources/security/",
            "server/userstores/",
            "wso2_jdbc_driver",
        ];
        assert!(allowed.iter().any(|folder| source.contains(folder)), "a task copies {source}");
    }
}
