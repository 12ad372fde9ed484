//! `debconf`, with programs that keep answers in a file as debconf's do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use convoy_protocol::{Map, Status, Taint, Value, map};

use super::harness::Node;

/// The database: package, question, type, value and whether it was asked, with tabs between.
const SHOW: &str = r#"awk -F '\t' -v p="$1" '$1 == p { print ($5 == "seen" ? "* " : "  ") $2 ": " ($3 == "password" ? "(password omitted)" : $4) }' db"#;
const GET: &str = r##"awk -F '\t' 'BEGIN { print "# all" } { print $1 "\t" $2 "\t" $3 "\t" $4 }' db"##;
const SET: &str = r#"
seen=seen
if [ "$1" = -u ]; then seen=; fi
read -r package question type value
if [ "$value" = refused ]; then echo "warning: refused" >&2; exit 1; fi
if [ "$type" = seen ]; then
    awk -F '\t' -v OFS='\t' -v q="$question" -v s="$value" '$2 == q { $5 = s == "true" ? "seen" : "" } { print }' db >new
else
    awk -F '\t' -v q="$question" '$2 != q' db >new
    printf '%s\t%s\t%s\t%s\t%s\n' "$package" "$question" "$type" "$value" "$seen" >>new
fi
mv new db"#;

fn node() -> Node {
    let mut node = Node::new();
    let directory = node.text("bin");
    fs::create_dir(&directory).unwrap();
    for (name, body) in [("show", SHOW), ("get-selections", GET), ("set-selections", SET)] {
        let path = node.path(&format!("bin/debconf-{name}"));
        fs::write(&path, format!("#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 9\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    node.write("bin/db", "other\tother/x\tstring\ty\tseen\n");
    node.environment = vec![("PATH".into(), format!("{directory}:/usr/bin:/bin"))];
    node
}

fn answer(question: &str, vtype: &str, value: impl Into<Value>) -> Map {
    map! { "name" => "web", "question" => question, "vtype" => vtype, "value" => value.into() }
}

#[test]
fn answers_are_set_once() {
    let mut node = node();
    let made = node.converges("debconf", answer("web/port", "string", 80));
    assert_eq!(made.values["current"], map! { "web/port" => "80" }.into());
    assert_eq!(made.values["previous"], map! { "web/port" => "" }.into());
    let changed = node.converges("debconf", answer("web/port", "string", 443));
    assert_eq!(changed.values["previous"], map! { "web/port" => "80" }.into());
    node.converges("debconf", answer("web/on", "boolean", true));
    let words = vec![Value::from("b"), "a".into()];
    node.converges("debconf", answer("web/parts", "multiselect", words));
    let words = vec![Value::from("a"), "b".into()];
    assert_eq!(node.run("debconf", answer("web/parts", "multiselect", words)).status, Status::Same);
    assert_eq!(node.check("debconf", answer("web/parts", "multiselect", "a, b")).status, Status::WouldChange);
    let expected = "other\tother/x\tstring\ty\tseen\nweb\tweb/port\tstring\t443\tseen\nweb\tweb/on\tboolean\ttrue\tseen\n\
        web\tweb/parts\tmultiselect\tb, a\tseen\n";
    assert_eq!(node.read("bin/db"), expected);
    let all = node.run("debconf", map! { "pkg" => "web" });
    let expected = map! { "web/on" => "true", "web/parts" => "b, a", "web/port" => "443" };
    assert_eq!((all.status, &all.values["current"]), (Status::Same, &expected.into()));
}

#[test]
fn whether_it_was_asked_is_an_answer_too() {
    let mut node = node();
    let mut args = answer("web/port", "string", 80);
    args.insert("unseen".into(), true.into());
    node.converges("debconf", args);
    assert!(node.read("bin/db").ends_with("\t80\t\n"));
    node.converges("debconf", answer("web/port", "seen", true));
    assert!(node.read("bin/db").ends_with("\t80\tseen\n"));
}

#[test]
fn a_password_is_compared_and_never_shown() {
    let mut node = node();
    let made = node.converges("debconf", answer("web/password", "password", "hunter2"));
    assert_eq!(made.diff, []);
    let current = made.values["current"].get("web/password").unwrap();
    assert_eq!((current.as_str(), current.taint), (Some("hunter2"), Taint::SECRET));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut node = node();
    let error = node.fails("debconf", map! { "name" => "web", "question" => "x" });
    assert_eq!(error, "parameters are required together: question, vtype, value");
    let error = node.fails("debconf", answer("web/port", "string", "a\nweb web/on boolean true"));
    assert_eq!(error, "an answer is one line: debconf would read the rest as answers of their own");
    let error = node.fails("debconf", answer("web/parts", "multiselect", vec![Value::from("a"), 1.into()]));
    assert_eq!(error, "Invalid value provided for 'multiselect': a whole number, where text is wanted");
    assert_eq!(node.fails("debconf", answer("web/port", "string", "refused")), "warning: refused");
    node.environment = vec![("PATH".into(), "/nonexistent".into())];
    let error = node.fails("debconf", answer("web/port", "string", "x"));
    assert!(error.starts_with("Failed to find required executable \"debconf-show\""), "{error}");
}
