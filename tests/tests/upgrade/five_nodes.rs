//! Steps 1 and 2 of the upgrade on clusters of five nodes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use convoy_tests::program::{RunOutput, wso2_file};
use convoy_tests::project::contents;
use toml_edit::{DocumentMut, Item};

use crate::cluster::{CONFIGURATION, Cluster, DROPINS, FIVE_NODES, LIB, LOGGING, Profile, SECURITY, write};

/// Returns the content of all homes, old and new.
fn all_homes(cluster: &Cluster) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (node, _) in FIVE_NODES {
        let dir = cluster.old_path(node, "").parent().unwrap().to_owned();
        all.extend(
            contents(&dir).unwrap().into_iter().map(|(path, content)| (Path::new(node).join(path), content)),
        );
    }
    all
}

/// Returns the `changed` lines of a run, each with the heading of its task.
fn changed_results(ran: &RunOutput) -> Vec<String> {
    let mut task = "";
    let mut lines = Vec::new();
    for line in ran.stdout.lines() {
        if line.starts_with("TASK [") {
            task = line;
        } else if line.starts_with("changed: ") {
            lines.push(format!("{task} {line}"));
        }
    }
    // Hosts finish in any order.
    lines.sort();
    lines
}

/// Returns the sorted lines of the diffs that a run printed.
fn diff_lines(ran: &RunOutput) -> Vec<&str> {
    let mut lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with(['+', '-'])).collect();
    lines.sort_unstable();
    lines
}

fn assert_no_secret(ran: &RunOutput) {
    for secret in ["admin-of-corp", "apim_db-of-corp", "shared_db-of-corp", "corpstore", "corpkey"] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret} is shown: {ran}");
    }
}

fn text_at<'d>(document: &'d DocumentMut, path: &str) -> &'d str {
    let item = path.split('.').fold(document.as_item(), |item, key| &item[key]);
    item.as_str().unwrap_or_else(|| panic!("{path} is {item:?}"))
}

fn texts(item: &Item) -> Vec<&str> {
    item.as_array()
        .unwrap_or_else(|| panic!("{item:?}"))
        .iter()
        .map(|value| value.as_str().unwrap())
        .collect()
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn check_mode_predicts_the_run_and_a_second_run_changes_nothing() {
    let cluster = Cluster::over_ssh(&FIVE_NODES);
    let before = all_homes(&cluster);
    let checked = cluster.apply_file_steps(&["--check", "--diff"]);
    assert_eq!(checked.code, Some(0), "{checked}");
    assert!(before == all_homes(&cluster), "check mode wrote something");
    let done = cluster.apply_file_steps(&["--diff"]);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(changed_results(&checked), changed_results(&done));
    assert_eq!(diff_lines(&checked), diff_lines(&done));
    for ran in [&checked, &done] {
        assert_no_secret(ran);
    }
    let after = all_homes(&cluster);
    let again = cluster.apply_file_steps(&["--diff", "-vvv"]);
    assert_eq!((again.code, changed_results(&again)), (Some(0), Vec::new()), "{again}");
    assert!(after == all_homes(&cluster), "the second run wrote something");
    assert_no_secret(&again);
    // The old homes are never written.
    let old = |all: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<_> {
        all.iter()
            .filter(|(path, _)| path.to_string_lossy().contains("3.1.0"))
            .map(|(p, c)| (p.clone(), c.clone()))
            .collect()
    };
    assert!(old(&before) == old(&after), "an old home was written");
    assert_configuration_follows_the_page(&cluster);
    assert_defaults_are_kept(&cluster);
    assert_files_are_copied(&cluster);
}

fn assert_configuration_follows_the_page(cluster: &Cluster) {
    for (node, _) in FIVE_NODES {
        let document = cluster.configuration(node);
        let role = match &node[..2] {
            "cp" => "control-plane",
            "tm" => "traffic-manager",
            _ => "gateway-worker",
        };
        assert_eq!(text_at(&document, "server.server_role"), role);
        assert_eq!(text_at(&document, "server.hostname"), format!("{node}.corp"));
        // Step 1.2: apim_db is new on traffic managers, and gateways have none.
        let mut databases = vec![("shared_db", "reg_db")];
        databases.extend((role != "gateway-worker").then_some(("apim_db", "am_db")));
        for (section, name) in databases {
            let at = |key: &str| text_at(&document, &format!("database.{section}.{key}"));
            let url = format!("jdbc:mysql://db.corp:3306/{name}?useSSL=false&amp;autoReconnect=true");
            assert_eq!([at("type"), at("url")], ["mysql", &*url], "{node}");
            assert_eq!(
                [at("username"), at("password")],
                [&*format!("{section}-user"), &*format!("{section}-of-corp")]
            );
            assert_eq!([at("driver"), at("validationQuery")], ["com.mysql.cj.jdbc.Driver", "SELECT 1"]);
            for gone in ["hostname", "name", "port"] {
                assert!(document["database"][section].get(gone).is_none(), "{node}: {section}.{gone}");
            }
        }
        assert_eq!(document["database"].get("apim_db").is_some(), role != "gateway-worker", "{node}");
        // Steps 1.6 and 2.5: the changes of the company, including keystores.
        assert_eq!(text_at(&document, "super_admin.password"), "admin-of-corp");
        assert_eq!(text_at(&document, "keystore.tls.key_password"), "corpkey");
        assert_eq!(text_at(&document, "transport.https.properties.sslEnabledProtocols"), "TLSv1.2");
        assert!(document["server"].get("mode").is_none() && document.get("registry").is_none(), "{node}");
    }
    assert_control_planes_keep_their_environment(cluster);
    assert_gateways_have_their_endpoints(cluster);
}

/// Step 1.4: the old name is combined with the other settings of the new environment.
fn assert_control_planes_keep_their_environment(cluster: &Cluster) {
    for node in ["cp1", "cp2"] {
        let document = cluster.configuration(node);
        let environments = document["apim"]["gateway"]["environment"].as_array_of_tables().unwrap();
        let names: Vec<_> =
            environments.iter().map(|environment| environment["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Production and Sandbox"], "{node}");
        let environment = environments.get(0).unwrap();
        assert_eq!(environment["https_endpoint"].as_str(), Some("https://api.gw.wso2.com:8243/"));
        assert_eq!(environment["provider"].as_str(), Some("wso2"));
        assert_eq!(
            environment["websub_event_receiver_https_endpoint"].as_str(),
            Some("https://api.gw.wso2.com:8021")
        );
        assert!(document["apim"].get("sync_runtime_artifacts").is_none(), "{node}");
        let hub = &document["apim"]["event_hub"];
        let other = if node == "cp1" { "tcp://cp2:5672" } else { "tcp://cp1:5672" };
        assert_eq!(texts(&hub["event_duplicate_url"]), [other]);
        assert_eq!(hub["publish"]["url_group"].as_array_of_tables().unwrap().len(), 2);
    }
}

fn assert_gateways_have_their_endpoints(cluster: &Cluster) {
    for node in ["gw1", "gw2"] {
        let document = cluster.configuration(node);
        let labels = &document["apim"]["sync_runtime_artifacts"]["gateway"]["gateway_labels"];
        assert_eq!(texts(labels), ["Production and Sandbox", "Default"]);
        assert_eq!(text_at(&document, "apim.key_manager.service_url"), "https://apim.corp:9443/services/");
        assert_eq!(
            text_at(&document, "apim.oauth_config.revoke_endpoint"),
            "https://apim.corp:9443/oauth2/revoke"
        );
        assert_eq!(
            texts(&document["apim"]["event_hub"]["event_listening_endpoints"]),
            ["tcp://cp1:5672", "tcp://cp2:5672"]
        );
        // Only the traffic managers of the old gateway.
        assert_eq!(
            texts(&document["apim"]["throttling"]["throttle_decision_endpoints"]),
            ["tcp://tm1.corp:5672", "tcp://tm2.corp:5672"]
        );
        assert_eq!(text_at(&document, "apim.throttling.service_url"), "https://tm1.corp:9443/services/");
        let groups = document["apim"]["throttling"]["url_group"].as_array_of_tables().unwrap();
        let urls: Vec<_> = groups.iter().flat_map(|group| texts(&group["traffic_manager_urls"])).collect();
        assert_eq!(urls, ["tcp://tm1.corp:9611", "tcp://tm2.corp:9611"]);
        // The analytics settings of 3.1.0 have no counterpart; the CORS headers were the default.
        assert!(document["apim"]["analytics"].get("analytics_node").is_none(), "{node}");
        assert!(texts(&document["apim"]["cors"]["allow_headers"]).contains(&"Internal-Key"));
    }
}

/// Comments and sections of the new defaults keep their order.
fn assert_defaults_are_kept(cluster: &Cluster) {
    for (node, profile) in FIVE_NODES {
        let now = fs::read_to_string(cluster.new_path(node, CONFIGURATION)).unwrap();
        let shipped = profile.new_default();
        let comments = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.trim_start().starts_with('#')).map(str::to_owned).collect()
        };
        let mut kept = comments(&now).into_iter();
        for comment in comments(&shipped) {
            assert!(kept.any(|line| line == comment), "{node}: {comment} is gone or elsewhere");
        }
        let headers = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with('[')).map(|line| line.trim().to_owned()).collect()
        };
        let mut there = headers(&now).into_iter();
        for header in headers(&shipped) {
            assert!(there.any(|line| line == header), "{node}: {header} is gone or elsewhere:\n{now}");
        }
    }
}

fn assert_files_are_copied(cluster: &Cluster) {
    for (node, profile) in FIVE_NODES {
        let same = |file: &str| {
            fs::read(cluster.old_path(node, file)).unwrap() == fs::read(cluster.new_path(node, file)).unwrap()
        };
        let file_names = |dir: &str| -> Vec<String> {
            let mut file_names: Vec<String> = fs::read_dir(cluster.new_path(node, dir))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            file_names.sort();
            file_names
        };
        for file in ["corp.jks", "client-truststore.jks"] {
            assert!(same(&format!("{SECURITY}/{file}")), "{node}: {file}");
        }
        let gateway = profile == Profile::Gateway;
        let jars: &[&str] = if gateway {
            &["corp-masking-1.4.jar", "mysql-connector-j-8.0.33.jar"]
        } else {
            &["mysql-connector-j-8.0.33.jar"]
        };
        assert_eq!(file_names(LIB), jars, "{node}");
        let bundles: &[&str] = if gateway { &["corp.mediators-2.0.1.jar"] } else { &[] };
        assert_eq!(file_names(DROPINS), bundles, "{node}");
        let control_plane = node.starts_with("cp");
        assert_eq!(
            cluster.new_path(node, "repository/deployment/server/userstores/CORP.xml").exists(),
            control_plane,
            "{node}"
        );
        // User stores of tenants are copied after step 4.
        assert!(!cluster.new_path(node, "repository/tenants").exists(), "{node}");
        let logging = fs::read_to_string(cluster.new_path(node, LOGGING)).unwrap();
        for line in ["appender.CORP.fileName", "logger.corp.name", "logger.corp.appenderRef.CORP.ref"] {
            assert!(logging.contains(line), "{node}: {line}: {logging}");
        }
        assert!(
            logging.contains("API_LOGFILE") && logging.contains("%i"),
            "{node}: the vendor's own is gone: {logging}"
        );
        let listed = logging.lines().find(|line| line.starts_with("appenders")).unwrap();
        assert!(listed.ends_with("CORP") && listed.contains("API_LOGFILE"), "{node}: {listed}");
    }
    assert!(wso2_file("log4j2-4.1.0.properties").contains("API_LOGFILE"));
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn limits_and_tags_restrict_the_changes() {
    let cluster = Cluster::local(&FIVE_NODES);
    let before = all_homes(&cluster);
    let changed_paths =
        |before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<String> {
            let paths = after.iter().filter(|(path, content)| before.get(*path) != Some(content));
            paths.map(|(path, _)| path.display().to_string()).collect()
        };
    let ran = cluster.apply(&["--tags", "jdbc_driver", "--limit", "gateway_worker"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let after = all_homes(&cluster);
    let driver = |node: &str| format!("{node}/wso2am-4.1.0/{LIB}/mysql-connector-j-8.0.33.jar");
    assert_eq!(changed_paths(&before, &after), [driver("gw1"), driver("gw2")]);

    let ran = cluster.apply(&["--tags", "step1", "--limit", "tm1"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let later = all_homes(&cluster);
    let changed = changed_paths(&after, &later);
    assert!(
        changed.len() == 2
            && changed.iter().all(|path| path.starts_with(&format!("tm1/wso2am-4.1.0/{CONFIGURATION}"))),
        "{changed:?}"
    );
    // A traffic manager gets its missing settings from the first control plane, even if the limit excludes that.
    assert_eq!(text_at(&cluster.configuration("tm1"), "database.apim_db.password"), "apim_db-of-corp");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn keystores_are_copied_to_the_identity_server() {
    let cluster = Cluster::local(&[("one", Profile::AllInOne)]);
    let home = cluster.old_path("one", "../wso2is-5.11.0");
    write(&home.join("bin/version.txt"), b"WSO2 Identity Server v5.10.0\n");
    fs::create_dir_all(home.join(SECURITY)).unwrap();
    let line = format!("[identity_server]\nis1 ansible_connection=local wso2_is_home={}", home.display());
    cluster.project.host(&line).unwrap();
    let refused = cluster.apply_file_steps(&[]);
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        refused.stdout.contains("must be WSO2 Identity Server 5.11.0; its bin/version.txt says"),
        "{refused}"
    );
    assert!(!refused.stdout.contains("changed: ["), "{refused}");
    write(&home.join("bin/version.txt"), b"WSO2 Identity Server v5.11.0\n");
    let ran = cluster.apply_file_steps(&["--diff"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for store in ["corp.jks", "client-truststore.jks"] {
        let file = format!("{SECURITY}/{store}");
        assert!(
            fs::read(home.join(&file)).unwrap() == fs::read(cluster.old_path("one", &file)).unwrap(),
            "{store}"
        );
    }
    assert_no_secret(&ran);
    let again = cluster.apply_file_steps(&[]);
    assert!(again.code == Some(0) && !again.stdout.contains("changed: "), "{again}");
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
#[cfg_attr(not(can_mount), ignore = "needs root to change the owner of files")]
fn new_files_have_the_owner_of_the_old_home() {
    let cluster = Cluster::local(&[("one", Profile::AllInOne)]);
    // Ids without accounts, so that names do not matter.
    std::os::unix::fs::chown(cluster.old_path("one", ""), Some(4321), Some(4322)).unwrap();
    let ran = cluster.apply_file_steps(&[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for file in [
        CONFIGURATION,
        LOGGING,
        &format!("{SECURITY}/corp.jks"),
        &format!("{LIB}/mysql-connector-j-8.0.33.jar"),
    ] {
        let meta = fs::metadata(cluster.new_path("one", file)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4321, 4322), "{file}");
    }
}
