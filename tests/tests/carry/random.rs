//! Any changes of the real default file.

use std::collections::HashSet;

use convoy_agent::carry::{Flat, equivalent};
use convoy_agent::formats::toml::{KeyPath, Merge, Part, Toml};
use convoy_protocol::{Status, Value, map};
use proptest::prelude::*;

use crate::harness::Node;
use crate::toml::{asked, data, list, prepared};

/// A change of a file.
#[derive(Debug, Clone)]
enum Edit {
    /// One of the keys that are there gets another value.
    Set(usize, Value),
    /// One of the keys that are there is removed.
    Remove(usize),
    /// A key is added.
    Add(&'static str, Value),
}

/// Keys that a default may or may not have: some the new one has, some in tables that it has, some in new tables.
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

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut toml = Toml::parse(text.to_owned()).unwrap();
    for edit in edits {
        let flat = flat(toml.text());
        // Not the key by which a table is known.
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

/// Carries, twice, and sees to it that the second time nothing happens.
fn carried(node: &mut Node) -> (convoy_protocol::Outcome, String) {
    let args = asked(node, map! {});
    let done = node.run("toml_carry", args.clone());
    assert!(matches!(done.status, Status::Changed | Status::Same), "{:?}", done.values);
    let text = node.read("new");
    let again = node.run("toml_carry", args);
    assert_eq!(again.status, Status::Same, "{:?}", again.values);
    assert_eq!(list(&again, "carried"), Vec::<String>::new());
    assert_eq!(list(&again, "undecided"), list(&done, "undecided"));
    assert_eq!(node.read("new"), text);
    (done, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[cfg_attr(
        not(has_wso2_data),
        ignore = "there is no folder of the product's files: name it by CONVOY_WSO2_DATA (../shared/wso2/data)"
    )]
    fn any_change_is_carried_or_told_and_nothing_else_is_touched(edits in edits()) {
        let (old, new) = (data("deployment-3.1.0.toml"), data("deployment-4.1.0.toml"));
        let yours = edited(&old, &edits);
        let mut node = prepared(&old, &yours, &new);
        let (done, text) = carried(&mut node);
        prop_assert_eq!(comments(&new), comments(&text));
        let (old, yours, new, after) = (flat(&old), flat(&yours), flat(&new), flat(&text));
        let keys = |name: &str| -> HashSet<String> {
            let entries = done.values[name].as_list().unwrap().iter();
            entries.map(|entry| entry.get("key").unwrap_or(entry).as_str().unwrap().to_owned()).collect()
        };
        let (carried, undecided, same) = (keys("carried"), keys("undecided"), keys("same"));
        // What is carried is the user's; all else is the new default's.
        for (key, value) in after.keys() {
            let wanted = if carried.contains(&key.to_string()) { &yours } else { &new };
            let is_id_of_new_table = new.get(key).is_none() && !carried.contains(&key.to_string());
            prop_assert!(!is_id_of_new_table, "{} came from nowhere", key);
            prop_assert!(equivalent(wanted.get(key).unwrap(), value), "{}: {:?}", key, value);
        }
        for (key, _) in new.keys() {
            prop_assert!(after.get(key).is_some(), "{} is lost", key);
        }
        // Every change is told once; a table that is gone is told as a whole.
        for (key, _) in yours.keys().iter().chain(old.keys()) {
            let is_changed = match (old.get(key), yours.get(key)) {
                (Some(old), Some(yours)) => !equivalent(old, yours),
                (old, yours) => old.is_some() != yours.is_some(),
            };
            let name = key.to_string();
            let told = |set: &HashSet<String>| set.iter().filter(|one| KeyPath::parse(one).unwrap().is_or_holds(&name)).count();
            let count = told(&carried) + told(&undecided) + told(&same);
            let is_in_table = |set: &HashSet<String>| told(set) > 0 && !set.contains(&name);
            if is_changed {
                prop_assert_eq!(count, 1, "{}", key);
            } else if count > 0 {
                prop_assert!(is_in_table(&undecided) || is_in_table(&same), "{}", key);
            }
        }
    }
}
