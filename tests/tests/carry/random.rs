//! `toml_carry` with random changes of the real default file.

use std::collections::HashSet;

use convoy_agent::carry::{Flat, equivalent};
use convoy_agent::formats::toml::{KeyPath, Merge, Part, Toml};
use convoy_protocol::{Status, Value, map};
use convoy_tests::program::wso2_file;
use proptest::prelude::*;

use crate::harness::Node;
use crate::toml::{carry_arguments, entry_keys, node_with_files};

/// A change of a file.
#[derive(Debug, Clone)]
enum Edit {
    /// An existing key gets another value.
    Set(usize, Value),
    /// An existing key is removed.
    Remove(usize),
    /// A key is added.
    Add(&'static str, Value),
}

/// Keys to add: some exist in the new default, some are in tables that it has, some are in new tables.
const ADDED: [&str; 9] = [
    "server.offset",
    "apim.analytics.enable",
    "apim.analytics.auth_token",
    "apim.cors.\"x.y\"",
    "apim.gateway.environment[name=\"Default\"].type",
    "apim.gateway.environment[name=\"Own\"].service_url",
    "event_listener[id=\"token_revocation\"].properties.username",
    "transport.https.properties.proxyPort",
    "apim.gateway.environment[name=\"Production and Sandbox\"].more.deep",
];

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0_i64..9).prop_map(Value::from),
        "[ -~é]{0,9}".prop_map(Value::from),
        Just(vec![Value::from("a"), 1.into()].into()),
    ]
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (any::<usize>(), values()).prop_map(|(at, value)| Edit::Set(at, value)),
        any::<usize>().prop_map(Edit::Remove),
        (prop::sample::select(&ADDED[..]), values()).prop_map(|(key, value)| Edit::Add(key, value)),
    ];
    prop::collection::vec(edit, 0..12)
}

fn merge() -> Merge {
    let known = [("apim.gateway.environment", "name"), ("event_handler", "name"), ("event_listener", "id")];
    let known_by = known.map(|(list, id)| (KeyPath::parse(list).unwrap(), id.to_owned())).to_vec();
    Merge { keep_last: Vec::new(), known_by }
}

fn flat(text: &str) -> Flat {
    Flat::of_tables(&Toml::parse(text.to_owned()).unwrap().data(), &merge()).unwrap()
}

fn with_edits(text: &str, edits: &[Edit]) -> String {
    let mut toml = Toml::parse(text.to_owned()).unwrap();
    for edit in edits {
        let flat = flat(toml.text());
        // Leave out the keys that identify tables.
        let is_id =
            |key: &KeyPath| matches!(&key.0[..], [.., Part::Where(id, _), Part::Key(last)] if id == last);
        let keys: Vec<&KeyPath> = flat.keys().iter().map(|(key, _)| key).filter(|key| !is_id(key)).collect();
        let key = |at: usize| keys[at % keys.len()].clone();
        match edit {
            Edit::Set(at, value) => toml.set(&key(*at), value, &merge()).unwrap(),
            Edit::Remove(at) => toml.remove(&key(*at)).unwrap(),
            Edit::Add(key, value) => toml.set(&KeyPath::parse(key).unwrap(), value, &merge()).unwrap(),
        }
    }
    toml.text().to_owned()
}

fn comments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.trim_start().starts_with('#')).collect()
}

/// Carries the changes twice and asserts that the second time changes nothing.
fn carry_twice(node: &mut Node) -> (convoy_protocol::Outcome, String) {
    let args = carry_arguments(node, map! {});
    let done = node.run("toml_carry", args.clone());
    assert!(matches!(done.status, Status::Changed | Status::Same), "{:?}", done.values);
    let text = node.read("new");
    let again = node.run("toml_carry", args);
    assert_eq!(again.status, Status::Same, "{:?}", again.values);
    assert_eq!(entry_keys(&again, "carried"), Vec::<String>::new());
    assert_eq!(entry_keys(&again, "undecided"), entry_keys(&done, "undecided"));
    assert_eq!(node.read("new"), text);
    (done, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[cfg_attr(
        not(has_wso2_data),
        ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
    )]
    fn every_change_is_carried_or_reported_and_nothing_else_changes(edits in edits()) {
        let (old, new) = (wso2_file("deployment-3.1.0.toml"), wso2_file("deployment-4.1.0.toml"));
        let user_file = with_edits(&old, &edits);
        let mut node = node_with_files(&old, &user_file, &new);
        let (done, text) = carry_twice(&mut node);
        prop_assert_eq!(comments(&new), comments(&text));
        let (old, user_file, new, after) = (flat(&old), flat(&user_file), flat(&new), flat(&text));
        let keys = |name: &str| -> HashSet<String> {
            let entries = done.values[name].as_list().unwrap().iter();
            entries.map(|entry| entry.get("key").unwrap_or(entry).as_str().unwrap().to_owned()).collect()
        };
        let (carried, undecided, same) = (keys("carried"), keys("undecided"), keys("same"));
        // Carried keys have the user's values; all others have those of the new default.
        for (key, value) in after.keys() {
            let wanted = if carried.contains(&key.to_string()) { &user_file } else { &new };
            let is_id_of_new_table = new.get(key).is_none() && !carried.contains(&key.to_string());
            prop_assert!(!is_id_of_new_table, "{} is unexpected", key);
            prop_assert!(equivalent(wanted.get(key).unwrap(), value), "{}: {:?}", key, value);
        }
        for (key, _) in new.keys() {
            prop_assert!(after.get(key).is_some(), "{} is lost", key);
        }
        // Every change is reported once; a removed table is reported as a whole.
        for (key, _) in user_file.keys().iter().chain(old.keys()) {
            let is_changed = match (old.get(key), user_file.get(key)) {
                (Some(old), Some(user_file)) => !equivalent(old, user_file),
                (old, user_file) => old.is_some() != user_file.is_some(),
            };
            let name = key.to_string();
            let occurrences = |set: &HashSet<String>| set.iter().filter(|entry| KeyPath::parse(entry).unwrap().is_or_holds(&name)).count();
            let count = occurrences(&carried) + occurrences(&undecided) + occurrences(&same);
            let is_in_table = |set: &HashSet<String>| occurrences(set) > 0 && !set.contains(&name);
            if is_changed {
                prop_assert_eq!(count, 1, "{}", key);
            } else if count > 0 {
                prop_assert!(is_in_table(&undecided) || is_in_table(&same), "{}", key);
            }
        }
    }
}
