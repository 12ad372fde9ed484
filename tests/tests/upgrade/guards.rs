//! What is refused before anything is written to a home.

use std::fs;
use std::path::{Path, PathBuf};

use convoy_tests::program::RunOutput;
use tempfile::tempdir;

use crate::cluster::{CONFIGURATION, Cluster, DROPINS, FIVE, LIB, LOGGING, SECURITY, data};
use crate::files::{jar, keystores};

/// Checks that the run has failed with the message, on one line, and that nothing was changed.
fn assert_refused(ran: &RunOutput, message: &str) {
    assert_eq!(ran.code, Some(2), "{message}: {ran}");
    assert!(ran.stdout.contains(message), "{message}: {ran}");
    assert!(!ran.stdout.contains("changed: ["), "{message}: {ran}");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn settings_that_cannot_be_right() {
    let cluster = Cluster::local(&FIVE);
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
        assert_refused(&cluster.steps(&["-e", settings]), message);
    }
}

/// What is wrong on a node: a file, what it holds then, and what is said of it.
type Wrong = (PathBuf, Box<dyn Fn(&str) -> String>, String);

fn wrong(path: PathBuf, edit: impl Fn(&str) -> String + 'static, message: &str) -> Wrong {
    (path, Box::new(edit), message.to_owned())
}

fn to(content: &str) -> impl Fn(&str) -> String + 'static + use<> {
    let content = content.to_owned();
    move |_| content.clone()
}

fn and(more: &str) -> impl Fn(&str) -> String + 'static + use<> {
    let more = more.to_owned();
    move |text| format!("{text}{more}")
}

fn for_(from: &str, by: &str) -> impl Fn(&str) -> String + 'static + use<> {
    let (from, by) = (from.to_owned(), by.to_owned());
    move |text| {
        assert!(text.contains(&from), "{from}: {text}");
        text.replacen(&from, &by, 1)
    }
}

/// Makes each wrong, one after the other; with everything in its place again nothing is refused.
fn assert_each_refused(cluster: &Cluster, wrongs: impl IntoIterator<Item = Wrong>) {
    for (path, edit, message) in wrongs {
        let before = fs::read(&path).ok();
        let text =
            before.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, edit(&text)).unwrap();
        assert_refused(&cluster.steps(&[]), &message);
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
    // With everything in its place again nothing is refused.
    let ran = cluster.steps(&["--check"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn homes_that_are_not_ready() {
    let cluster = Cluster::local(&FIVE);
    let (old, new) = (
        |node: &str, file: &str| cluster.in_old(node, file),
        |node: &str, file: &str| cluster.in_new(node, file),
    );
    let environment = "\n[[apim.gateway.environment]]\nname = \"Production and Sandbox\"\n";
    let wrongs = [
        wrong(
            new("tm1", "bin/version.txt"),
            to("WSO2 API Manager v4.1.01\n"),
            "must be of version 4.1.0; its bin/version.txt says 'WSO2 API Manager v4.1.01'",
        ),
        wrong(
            old("cp2", CONFIGURATION),
            for_("\"api-devportal\"", "\"gateway-worker\""),
            "cp2 was gateway-worker and cannot become control-plane",
        ),
        wrong(
            new("gw1", CONFIGURATION),
            for_("\"gateway-worker\"", "\"traffic-manager\""),
            "is set up for traffic-manager, not for gateway-worker",
        ),
        wrong(old("cp1", CONFIGURATION), and(environment), "must have a unique name"),
        wrong(
            old("cp1", "repository/conf/api-manager.xml"),
            for_("<Name>Production and Sandbox<", "<Name>Test<"),
            "in deployment.toml and Test in api-manager.xml",
        ),
        wrong(
            old("cp1", "repository/conf/registry.xml"),
            for_("<versioningTags>false", "<versioningTags>true"),
            "cp1 keeps versions of some of properties, comments, tags and ratings",
        ),
    ];
    assert_each_refused(&cluster, wrongs);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn configuration_and_files_that_cannot_be_carried_over() {
    let cluster = Cluster::local(&FIVE);
    let (old, new) = (
        |node: &str, file: &str| cluster.in_old(node, file),
        |node: &str, file: &str| cluster.in_new(node, file),
    );
    let wrongs = [
        wrong(
            old("gw2", CONFIGURATION),
            and("\n[realm_manager]\ndata_source = \"WSO2USER_DB\"\n"),
            "users are in WSO2USER_DB, and there is no [database.user]",
        ),
        wrong(
            old("gw2", CONFIGURATION),
            for_("\"corp.jks\"", "\"gone.jks\""),
            "names keystores that are not in repository/resources/security: gone.jks",
        ),
        wrong(
            old("gw1", &format!("{SECURITY}/client-truststore.jks")),
            to("no keystore"),
            "client-truststore.jks",
        ),
        wrong(old("tm1", CONFIGURATION), and("\n[server]\noffset = 1\n"), "deployment.toml:"),
        wrong(old("gw1", LOGGING), to(&data("log4j-2.6.0.properties")), "log4j2_convert"),
        wrong(old("gw1", CONFIGURATION), for_("\"SOAPAction\"]", "\"X-Corp\"]"), "decide on these keys of"),
        wrong(new("gw2", "updates/config.json"), to("{}"), "are not at the same update level"),
        wrong(
            old("cp1", &format!("{DROPINS}/org.wso2.carbon.is.migration-1.0.154.jar")),
            to("x"),
            "contains org.wso2.carbon.is.migration-1.0.154.jar from an earlier migration",
        ),
    ];
    assert_each_refused(&cluster, wrongs);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn files_that_are_one_too_many_or_not_the_same() {
    let cluster = Cluster::local(&FIVE);
    let second = cluster.in_old("gw1", &format!("{LIB}/mysql-connector-java-5.1.44.jar"));
    jar(&second, &["com/mysql/jdbc/Driver.class", "com/mysql/cj/jdbc/Driver.class"]);
    assert_refused(
        &cluster.steps(&[]),
        "but mysql-connector-j-8.0.33.jar, mysql-connector-java-5.1.44.jar do",
    );
    fs::remove_file(second).unwrap();

    let other = tempdir().unwrap();
    keystores(other.path(), 900);
    let put = |from: &Path| {
        for name in ["corp.jks", "client-truststore.jks"] {
            fs::copy(from.join(name), cluster.in_old("gw2", &format!("{SECURITY}/{name}"))).unwrap();
        }
    };
    put(other.path());
    assert_refused(
        &cluster.steps(&[]),
        "corp.jks of gw2 differs from that of cp1: one node could not decrypt what the other encrypts",
    );
    let allowed = "{wso2_keystores_per_node: [corp.jks, client-truststore.jks]}";
    let ran = cluster.steps(&["--check", "-e", allowed]);
    assert_eq!(ran.code, Some(0), "{ran}");

    keystores(other.path().join("expired").as_path(), 1);
    put(&other.path().join("expired"));
    assert_refused(&cluster.steps(&["-e", allowed]), "corp.jks");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_node_with_two_roles() {
    let cluster = Cluster::local(&FIVE);
    cluster.project.host("[traffic_manager]\ngw1").unwrap();
    assert_refused(
        &cluster.steps(&[]),
        "gw1 must be in one of the groups all_in_one, control_plane, traffic_manager, gateway_worker, not in",
    );
}
