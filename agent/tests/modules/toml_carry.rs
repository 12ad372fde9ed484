//! `toml_carry` and `properties_carry`.

use std::fs;

use convoy_protocol::{Map, Outcome, Value, map};

use super::harness::Node;
use super::toml::sides;

const OLD: &str = "\
[server]
hostname = \"localhost\"
mode = \"single\"
node_ip = \"127.0.0.1\"

[super_admin]
password = \"admin\"

[cors]
allow_headers = [\"a\", \"b\"]
pool = \"5\"
retries = 1

[flow]
url = \"https://localhost:8243/v0.16/token\"

[[env]]
name = \"Default\"
type = \"hybrid\"
ws = \"ws://localhost:9099\"

[[env]]
name = \"Production and Sandbox\"
type = \"hybrid\"
ws = \"ws://localhost:9099\"

[[rules]]
on = true
";

const NEW: &str = "\
# The new version.
[server]
hostname = \"localhost\"   # as others see it

[super_admin]
password = \"admin\"

[cors]
allow_headers = [\"a\", \"b\", \"c\"]
pool = 5
retries = 1
provider = \"new\"

[[env]]
name = \"Default\"
type = \"hybrid\"
ws = \"ws://localhost:9099\"

[[rules]]
on = true

[secrets]
k = \"[plain]\"
";

/// A node with an old default, a new file, and a user's file: the old default with `edits` made.
pub(crate) fn prepared(edits: &[(&str, &str)]) -> Node {
    let node = Node::new();
    let mut yours = OLD.to_owned();
    for (from, to) in edits {
        assert!(yours.contains(from), "{from} is not in the file");
        yours = yours.replacen(from, to, 1);
    }
    node.write("old", OLD);
    node.write("yours", &yours);
    node.write("new", NEW);
    node
}

pub(crate) fn asked(node: &Node, more: Map) -> Map {
    let mut args = map! {
        "src" => node.text("yours"),
        "base" => node.text("old"),
        "path" => node.text("new"),
        "known_by" => map! { "env" => "name" },
        "keep_last" => "secrets",
    };
    args.extend(more);
    args.retain(|_, value| !value.is_null());
    args
}

/// Returns one list of an answer, each entry in a line.
pub(crate) fn list(outcome: &Outcome, name: &str) -> Vec<String> {
    let entries = outcome.values[name].as_list().unwrap_or_else(|| panic!("{name}: {:?}", outcome.values));
    let entry = |value: &Value| match value.as_map() {
        None => value.as_str().unwrap_or_default().to_owned(),
        Some(map) => {
            let side =
                |name: &str| map.get(name).map(|value| format!(" {name}={value:?}")).unwrap_or_default();
            let key = map["key"].as_str().unwrap_or_default();
            let to = map.get("to").and_then(Value::as_str).map(|to| format!(" -> {to}")).unwrap_or_default();
            let reason =
                map.get("reason").and_then(Value::as_str).map(|text| format!(": {text}")).unwrap_or_default();
            format!("{key}{to}{}{}{}{}{reason}", side("old"), side("yours"), side("new"), side("value"))
        }
    };
    entries.iter().map(entry).collect()
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Runs until nothing changes; returns what the first run answered.
fn carried(node: &mut Node, more: Map) -> Outcome {
    let args = asked(node, more);
    node.converges("toml_carry", args)
}

/// Runs once, and expects that nothing is written.
fn only_told(node: &mut Node, more: Map) -> Outcome {
    let args = asked(node, more);
    let before = node.snapshot();
    let outcome = node.run("toml_carry", args);
    assert_eq!(outcome.status, convoy_protocol::Status::Same, "{:?}", outcome.values);
    assert_eq!(node.snapshot(), before);
    outcome
}

#[test]
fn what_the_new_version_left_alone_is_carried_and_nothing_else() {
    let mut node = prepared(&[
        ("hostname = \"localhost\"", "hostname = \"api.example.com\""),
        ("retries = 1", "retries = \"1\"\npool_max = 0x10"),
        ("[flow]", "[own.table]\nlist = [ 1,\n  2, # two\n]\n\n[flow]"),
    ]);
    let done = carried(&mut node, map! {});
    assert_eq!(
        list(&done, "carried"),
        [
            r#"server.hostname old="localhost" yours="api.example.com" new="localhost" value="api.example.com""#,
            "cors.pool_max old=null yours=16 new=null value=16",
            "own.table.list old=null yours=[1, 2] new=null value=[1, 2]",
        ]
    );
    for name in ["undecided", "dropped", "same", "unused_decisions"] {
        assert_eq!(list(&done, name), strings(&[]), "{name}");
    }
    assert_eq!(done.values["base"].as_str(), Some("found"));
    let expected = NEW
        .replace("hostname = \"localhost\"", "hostname = \"api.example.com\"")
        .replace("provider = \"new\"\n", "provider = \"new\"\npool_max = 0x10\n")
        .replace("[secrets]", "[own.table]\nlist = [ 1,\n  2, # two\n]\n\n[secrets]");
    assert_eq!(node.read("new"), expected);
    let again = only_told(&mut node, map! {});
    assert_eq!(list(&again, "same"), ["server.hostname", "cors.pool_max", "own.table.list"]);
    assert_eq!(list(&again, "carried"), strings(&[]));
}

#[test]
fn what_needs_a_decision_is_told_with_the_reason() {
    let edits = [
        ("mode = \"single\"", "mode = \"ha\""),
        ("\"a\", \"b\"", "\"a\", \"x\""),
        ("retries = 1\n", "provider = \"mine\"\n"),
        ("password = \"admin\"", "password = \"hunter2\""),
        ("type = \"hybrid\"\nws = \"ws://localhost:9099\"\n\n[[rules]]", "type = \"prod\"\n\n[[rules]]"),
    ];
    let mut node = prepared(&edits);
    node.write("new", &NEW.replace("password = \"admin\"", "password = \"changed\""));
    let told = only_told(&mut node, map! {});
    assert_eq!(
        list(&told, "undecided"),
        [
            r#"server.mode old="single" yours="ha" new=null: the new default no longer has it"#,
            "super_admin.password old=<secret> yours=<secret> new=<secret>: the default changed, too: from (secret) to (secret); yours is (secret)",
            r#"cors.allow_headers old=["a", "b"] yours=["a", "x"] new=["a", "b", "c"]: the default changed, too: from ["a", "b"] to ["a", "b", "c"]; yours is ["a", "x"]"#,
            r#"cors.provider old=null yours="mine" new="new": the new default has it, too: new; yours is mine"#,
            r#"env[name="Production and Sandbox"] old={"name": "Production and Sandbox", "type": "hybrid", "ws": "ws://localhost:9099"} yours={"name": "Production and Sandbox", "type": "prod"} new=null: the new default no longer has it"#,
            "cors.retries old=1 yours=null new=1: you removed it, and the new default has it: 1",
        ]
    );
    assert_eq!(list(&told, "carried"), strings(&[]));
}

#[test]
fn decisions_settle_what_is_undecided() {
    let edits = [
        ("mode = \"single\"", "mode = \"ha\""),
        ("\"a\", \"b\"", "\"a\", \"x\""),
        ("retries = 1\n", ""),
        ("hostname = \"localhost\"", "hostname = \"h\""),
        (
            "name = \"Production and Sandbox\"\ntype = \"hybrid\"",
            "name = \"Production and Sandbox\"\ntype = \"prod\"",
        ),
    ];
    let decisions = || {
        map! {
            "server.mode" => "new",
            "cors.allow_headers" => map! { "value" => vec![Value::from("z")] },
            "cors" => "mine",
            "env[name='Production and Sandbox']" => "mine",
            "server.hostname" => "mine",
            "nothing.here" => "mine",
        }
    };
    let mut node = prepared(&edits);
    fs::copy(node.path("new"), node.path("pristine")).unwrap();
    for new_base in [Value::null(), node.text("pristine").into()] {
        node.write("new", NEW);
        let more = || map! { "decisions" => decisions(), "new_base" => new_base.clone() };
        let done = carried(&mut node, more());
        let keys: Vec<String> = list(&done, "carried")
            .iter()
            .map(|line| line.split(" old=").next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(
            keys,
            ["server.hostname", "cors.allow_headers", "env[name=\"Production and Sandbox\"]", "cors.retries"]
        );
        assert_eq!(list(&done, "dropped"), ["server.mode: decided: the new default"]);
        assert_eq!(list(&done, "undecided"), strings(&[]));
        assert_eq!(list(&done, "unused_decisions"), ["server.hostname", "nothing.here"]);
        let file = node.read("new");
        assert!(file.contains("allow_headers = [\"z\"]\npool = 5\nprovider"), "{file}");
        let table =
            "[[env]]\nname = \"Production and Sandbox\"\ntype = \"prod\"\nws = \"ws://localhost:9099\"\n";
        assert!(file.contains(table), "{file}");
        // The answers are taken back: where the new default is known, it is restored.
        if new_base.is_null() {
            continue;
        }
        let back = map! { "cors" => "new", "env[name='Production and Sandbox']" => "new", "server.mode" => "new", "server.hostname" => "new" };
        carried(&mut node, map! { "decisions" => back, "new_base" => new_base });
        assert_eq!(
            node.read("new"),
            NEW.replace("retries = 1\nprovider = \"new\"\n", "provider = \"new\"\nretries = 1\n")
        );
    }
}

#[test]
fn rules_are_what_is_known_of_both_versions() {
    let mut node = prepared(&[
        ("mode = \"single\"", "mode = \"ha\""),
        ("node_ip = \"127.0.0.1\"", "node_ip = \"10.0.0.1\""),
        ("localhost:8243/v0.16/token", "api:8243/v0.16/token"),
        ("\"a\", \"b\"", "\"a\", \"x\""),
        ("retries = 1", "retries = 2"),
        ("pool = \"5\"", "pool = 7"),
        (
            "name = \"Production and Sandbox\"\ntype = \"hybrid\"",
            "name = \"Production and Sandbox\"\ntype = \"prod\"\nmore.deep = 1",
        ),
    ]);
    let rule = |entries: Map| Value::from(entries);
    let rules = vec![
        rule(map! { "key" => "server.mode", "do" => "drop", "reason" => "gone in the new version" }),
        rule(map! { "key" => "server.node_ip", "do" => "rename", "to" => "server.ip" }),
        rule(
            map! { "key" => "flow.*", "do" => "rename", "to" => "workflow.*", "from" => "8243/v0\\.16/(\\w+)", "value" => "9443/v0.17/\\1" },
        ),
        rule(map! { "key" => "cors.allow_headers", "do" => "carry" }),
        rule(
            map! { "key" => "cors.retries", "do" => "carry", "when" => map! { "yours" => vec![Value::from(3)] } },
        ),
        rule(
            map! { "key" => "cors.retries", "do" => "replace", "value" => 9, "when" => map! { "old" => 1, "yours" => vec![Value::from(1), 2.into()] } },
        ),
        rule(map! { "key" => "cors.**", "do" => "ask", "reason" => "pools are sized anew" }),
        rule(
            map! { "key" => "env[name=\"Production and Sandbox\"].**", "do" => "rename", "to" => "env[name=\"Default\"].**" },
        ),
    ];
    let done = carried(&mut node, map! { "rules" => rules });
    assert_eq!(
        list(&done, "carried"),
        [
            r#"server.node_ip -> server.ip old="127.0.0.1" yours="10.0.0.1" new=null value="10.0.0.1""#,
            r#"cors.allow_headers old=["a", "b"] yours=["a", "x"] new=["a", "b", "c"] value=["a", "x"]"#,
            "cors.retries old=1 yours=2 new=1 value=9",
            r#"flow.url -> workflow.url old="https://localhost:8243/v0.16/token" yours="https://api:8243/v0.16/token" new=null value="https://api:9443/v0.17/token""#,
            r#"env[name="Production and Sandbox"].type -> env[name="Default"].type old="hybrid" yours="prod" new="hybrid" value="prod""#,
            r#"env[name="Production and Sandbox"].more.deep -> env[name="Default"].more.deep old=null yours=1 new=null value=1"#,
        ]
    );
    assert_eq!(list(&done, "dropped"), ["server.mode: gone in the new version"]);
    assert_eq!(list(&done, "undecided"), [r#"cors.pool old="5" yours=7 new=5: pools are sized anew"#]);
    let file = node.read("new");
    assert!(file.contains("name = \"Default\"\ntype = \"prod\"\nws"), "{file}");
    assert!(!file.contains("Production"), "{file}");
}

#[test]
fn without_the_old_default_only_what_is_said_is_certain() {
    let mut node =
        prepared(&[("hostname = \"localhost\"", "hostname = \"h\""), ("[flow]", "[own]\nx = 1\n[flow]")]);
    let args = || map! { "base" => Value::null(), "except" => "env" };
    let told = only_told(&mut node, args());
    assert_eq!(told.values["base"].as_str(), Some("missing"));
    let lines = list(&told, "undecided");
    let absent =
        "the new file does not have it: without the old default it cannot be told whether it is yours";
    assert_eq!(
        lines,
        [
            r#"server.hostname old=null yours="h" new="localhost": it is not the new default, localhost; yours is h: without the old default it cannot be told whether you changed it"#.to_owned(),
            format!(r#"server.mode old=null yours="single" new=null: {absent}"#),
            format!(r#"server.node_ip old=null yours="127.0.0.1" new=null: {absent}"#),
            r#"cors.allow_headers old=null yours=["a", "b"] new=["a", "b", "c"]: it is not the new default, ["a", "b", "c"]; yours is ["a", "b"]: without the old default it cannot be told whether you changed it"#.to_owned(),
            format!("own.x old=null yours=1 new=null: {absent}"),
            format!(r#"flow.url old=null yours="https://localhost:8243/v0.16/token" new=null: {absent}"#),
        ]
    );
    let rules = vec![
        Value::from(map! { "key" => "own", "do" => "carry" }),
        map! { "key" => "server.hostname", "do" => "carry" }.into(),
        map! { "key" => "**", "do" => "drop" }.into(),
    ];
    let mut args = args();
    args.insert("rules".into(), rules.into());
    let done = carried(&mut node, args);
    assert_eq!(list(&done, "undecided"), strings(&[]));
    assert_eq!(list(&done, "carried").len(), 2);
    assert_eq!(list(&done, "dropped").len(), 4);
}

#[test]
fn a_file_that_was_edited_meanwhile_is_not_overwritten() {
    let mut node =
        prepared(&[("hostname = \"localhost\"", "hostname = \"h\""), ("retries = 1", "retries = 2")]);
    fs::copy(node.path("new"), node.path("pristine")).unwrap();
    node.write("new", &NEW.replace("\"localhost\"   #", "\"by.hand\"   #"));
    let pristine = node.text("pristine");
    let done = carried(&mut node, map! { "new_base" => pristine });
    assert_eq!(
        list(&done, "undecided"),
        [
            r#"server.hostname old="localhost" yours="h" new="localhost": the file has by.hand here, which is not the new default; yours is h"#
        ]
    );
    assert_eq!(list(&done, "carried"), ["cors.retries old=1 yours=2 new=1 value=2"]);
}

#[test]
fn what_does_not_fit_is_undecided_and_the_rest_is_carried() {
    let mut node =
        prepared(&[("[flow]", "[rules_of]\nx = 1\n[flow]"), ("[[rules]]\non = true\n", "[rules]\nx = 1\n")]);
    node.write("old", &OLD.replace("[[rules]]\non = true\n", ""));
    let done = carried(&mut node, map! {});
    assert_eq!(
        list(&done, "undecided"),
        [
            r#"rules.x old=null yours=1 new=null: rules is a list of 1 tables: say which, as in rules[name="…"]"#
        ]
    );
    assert_eq!(list(&done, "carried"), ["rules_of.x old=null yours=1 new=null value=1"]);
}

#[test]
fn secrets_are_hidden_by_key() {
    let mut node = prepared(&[
        ("password = \"admin\"", "password = \"hunter2\""),
        ("hostname = \"localhost\"", "hostname = \"h\""),
        ("retries = 1", "retries = 1\nurl = \"jdbc:x;password=hunter2\"\nref_password = \"$secret{alias}\""),
    ]);
    let answer = Value::from("hunter3").tainted(convoy_protocol::Taint::SECRET);
    let decisions = map! { "server.node_ip" => map! { "value" => answer } };
    node.write("yours", &node.read("yours").replace("127.0.0.1", "10.0.0.1"));
    let done = carried(&mut node, map! { "decisions" => decisions });
    let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    let (before, after) = sides(&done.diff);
    assert_eq!(before, format!("server.hostname = \"localhost\"\nsuper_admin.password = {hidden}\n"));
    assert_eq!(
        after,
        format!(
            "server.hostname = \"h\"\nserver.node_ip = {hidden}\nsuper_admin.password = {hidden} (another)\n\
             cors.url = {hidden}\ncors.ref_password = \"$secret{{alias}}\"\n"
        )
    );
    let told = format!("{:?}", done.values);
    assert!(!told.contains("hunter"), "{told}");
    assert!(told.contains("$secret{alias}") && told.contains("\"h\""), "{told}");
    assert!(node.read("new").contains("hunter3"));
}

#[test]
fn line_ends_and_marks_of_either_file_are_its_own() {
    let mut node = prepared(&[("[flow]", "[own]\nlist = [1,\n2]\ntext = '''\na\nb'''\n[flow]")]);
    for (theirs, ours) in [(false, true), (true, false), (true, true)] {
        let crlf = |text: &str, crlf: bool| {
            if crlf { format!("\u{feff}{}", text.replace('\n', "\r\n")) } else { text.to_owned() }
        };
        let yours = node.read("yours").replace("\r\n", "\n").replace('\u{feff}', "");
        node.write("yours", &crlf(&yours, theirs));
        node.write("new", &crlf(NEW, ours));
        carried(&mut node, map! {});
        let file = node.read("new");
        assert_eq!(file.starts_with('\u{feff}'), ours);
        assert_eq!(
            file.matches("\r\n").count(),
            if ours { file.matches('\n').count() } else { 0 },
            "{file:?}"
        );
        assert!(file.contains("[own]"), "{file}");
    }
}

#[test]
fn a_secret_default_is_told_nowhere() {
    let mut node = prepared(&[("\"a\", \"b\"", "\"a\", \"x\""), ("retries = 1", "retries = 2")]);
    let content = Value::from(OLD.replace("\"a\"", "\"hunter2\"")).tainted(convoy_protocol::Taint::SECRET);
    let done = carried(&mut node, map! { "base" => Value::null(), "base_content" => content });
    let told = format!("{:?} {:?}", done.values, done.diff);
    assert!(!told.contains("hunter2") && told.contains("from (secret) to"), "{told}");
    assert_eq!(list(&done, "carried"), ["cors.retries old=<secret> yours=2 new=1 value=2"]);
}

#[test]
fn what_shall_be_there_anyway_is_set_in_the_same_edit() {
    let mut node = prepared(&[("hostname = \"localhost\"", "hostname = \"api.example.com\"")]);
    let password = Value::from("s3cret").tainted(convoy_protocol::Taint::SECRET);
    let done = carried(
        &mut node,
        map! {
            "remove" => vec![Value::from("cors.provider")],
            "set" => map! { "server.role" => "worker", "super_admin.password" => password },
            "content" => "[flow]\nurl = \"https://cp:9443\"\n",
            "except" => vec![Value::from("super_admin")],
        },
    );
    let expected = NEW
        .replace(
            "hostname = \"localhost\"   # as others see it\n",
            "hostname = \"api.example.com\"   # as others see it\nrole = \"worker\"\n",
        )
        .replace("\"admin\"", "\"s3cret\"")
        .replace("provider = \"new\"\n", "")
        .replace("[secrets]", "[flow]\nurl = \"https://cp:9443\"\n\n[secrets]");
    assert_eq!(node.read("new"), expected);
    assert!(!format!("{:?}", done.diff).contains("s3cret"), "{:?}", done.diff);
}

#[test]
fn what_is_set_as_a_secret_is_hidden_in_a_table_that_is_known_by_a_key() {
    let mut node = prepared(&[]);
    let secret = Value::from("s3cret").tainted(convoy_protocol::Taint::SECRET);
    let done =
        carried(&mut node, map! { "set" => map! { "env[name='Default'].ws" => secret, "cors.x" => 1 } });
    let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    let key = "env[name=\"Default\"].ws";
    let (before, after) = sides(&done.diff);
    assert_eq!(before, format!("{key} = {hidden}\n"));
    assert_eq!(after, format!("cors.x = 1\n{key} = {hidden} (another)\n"));
}
