//! `convoy demo` from the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use convoy_tests::program::{self, RunOutput};
use convoy_tests::project::contents;
use tempfile::tempdir;
use toml_edit::{DocumentMut, Item};

const NODES: [&str; 5] = ["cp1", "cp2", "gw1", "gw2", "tm1"];

/// Returns the homes of the old and the new product on a node.
fn old_and_new_home(demo: &Path, node: &str) -> (PathBuf, PathBuf) {
    let dir = demo.join("nodes").join(node);
    (dir.join("wso2am-3.1.0"), dir.join("wso2am-4.1.0"))
}

/// Returns the count `changed` of each host, for each run in the output.
fn changed_counts(outcome: &RunOutput) -> Vec<Vec<(&str, u32)>> {
    let recaps = outcome.recaps();
    recaps.iter().map(|hosts| hosts.iter().map(|host| (host.host, host.count("changed"))).collect()).collect()
}

/// Returns the new product's configuration on a node.
fn new_configuration(demo: &Path, node: &str) -> DocumentMut {
    let text =
        fs::read_to_string(old_and_new_home(demo, node).1.join("repository/conf/deployment.toml")).unwrap();
    assert!(!text.contains("{{"), "{text}");
    text.parse().unwrap()
}

/// Returns the text at a path of keys.
fn value_at<'d>(document: &'d DocumentMut, path: &[&str]) -> &'d str {
    let item = path.iter().fold(document.as_item(), |item, key| &item[*key]);
    item.as_str().unwrap_or_else(|| panic!("{path:?} is {item:?}"))
}

/// Returns the texts in a list.
fn texts(item: &Item) -> Vec<&str> {
    item.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn the_demo_upgrades_all_nodes_and_a_second_run_changes_nothing() {
    let dir = tempdir().unwrap();
    let first = program::run(dir.path(), &["demo", "--dir", "demo"]);
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{}", first.stdout);
    let no_changes: Vec<_> = NODES.map(|node| (node, 0)).to_vec();
    let upgraded = [("cp1", 6), ("cp2", 6), ("gw1", 6), ("gw2", 6), ("tm1", 4)].to_vec();
    assert_eq!(changed_counts(&first), [upgraded, no_changes.clone()], "{}", first.stdout);

    let demo = dir.path().canonicalize().unwrap().join("demo");
    let hint = format!("Where to look:\n  the nodes' homes, old and new   {}/nodes\n", demo.display());
    assert!(first.stdout.contains(&hint), "{}", first.stdout);

    let before: Vec<_> = NODES.map(|node| contents(&old_and_new_home(&demo, node).1).unwrap()).to_vec();
    let again = program::run(dir.path(), &["demo", "--dir", "demo"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "{}", again.stdout);
    assert_eq!(changed_counts(&again), [no_changes.clone(), no_changes], "{}", again.stdout);
    assert!(
        before == NODES.map(|node| contents(&old_and_new_home(&demo, node).1).unwrap()),
        "a run without changes has changed files"
    );
}

#[test]
fn files_added_to_the_old_homes_are_in_the_new_ones() {
    let dir = tempdir().unwrap();
    let outcome = program::run(dir.path(), &["demo", "--dir", "demo"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let demo = dir.path().join("demo");
    for node in NODES {
        let (old, new) = old_and_new_home(&demo, node);
        let own_files = match &node[..2] {
            "cp" => &[
                "components/dropins/org.example.userstore-1.2.0.jar",
                "deployment/server/userstores/PARTNERS_EXAMPLE.xml",
            ][..],
            "gw" => &[
                "components/dropins/org.example.mediators-2.0.1.jar",
                "components/lib/example-masking-1.4.jar",
            ],
            _ => &[],
        };
        let shared = [
            "components/lib/mysql-connector-example-8.0.33.jar",
            "resources/security/wso2carbon.jks",
            "resources/security/client-truststore.jks",
        ];
        for file in shared.iter().chain(own_files) {
            let read = |home: &Path| fs::read(home.join("repository").join(file)).unwrap();
            assert!(read(&old) == read(&new), "{node}: {file} is not the same");
        }
        let new = contents(&new).unwrap();
        let is_unexpected = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            // JARs that the product wraps itself, and user stores of tenants, which are copied after the migration.
            path.contains("mysql_connector_example") || path.contains("tenants")
        };
        assert_eq!(new.keys().find(is_unexpected), None, "{node}");
        let kept = new.keys().filter(|path| path.to_string_lossy().contains("deployment.toml")).count();
        assert_eq!(kept, 2, "{node}: the rendered file, and the vendor's as it was");
    }
}

#[test]
fn each_role_has_its_databases_and_settings() {
    let dir = tempdir().unwrap();
    let outcome = program::run(dir.path(), &["demo", "--dir", "demo"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert!(!outcome.stdout.contains("of-the-demo"), "{}", outcome.stdout);
    let demo = dir.path().join("demo");
    for (node, role, databases) in [
        ("cp1", "control-plane", &["apim_db", "local", "shared_db"][..]),
        ("cp2", "control-plane", &["apim_db", "local", "shared_db"]),
        ("tm1", "traffic-manager", &["apim_db", "shared_db"]),
        ("gw1", "gateway-worker", &["shared_db"]),
        ("gw2", "gateway-worker", &["shared_db"]),
    ] {
        let document = new_configuration(&demo, node);
        assert_eq!(value_at(&document, &["server", "hostname"]), node);
        assert_eq!(value_at(&document, &["server", "server_role"]), role);
        let mut found: Vec<&str> =
            document["database"].as_table().unwrap().iter().map(|(key, _)| key).collect();
        found.sort_unstable();
        assert_eq!(found, databases, "{node}");
        let shared = |key: &str| value_at(&document, &["database", "shared_db", key]);
        assert_eq!(shared("url"), "jdbc:mysql://db.example:3306/shared_db");
        assert_eq!([shared("password"), shared("validationQuery")], ["shared-of-the-demo", "SELECT 1"]);
        assert_eq!(value_at(&document, &["apim", "cache", "resource", "expiry_time"]), "900s", "{node}");
    }
    let [cp, tm, gw] = ["cp1", "tm1", "gw2"].map(|node| new_configuration(&demo, node));
    let environment = &cp["apim"]["gateway"]["environment"][0];
    assert_eq!(environment["name"].as_str(), Some("Production and Sandbox"));
    assert_eq!(environment["https_endpoint"].as_str(), Some("https://gw.example:8243"));
    assert_eq!(texts(&cp["apim"]["event_hub"]["event_duplicate_url"]), ["tcp://cp2:5672"]);
    let listening = ["tcp://cp1:5672", "tcp://cp2:5672"];
    assert_eq!(texts(&tm["apim"]["event_hub"]["event_listening_endpoints"]), listening);
    let labels = &gw["apim"]["sync_runtime_artifacts"]["gateway"]["gateway_labels"];
    assert_eq!(texts(labels), ["Production and Sandbox", "Default"]);
    let group = &gw["apim"]["throttling"]["url_group"][0];
    assert_eq!(texts(&group["traffic_manager_auth_urls"]), ["ssl://tm1:9711"]);
}

#[test]
fn the_demo_directory_is_kept_only_with_keep() {
    let dir = tempdir().unwrap();
    let outcome = program::run(dir.path(), &["demo"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let outcome = program::run(dir.path(), &["demo", "--keep"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let kept = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(
        kept.join("playbooks/wso2-apim/upgrade.yml").is_file()
            && kept.join("nodes/gw2/wso2am-4.1.0").is_dir()
    );
    assert!(
        outcome.stdout.ends_with(&format!("convoy demo --dir {}\n", kept.canonicalize().unwrap().display()))
    );
}

#[test]
fn a_second_run_that_changes_something_is_an_internal_error() {
    let dir = tempdir().unwrap();
    let made = program::run(dir.path(), &["demo", "--dir", "demo"]);
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    let playbook = dir.path().join("demo/playbooks/wso2-apim/upgrade.yml");
    fs::write(&playbook, "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: 'true'\n      when: inventory_hostname == 'gw1'\n").unwrap();
    let outcome = program::run(dir.path(), &["demo", "--dir", "demo"]);
    let message = "error: the second run was to change nothing, but gw1 has changed=1\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(255), message), "{}", outcome.stdout);

    fs::write(&playbook, "- hosts: gw2\n  gather_facts: false\n  tasks:\n    - ping:\n").unwrap();
    let outcome = program::run(dir.path(), &["demo", "--dir", "demo"]);
    assert_eq!(outcome.code, Some(255));
    assert!(outcome.stderr.contains("but cp1 took no part, cp2 took no part"), "{}", outcome.stderr);
}

#[test]
fn a_directory_with_other_files_is_not_used() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("mine")).unwrap();
    fs::write(dir.path().join("mine/letter"), "dear").unwrap();
    let outcome = program::run(dir.path(), &["demo", "--dir", "mine"]);
    let path = dir.path().canonicalize().unwrap().join("mine");
    let message = format!(
        "error: {} is not empty and contains no demo, or an incomplete one\nhint: use --dir to name another directory\n",
        path.display()
    );
    assert_eq!(outcome, RunOutput { code: Some(3), stdout: String::new(), stderr: message });
    assert_eq!(fs::read_dir(path).unwrap().count(), 1);
}

#[test]
fn a_directory_with_blanks_in_its_path_is_an_error() {
    let dir = tempdir().unwrap();
    let blank = dir.path().canonicalize().unwrap().join("with blank");
    fs::create_dir(&blank).unwrap();
    let outcome = program::run(&blank, &["demo", "--dir", "demo"]);
    let message = format!(
        "error: cannot create the demo in {}/demo: the path contains spaces or quotes\nhint: use --dir to name another directory\n",
        blank.display()
    );
    assert_eq!(outcome, RunOutput { code: Some(1), stdout: String::new(), stderr: message });
}
