//! `toml_carry` with `deployment.toml` and the templates of the roles.

use convoy_protocol::{Map, Outcome, Status, Value, map};
use convoy_tests::program::wso2_file;

use crate::harness::Node;

/// Returns a node with the old default, the user's file and the new default.
pub(crate) fn node_with_files(old: &str, user_file: &str, new: &str) -> Node {
    let node = Node::new();
    for (name, text) in [("old", old), ("yours", user_file), ("new", new)] {
        node.write(name, text);
    }
    node
}

/// Returns the arguments of `toml_carry`, with these in addition.
pub(crate) fn carry_arguments(node: &Node, more: Map) -> Map {
    let known_by = map! {
        "apim.gateway.environment" => "name",
        "event_handler" => "name",
        "event_listener" => "id",
    };
    let mut args = map! {
        "src" => node.text("yours"),
        "base" => node.text("old"),
        "path" => node.text("new"),
        "known_by" => known_by,
        "keep_last" => "secrets",
    };
    args.extend(more);
    args
}

/// Returns the keys in a list of the result, with their new names and reasons if they have any.
pub(crate) fn entry_keys(outcome: &Outcome, name: &str) -> Vec<String> {
    let entry = |value: &Value| match value.as_map() {
        None => value.as_str().unwrap().to_owned(),
        Some(map) => {
            let text = |name: &str| map.get(name).and_then(Value::as_str);
            let to = text("to").map(|to| format!(" -> {to}")).unwrap_or_default();
            // The part without values.
            let reason = text("reason").map(|why| format!(": {}", why.split(": ").next().unwrap()));
            format!("{}{to}{}", text("key").unwrap(), reason.unwrap_or_default())
        }
    };
    outcome.values[name].as_list().unwrap().iter().map(entry).collect()
}

/// Returns text in which the first occurrence of each of these texts is replaced.
fn with_replacements(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the file");
        text.replacen(from, to, 1)
    })
}

const REASON: &str = "the new default no longer has it";

/// The default files of the old roles, and those of the new roles that replace them.
const ROLES: [(&str, &str); 6] = [
    ("deployment-3.1.0", "deployment-4.1.0"),
    ("profile-3.1.0-api-publisher", "profile-4.1.0-control-plane"),
    ("profile-3.1.0-api-devportal", "profile-4.1.0-control-plane"),
    ("profile-3.1.0-api-key-manager", "profile-4.1.0-control-plane"),
    ("profile-3.1.0-gateway-worker", "profile-4.1.0-gateway-worker"),
    ("profile-3.1.0-traffic-manager", "profile-4.1.0-traffic-manager"),
];

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn an_unchanged_default_carries_nothing() {
    for (old, new) in ROLES {
        let old = wso2_file(&format!("{old}.toml"));
        let new = wso2_file(&format!("{new}.toml"));
        let mut node = node_with_files(&old, &old, &new);
        for _ in 0..2 {
            let args = carry_arguments(&node, map! {});
            let done = node.run("toml_carry", args);
            assert_eq!(done.status, Status::Same, "{:?}", done.values);
            for name in ["carried", "undecided", "dropped", "same", "unused_decisions"] {
                assert_eq!(entry_keys(&done, name), Vec::<String>::new(), "{name}");
            }
        }
        assert_eq!(node.read("new"), new);
    }
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn changes_of_each_role_are_carried() {
    for (old, new) in &ROLES[1..] {
        let old = wso2_file(&format!("{old}.toml"));
        let is_distributed = !new.ends_with("control-plane");
        let user_file = with_replacements(
            &old,
            &[
                ("node_ip = \"127.0.0.1\"", "node_ip = \"127.0.0.1\"\noffset = 3"),
                ("hostname = \"shared_db.mysql\"", "hostname = \"db.example.com\""),
                ("password = \"admin\"", "password = \"$secret{admin}\""),
                ("[keystore.tls]", "[transport.https.properties]\nproxyPort = 443\n\n[keystore.tls]"),
            ],
        );
        let user_file = format!("{user_file}\n\n[secrets]\nadmin = \"[hunter2]\"\n");
        let new = wso2_file(&format!("{new}.toml"));
        let mut node = node_with_files(&old, &user_file, &new);
        let args = carry_arguments(&node, map! {});
        let done = node.converges("toml_carry", args);
        let mut carried = vec![
            "server.offset",
            "super_admin.password",
            "database.shared_db.hostname",
            "transport.https.properties.proxyPort",
            "secrets.admin",
        ];
        let mut undecided = Vec::new();
        if !is_distributed {
            // Its template has URLs of H2 files instead of host names.
            carried.retain(|key| *key != "database.shared_db.hostname");
            undecided.push(format!("database.shared_db.hostname: {REASON}"));
        }
        assert_eq!(entry_keys(&done, "carried"), carried);
        assert_eq!(entry_keys(&done, "undecided"), undecided);
        let file = node.read("new");
        assert!(file.ends_with("[secrets]\nadmin = \"[hunter2]\"\n"), "{file}");
        assert!(!format!("{:?} {:?}", done.values, done.diff).contains("hunter2"));
    }
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_file_with_many_changes_is_carried() {
    let user_file = wso2_file("fullconfig-3.1.0-scenario1-deployment.toml");
    let mut node =
        node_with_files(&wso2_file("deployment-3.1.0.toml"), &user_file, &wso2_file("deployment-4.1.0.toml"));
    let args = carry_arguments(&node, map! {});
    let done = node.converges("toml_carry", args);
    assert_eq!(entry_keys(&done, "carried").len(), 109);
    let removed = "you removed it, and the new default has it";
    assert_eq!(
        entry_keys(&done, "undecided"),
        [
            format!("apim.gateway.environment[name=\"Production and Sandbox\"]: {REASON}"),
            "apim.analytics.enable: the new default has it, too".to_owned(),
            "apim.cors.allow_headers: the default changed, too".to_owned(),
            format!("server.hostname: {removed}"),
            format!("database.local.url: {removed}"),
            format!("event_handler[name=\"userPostSelfRegistration\"]: {removed}"),
            format!("service_provider.sp_name_regex: {removed}"),
        ]
    );
    // Nothing else of the new default is lost, including its comments.
    let (file, new) = (node.read("new"), wso2_file("deployment-4.1.0.toml"));
    let lost: Vec<&str> = new.lines().filter(|line| !file.lines().any(|kept| kept == *line)).collect();
    assert_eq!(
        lost,
        [
            "base_path = \"${carbon.protocol}://${carbon.host}:${carbon.management.port}\"",
            "url = \"jdbc:h2:./repository/database/WSO2AM_DB;AUTO_SERVER=TRUE;DB_CLOSE_ON_EXIT=FALSE\"",
            "allow_origins = \"*\"",
            "allow_credentials = false",
        ]
    );
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn rules_and_decisions_resolve_all_conflicts() {
    let user_file = wso2_file("fullconfig-3.1.0-scenario1-deployment.toml");
    let mut node =
        node_with_files(&wso2_file("deployment-3.1.0.toml"), &user_file, &wso2_file("deployment-4.1.0.toml"));
    let environment = |name: &str| format!("apim.gateway.environment[name=\"{name}\"]");
    let moved = |key: &str, from: &str, value: &str| {
        Value::from(map! { "key" => key, "do" => "replace", "from" => from, "value" => value })
    };
    let rules = vec![
        Value::from(map! { "key" => "apim.analytics", "do" => "drop", "reason" => "analytics is another product now" }),
        map! { "key" => environment("Production and Sandbox"), "do" => "rename", "to" => environment("Default") }.into(),
        moved("apim.oauth_config.revoke_endpoint", ":8243/revoke$", ":9443/oauth2/revoke"),
        moved("apim.workflow.token_endpoint", ":8243/token$", ":9443/oauth2/token"),
        moved("apim.workflow.*", "/v0\\.16/", "/v0.17/"),
        map! { "key" => "database.local", "do" => "drop", "reason" => "set by the playbook" }.into(),
    ];
    let decisions = map! {
        "apim.cors.allow_headers" => map! { "value" => vec![Value::from("apikey"), "Internal-Key".into()] },
        "server.hostname" => "new",
        "event_handler" => "new",
        "service_provider" => "mine",
        "apim.jwt" => "mine",
        environment("Default").as_str() => "mine",
        environment("Production and Sandbox").as_str() => "mine",
    };
    let more = map! { "rules" => rules, "decisions" => decisions, "except" => "keystore" };
    let args = carry_arguments(&node, more);
    let done = node.converges("toml_carry", args);
    assert_eq!(entry_keys(&done, "undecided"), Vec::<String>::new());
    assert_eq!(entry_keys(&done, "unused_decisions"), ["apim.jwt", environment("Default").as_str()]);
    let file = node.read("new");
    let carried = entry_keys(&done, "carried");
    let moved = format!(
        "{}.ws_endpoint -> {}.ws_endpoint",
        environment("Production and Sandbox"),
        environment("Default")
    );
    assert!(carried.contains(&moved), "{carried:?}");
    for line in [
        "ws_endpoint = \"ws://localhost:9098\"",
        "revoke_endpoint = \"https://localhost:9443/oauth2/revoke\"",
        "token_endpoint = \"https://localhost:9443/oauth2/token\"",
        "callback_endpoint = \"https://localhost:9443/api/am/publisher/v0.17/workflows/update-workflow-status\"",
        "client_registration_endpoint = \"https://localhost:9443/client-registration/v0.17/register\"",
        "allow_headers = [\"apikey\", \"Internal-Key\"]",
        "white_listed_scopes = [\"^device_.*\",\"openid\",\"custom_device\"]",
    ] {
        assert!(file.lines().any(|kept| kept == line), "{line} is not in\n{file}");
    }
    for removed_text in ["Production and Sandbox", "sp_name_regex", "analytics.com"] {
        assert!(!file.contains(removed_text), "{removed_text} is in\n{file}");
    }
}
