//! What the playbook refuses before it writes anything.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use convoy::demo::Site;
use convoy_tests::program::{self, Outcome};
use tempfile::tempdir;

/// Runs the playbook on the site's nodes.
fn apply(site: &Site, folder: &Path, more: &[&str]) -> Outcome {
    let (playbook, inventory) =
        (site.playbook().display().to_string(), site.inventory().display().to_string());
    program::run(folder, &[&["apply", &playbook, "-i", &inventory], more].concat())
}

/// Checks that the run has failed with the message, on one line, and that nothing was changed.
fn assert_refused(outcome: &Outcome, message: &str) {
    assert_eq!(outcome.code, Some(2), "{message}: {}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains(message), "{message}: {}", outcome.stdout);
    let changed: u32 = outcome.recaps()[0].iter().map(|host| host.number("changed")).sum();
    assert_eq!(changed, 0, "{}", outcome.stdout);
}

#[test]
fn settings_that_cannot_be_right_are_refused() {
    let folder = tempdir().unwrap();
    let site = Site::open(&folder.path().join("demo")).unwrap();
    for (settings, message) in [
        ("{database_type: db2}", "it has no scripts for db2"),
        ("{database_type: h2}", "and none for h2"),
        (
            "{databases: {shared_db: {url: 'jdbc:mysql:x', username: u, password: p}}}",
            "must have apim_db and shared_db",
        ),
        (
            "{databases: {apim_db: {url: 'jdbc:mysql:x?a=b&c=d', username: u, password: p}, \
              shared_db: {url: 'jdbc:mysql:y', username: u, password: p}}}",
            "write &amp; for &",
        ),
        (
            "{databases: {apim_db: {url: 'jdbc:mysql:x', username: u, password: p}, \
              shared_db: {url: 'jdbc:mysql:x', username: u, password: p}}}",
            "apim_db and shared_db apart",
        ),
        ("{user_store_type: database}", "the old server has the user store type 'database_unique_id'"),
        ("{secrets: {db: '[plain]'}}", "does not run ciphertool yet"),
        (
            "{gateway_environments: [{name: Default, address: gw1}]}",
            "every old environment: Production and Sandbox",
        ),
        ("{gateway_labels: [Default]}", "none of the names in `gateway_labels`"),
        ("{custom_jars: []}", "unlike example-masking-1.4.jar"),
        ("{jdbc_driver: postgresql-42.jar}", "must have the JDBC driver postgresql-42.jar"),
        ("{new_home: '{{ old_home }}/new'}", "must not be the same or one within the other"),
        ("{old_home: '{{ new_home }}-before'}", "must be of version 3.1.0"),
    ] {
        assert_refused(&apply(&site, folder.path(), &["-e", settings]), message);
    }
}

#[test]
fn homes_that_are_not_ready_are_refused() {
    let folder = tempdir().unwrap();
    let site = Site::open(&folder.path().join("demo")).unwrap();
    let node = |name: &str, file: &str| site.nodes_folder().join(name).join(file);
    let toml = "wso2am-3.1.0/repository/conf/deployment.toml";
    for (file, content, message) in [
        (
            node("tm1", "wso2am-4.1.0/bin/version.txt"),
            "WSO2 API Manager v4.1.01\n",
            "of 4.1.0; their bin/version.txt say",
        ),
        (
            node("cp2", "wso2am-3.1.0/repository/conf/registry.xml"),
            "<versioningTags>true</versioningTags>",
            "keeps versions",
        ),
        (
            node("gw1", toml),
            "[user_store]\ntype = \"database_unique_id\"\n[secrets]\n",
            "the old server has a secure vault",
        ),
        (node("gw2", "wso2am-3.1.0/repository/components/lib/other.jar"), "", "unlike other.jar"),
        (node("cp1", "wso2am-3.1.0/repository/resources/security/partner.jks"), "", "unlike partner.jks"),
        (
            node("gw2", "wso2am-3.1.0/repository/resources/security/wso2carbon.jks"),
            "?",
            "the keystores of gw2 are not those of cp1",
        ),
    ] {
        let before = fs::read(&file).ok();
        fs::write(&file, content).unwrap();
        assert_refused(&apply(&site, folder.path(), &[]), message);
        match before {
            Some(before) => fs::write(&file, before).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    }
}

#[test]
fn check_mode_says_what_would_change_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let site = Site::open(&folder.path().join("demo")).unwrap();
    let outcome = apply(&site, folder.path(), &["--check", "--diff"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", outcome.stdout);
    let changed: Vec<u32> = outcome.recaps()[0].iter().map(|host| host.number("changed")).collect();
    assert_eq!(changed, [5, 5, 5, 5, 3], "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("apim-of-the-demo"), "{}", outcome.stdout);
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

#[test]
fn optional_databases_and_secrets_have_their_place() {
    let folder = tempdir().unwrap();
    let site = Site::open(&folder.path().join("demo")).unwrap();
    let database =
        |name: &str| format!("{name}: {{url: 'jdbc:mysql://db/{name}', username: u, password: 'a\"b\\c'}}");
    let databases = ["apim_db", "shared_db", "user"].map(database).join(", ");
    let settings = format!(
        "{{databases: {{{databases}}}, secrets: {{b: Zm9v, a: YmFy}}, additional_settings: '[indexing]'}}"
    );
    let outcome = apply(&site, folder.path(), &["-e", &settings]);
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    for node in ["cp1", "tm1", "gw1"] {
        let file = site.nodes_folder().join(node).join("wso2am-4.1.0/repository/conf/deployment.toml");
        let text = fs::read_to_string(file).unwrap();
        let document: toml_edit::DocumentMut = text.parse().unwrap();
        assert_eq!(document["database"]["user"]["password"].as_str(), Some("a\"b\\c"), "{node}");
        assert_eq!(document["realm_manager"]["data_source"].as_str(), Some("WSO2USER_DB"), "{node}");
        assert!(document.contains_key("indexing"), "{node}");
        assert!(text.ends_with("[secrets]\nb = \"Zm9v\"\na = \"YmFy\"\n"), "{node}: {text}");
    }
}
