//! The checks of the upgrade playbook that fail before anything is written to a home.

use std::fs;
use std::path::{Path, PathBuf};

use convoy_tests::program::{RunOutput, wso2_file};
use tempfile::tempdir;

use crate::cluster::{CONFIGURATION, Cluster, DROPINS, FIVE_NODES, LIB, LOGGING, SECURITY};
use crate::files::{create_keystores, write_jar};

/// Asserts that the run failed with this message and changed nothing.
fn assert_fails_unchanged(ran: &RunOutput, message: &str) {
    assert_eq!(ran.code, Some(2), "{message}: {ran}");
    assert!(ran.stdout.contains(message), "{message}: {ran}");
    assert!(!ran.stdout.contains("changed: ["), "{message}: {ran}");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn wrong_settings_are_errors() {
    let cluster = Cluster::local(&FIVE_NODES);
    for (settings, message) in [
        (
            "{wso2_new_home: '{{ wso2_old_home }}/new'}",
            "must be separate directories, neither inside the other",
        ),
        (
            "{wso2_old_home: '{{ place }}/wso2am-4.1.0', wso2_new_home: '{{ place }}/new'}",
            "must be of version 3.1.0; its bin/version.txt says 'WSO2 API Manager v4.1.0'",
        ),
        (
            "{wso2_control_plane_url: apim.corp}",
            "set wso2_control_plane_url to the URL of the control plane's management endpoint",
        ),
        (
            "{wso2_databases: {shared_db: {type: sybase}}}",
            "database.shared_db must have a type of mysql, mssql, postgre, oracle, db2",
        ),
        (
            "{wso2_databases: {shared_db: {url: 'jdbc:h2:./x'}}}",
            "database.shared_db is H2, which the vendor does not migrate",
        ),
        (
            "{wso2_databases: {apim_db: {url: 'jdbc:mysql://x/y'}, shared_db: {url: 'jdbc:mysql://x/y'}}}",
            "apim_db and shared_db are the same database",
        ),
        ("{wso2_decisions: {server.hostname: mine}}", "no decision is needed on server.hostname"),
        ("{wso2_decisions: {server.hostname: yours}}", "decisions: server.hostname"),
        ("{wso2_keystore_passwords: {corp.jks: wrong}}", "corp.jks"),
        ("{wso2_min_days_left: 1000}", "corp.jks"),
        ("{wso2_databases: {shared_db: {driver: org.example.Driver}}}", "org.example.Driver"),
        ("{wso2_left_behind: [mysql-connector-j-8.0.33.jar]}", "but none does"),
    ] {
        assert_fails_unchanged(&cluster.apply_file_steps(&["-e", settings]), message);
    }
}

/// A defect on a node: a file, an edit of its text, and the expected message.
type Defect = (PathBuf, Box<dyn Fn(&str) -> String>, String);

fn defect(path: PathBuf, edit: impl Fn(&str) -> String + 'static, message: &str) -> Defect {
    (path, Box::new(edit), message.to_owned())
}

/// Returns an edit that replaces the whole text.
fn replace_all(content: &str) -> impl Fn(&str) -> String + 'static + use<> {
    let content = content.to_owned();
    move |_| content.clone()
}

/// Returns an edit that appends to the text.
fn append(more: &str) -> impl Fn(&str) -> String + 'static + use<> {
    let more = more.to_owned();
    move |text| format!("{text}{more}")
}

/// Returns an edit that replaces the first occurrence of `from`.
fn replace_first(from: &str, by: &str) -> impl Fn(&str) -> String + 'static + use<> {
    let (from, by) = (from.to_owned(), by.to_owned());
    move |text| {
        assert!(text.contains(&from), "{from}: {text}");
        text.replacen(&from, &by, 1)
    }
}

/// Introduces each defect, one after the other, and asserts that the playbook reports it. Without defects it must
/// succeed.
fn assert_each_defect_is_reported(cluster: &Cluster, defects: impl IntoIterator<Item = Defect>) {
    for (path, edit, message) in defects {
        let before = fs::read(&path).ok();
        let text =
            before.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, edit(&text)).unwrap();
        assert_fails_unchanged(&cluster.apply_file_steps(&[]), &message);
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
    let ran = cluster.apply_file_steps(&["--check"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn unprepared_homes_are_errors() {
    let cluster = Cluster::local(&FIVE_NODES);
    let (old, new) = (
        |node: &str, file: &str| cluster.old_path(node, file),
        |node: &str, file: &str| cluster.new_path(node, file),
    );
    let environment = "\n[[apim.gateway.environment]]\nname = \"Production and Sandbox\"\n";
    let defects = [
        defect(
            new("tm1", "bin/version.txt"),
            replace_all("WSO2 API Manager v4.1.01\n"),
            "must be of version 4.1.0; its bin/version.txt says 'WSO2 API Manager v4.1.01'",
        ),
        defect(
            old("cp2", CONFIGURATION),
            replace_first("\"api-devportal\"", "\"gateway-worker\""),
            "cp2 was gateway-worker and cannot become control-plane",
        ),
        defect(
            new("gw1", CONFIGURATION),
            replace_first("\"gateway-worker\"", "\"traffic-manager\""),
            "is set up for traffic-manager, not for gateway-worker",
        ),
        defect(old("cp1", CONFIGURATION), append(environment), "must have a unique name"),
        defect(
            old("cp1", "repository/conf/api-manager.xml"),
            replace_first("<Name>Production and Sandbox<", "<Name>Test<"),
            "in deployment.toml and Test in api-manager.xml",
        ),
        defect(
            old("cp1", "repository/conf/registry.xml"),
            replace_first("<versioningTags>false", "<versioningTags>true"),
            "cp1 keeps versions of some of properties, comments, tags and ratings",
        ),
    ];
    assert_each_defect_is_reported(&cluster, defects);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn configuration_and_files_that_cannot_be_carried_over_are_errors() {
    let cluster = Cluster::local(&FIVE_NODES);
    let (old, new) = (
        |node: &str, file: &str| cluster.old_path(node, file),
        |node: &str, file: &str| cluster.new_path(node, file),
    );
    let defects = [
        defect(
            old("gw2", CONFIGURATION),
            append("\n[realm_manager]\ndata_source = \"WSO2USER_DB\"\n"),
            "users are in WSO2USER_DB, and there is no [database.user]",
        ),
        defect(
            old("gw2", CONFIGURATION),
            replace_first("\"corp.jks\"", "\"gone.jks\""),
            "names keystores that are not in repository/resources/security: gone.jks",
        ),
        defect(
            old("gw1", &format!("{SECURITY}/client-truststore.jks")),
            replace_all("no keystore"),
            "client-truststore.jks",
        ),
        defect(old("tm1", CONFIGURATION), append("\n[server]\noffset = 1\n"), "deployment.toml:"),
        defect(old("gw1", LOGGING), replace_all(&wso2_file("log4j-2.6.0.properties")), "log4j2_convert"),
        defect(
            old("gw1", CONFIGURATION),
            replace_first("\"SOAPAction\"]", "\"X-Corp\"]"),
            "decide on these keys of",
        ),
        defect(new("gw2", "updates/config.json"), replace_all("{}"), "are not at the same update level"),
        defect(
            old("cp1", &format!("{DROPINS}/org.wso2.carbon.is.migration-1.0.154.jar")),
            replace_all("x"),
            "contains org.wso2.carbon.is.migration-1.0.154.jar from an earlier migration",
        ),
    ];
    assert_each_defect_is_reported(&cluster, defects);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn duplicate_drivers_and_different_keystores_are_errors() {
    let cluster = Cluster::local(&FIVE_NODES);
    let second = cluster.old_path("gw1", &format!("{LIB}/mysql-connector-java-5.1.44.jar"));
    write_jar(&second, &["com/mysql/jdbc/Driver.class", "com/mysql/cj/jdbc/Driver.class"]);
    assert_fails_unchanged(
        &cluster.apply_file_steps(&[]),
        "but mysql-connector-j-8.0.33.jar, mysql-connector-java-5.1.44.jar do",
    );
    fs::remove_file(second).unwrap();

    let other = tempdir().unwrap();
    create_keystores(other.path(), 900);
    let copy_keystores = |from: &Path| {
        for name in ["corp.jks", "client-truststore.jks"] {
            fs::copy(from.join(name), cluster.old_path("gw2", &format!("{SECURITY}/{name}"))).unwrap();
        }
    };
    copy_keystores(other.path());
    assert_fails_unchanged(
        &cluster.apply_file_steps(&[]),
        "corp.jks of gw2 differs from that of cp1: one node could not decrypt what the other encrypts",
    );
    let allowed = "{wso2_keystores_per_node: [corp.jks, client-truststore.jks]}";
    let ran = cluster.apply_file_steps(&["--check", "-e", allowed]);
    assert_eq!(ran.code, Some(0), "{ran}");

    create_keystores(other.path().join("expired").as_path(), 1);
    copy_keystores(&other.path().join("expired"));
    assert_fails_unchanged(&cluster.apply_file_steps(&["-e", allowed]), "corp.jks");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_node_with_two_roles_is_an_error() {
    let cluster = Cluster::local(&FIVE_NODES);
    cluster.project.host("[traffic_manager]\ngw1").unwrap();
    assert_fails_unchanged(
        &cluster.apply_file_steps(&[]),
        "gw1 must be in one of the groups all_in_one, control_plane, traffic_manager, gateway_worker, not in",
    );
}
