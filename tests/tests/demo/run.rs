//! The demo as a user runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use convoy_tests::program::{self, RunOutput};
use convoy_tests::project::contents;
use tempfile::tempdir;
use toml_edit::{DocumentMut, Item};

const NODES: [&str; 5] = ["cp1", "cp2", "gw1", "gw2", "tm1"];

fn homes(demo: &Path, node: &str) -> (PathBuf, PathBuf) {
    let folder = demo.join("nodes").join(node);
    (folder.join("wso2am-3.1.0"), folder.join("wso2am-4.1.0"))
}

/// Each run's `changed` of each host, in order.
fn changed(outcome: &RunOutput) -> Vec<Vec<(&str, u32)>> {
    let recaps = outcome.recaps();
    recaps.iter().map(|hosts| hosts.iter().map(|host| (host.host, host.count("changed"))).collect()).collect()
}

fn configuration(demo: &Path, node: &str) -> DocumentMut {
    let text = fs::read_to_string(homes(demo, node).1.join("repository/conf/deployment.toml")).unwrap();
    assert!(!text.contains("{{"), "{text}");
    text.parse().unwrap()
}

/// What a path of keys leads to.
fn value<'d>(document: &'d DocumentMut, path: &[&str]) -> &'d str {
    let item = path.iter().fold(document.as_item(), |item, key| &item[*key]);
    item.as_str().unwrap_or_else(|| panic!("{path:?} is {item:?}"))
}

/// A list of texts.
fn texts(item: &Item) -> Vec<&str> {
    item.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn an_ordinary_user_sees_an_upgrade_and_a_second_run_that_changes_nothing() {
    let folder = tempdir().unwrap();
    let first = program::run(folder.path(), &["demo", "--dir", "demo"]);
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{}", first.stdout);
    let nothing: Vec<_> = NODES.map(|node| (node, 0)).to_vec();
    let upgraded = [("cp1", 6), ("cp2", 6), ("gw1", 6), ("gw2", 6), ("tm1", 4)].to_vec();
    assert_eq!(changed(&first), [upgraded, nothing.clone()], "{}", first.stdout);

    let demo = folder.path().canonicalize().unwrap().join("demo");
    let look = format!("Where to look:\n  the nodes' homes, old and new   {}/nodes\n", demo.display());
    assert!(first.stdout.contains(&look), "{}", first.stdout);

    let before: Vec<_> = NODES.map(|node| contents(&homes(&demo, node).1).unwrap()).to_vec();
    let again = program::run(folder.path(), &["demo", "--dir", "demo"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "{}", again.stdout);
    assert_eq!(changed(&again), [nothing.clone(), nothing], "{}", again.stdout);
    assert!(
        before == NODES.map(|node| contents(&homes(&demo, node).1).unwrap()),
        "a run without changes has changed files"
    );
}

#[test]
fn the_new_homes_have_what_the_old_ones_were_given() {
    let folder = tempdir().unwrap();
    let outcome = program::run(folder.path(), &["demo", "--dir", "demo"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let demo = folder.path().join("demo");
    for node in NODES {
        let (old, new) = homes(&demo, node);
        let own = match &node[..2] {
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
        for file in shared.iter().chain(own) {
            let read = |home: &Path| fs::read(home.join("repository").join(file)).unwrap();
            assert!(read(&old) == read(&new), "{node}: {file} is not the same");
        }
        let new = contents(&new).unwrap();
        let foreign = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            // What the product wraps by itself, and what follows the migration.
            path.contains("mysql_connector_example") || path.contains("tenants")
        };
        assert_eq!(new.keys().find(foreign), None, "{node}");
        let kept = new.keys().filter(|path| path.to_string_lossy().contains("deployment.toml")).count();
        assert_eq!(kept, 2, "{node}: the rendered file, and the vendor's as it was");
    }
}

#[test]
fn each_role_is_configured_for_its_databases_and_its_part() {
    let folder = tempdir().unwrap();
    let outcome = program::run(folder.path(), &["demo", "--dir", "demo"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert!(!outcome.stdout.contains("of-the-demo"), "{}", outcome.stdout);
    let demo = folder.path().join("demo");
    for (node, role, databases) in [
        ("cp1", "control-plane", &["apim_db", "local", "shared_db"][..]),
        ("cp2", "control-plane", &["apim_db", "local", "shared_db"]),
        ("tm1", "traffic-manager", &["apim_db", "shared_db"]),
        ("gw1", "gateway-worker", &["shared_db"]),
        ("gw2", "gateway-worker", &["shared_db"]),
    ] {
        let document = configuration(&demo, node);
        assert_eq!(value(&document, &["server", "hostname"]), node);
        assert_eq!(value(&document, &["server", "server_role"]), role);
        let mut found: Vec<&str> =
            document["database"].as_table().unwrap().iter().map(|(key, _)| key).collect();
        found.sort_unstable();
        assert_eq!(found, databases, "{node}");
        let shared = |key: &str| value(&document, &["database", "shared_db", key]);
        assert_eq!(shared("url"), "jdbc:mysql://db.example:3306/shared_db");
        assert_eq!([shared("password"), shared("validationQuery")], ["shared-of-the-demo", "SELECT 1"]);
        assert_eq!(value(&document, &["apim", "cache", "resource", "expiry_time"]), "900s", "{node}");
    }
    let [cp, tm, gw] = ["cp1", "tm1", "gw2"].map(|node| configuration(&demo, node));
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
fn the_folder_is_left_only_if_it_is_asked_for() {
    let folder = tempdir().unwrap();
    let outcome = program::run(folder.path(), &["demo"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let outcome = program::run(folder.path(), &["demo", "--keep"]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    let kept = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
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
fn a_second_run_that_changes_something_is_a_fault() {
    let folder = tempdir().unwrap();
    let made = program::run(folder.path(), &["demo", "--dir", "demo"]);
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    let playbook = folder.path().join("demo/playbooks/wso2-apim/upgrade.yml");
    fs::write(&playbook, "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: 'true'\n      when: inventory_hostname == 'gw1'\n").unwrap();
    let outcome = program::run(folder.path(), &["demo", "--dir", "demo"]);
    let message = "error: the second run was to change nothing, but gw1 has changed=1\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(255), message), "{}", outcome.stdout);

    fs::write(&playbook, "- hosts: gw2\n  gather_facts: false\n  tasks:\n    - ping:\n").unwrap();
    let outcome = program::run(folder.path(), &["demo", "--dir", "demo"]);
    assert_eq!(outcome.code, Some(255));
    assert!(outcome.stderr.contains("but cp1 took no part, cp2 took no part"), "{}", outcome.stderr);
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    fs::write(folder.path().join("mine/letter"), "dear").unwrap();
    let outcome = program::run(folder.path(), &["demo", "--dir", "mine"]);
    let path = folder.path().canonicalize().unwrap().join("mine");
    let message = format!(
        "error: {} is not empty and contains no demo, or an incomplete one\nhint: use --dir to name another directory\n",
        path.display()
    );
    assert_eq!(outcome, RunOutput { code: Some(3), stdout: String::new(), stderr: message });
    assert_eq!(fs::read_dir(path).unwrap().count(), 1);
}

#[test]
fn a_folder_that_options_cannot_name_is_refused() {
    let folder = tempdir().unwrap();
    let blank = folder.path().canonicalize().unwrap().join("with blank");
    fs::create_dir(&blank).unwrap();
    let outcome = program::run(&blank, &["demo", "--dir", "demo"]);
    let message = format!(
        "error: cannot create the demo in {}/demo: the path contains spaces or quotes\nhint: use --dir to name another directory\n",
        blank.display()
    );
    assert_eq!(outcome, RunOutput { code: Some(1), stdout: String::new(), stderr: message });
}
