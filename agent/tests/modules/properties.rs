//! `properties`.

use convoy_protocol::{Diff, Map, Status, Taint, Value, map};

use super::harness::{Node, text};
use super::toml::sides;

const FILE: &str = "\
# Appenders.
appenders = CONSOLE, FILE,AUDIT
  loggers=a, \\
    b

appender.CONSOLE.type = Console
appender.CONSOLE.name = CONSOLE
appender.FILE.type = RollingFile
# The pattern.
appender.FILE.layout.pattern = [%d] %c - %m%ex%n
rootLogger.level = ERROR
";

fn edited(node: &mut Node, args: Map) -> Vec<String> {
    node.write("file", FILE);
    let mut all = map! { "path" => node.text("file") };
    all.extend(args);
    let done = node.converges("properties", all);
    let after = node.read("file");
    let lines = |text: &str, other: &str, sign: char| -> Vec<String> {
        let is_other = |line: &&str| !other.lines().any(|known| known == *line);
        text.lines().filter(is_other).map(|line| format!("{sign}{line}")).collect()
    };
    assert!(!done.diff.is_empty());
    [lines(FILE, &after, '-'), lines(&after, FILE, '+')].concat()
}

#[test]
fn only_what_is_asked_for_is_different() {
    let mut node = Node::new();
    let members = |key: &str, list: &str| map! { key => list };
    for (args, expected) in [
        (
            map! { "set" => map! { "rootLogger.level" => "INFO" } },
            vec!["-rootLogger.level = ERROR", "+rootLogger.level = INFO"],
        ),
        (
            map! { "set" => map! { "appender.FILE.fileName" => "${sys:carbon.home}/x.log" } },
            vec!["+appender.FILE.fileName = ${sys:carbon.home}/x.log"],
        ),
        (map! { "set" => map! { "monitorInterval" => 5 } }, vec!["+monitorInterval = 5"]),
        (
            map! { "remove" => "appender.FILE.*" },
            vec!["-appender.FILE.type = RollingFile", "-appender.FILE.layout.pattern = [%d] %c - %m%ex%n"],
        ),
        (
            map! { "members" => members("appenders", "FILE,SYSLOG") },
            vec!["-appenders = CONSOLE, FILE,AUDIT", "+appenders = CONSOLE, FILE,AUDIT, SYSLOG"],
        ),
        (map! { "members" => members("loggers", "c") }, vec!["-    b", "+    b, c"]),
        (map! { "members" => members("filters", "x") }, vec!["+filters = x"]),
        (
            map! { "remove_members" => members("appenders", "CONSOLE") },
            vec!["-appenders = CONSOLE, FILE,AUDIT", "+appenders = FILE,AUDIT"],
        ),
        (
            map! { "remove_members" => members("appenders", "FILE") },
            vec!["-appenders = CONSOLE, FILE,AUDIT", "+appenders = CONSOLE,AUDIT"],
        ),
        (
            map! { "remove_members" => members("loggers", "b") },
            vec!["-  loggers=a, \\", "-    b", "+  loggers=a"],
        ),
    ] {
        assert_eq!(edited(&mut node, args.clone()), expected, "{args:?}");
    }
}

#[test]
fn a_new_key_stands_with_its_relatives() {
    let mut node = Node::new();
    let set = map! { "appender.FILE.fileName" => "x", "appender.CONSOLE.layout.type" => "y" };
    edited(&mut node, map! { "set" => set });
    let file = node.read("file");
    assert!(file.contains("%m%ex%n\nappender.FILE.fileName = x\nrootLogger"), "{file}");
    assert!(file.contains("name = CONSOLE\nappender.CONSOLE.layout.type = y\nappender.FILE"), "{file}");
}

#[test]
fn a_file_is_read_and_the_difference_names_keys() {
    let mut node = Node::new();
    node.write("file", FILE);
    let read = node.run("properties", map! { "path" => node.text("file") });
    assert_eq!(read.status, Status::Same);
    assert_eq!(read.values["data"].get("loggers").and_then(Value::as_str), Some("a, b"));
    let args = map! { "path" => node.text("file"), "set" => map! { "rootLogger.level" => "INFO" }, "remove" => "loggers" };
    let done = node.converges("properties", args);
    let [Diff::Text { before, after }] = &done.diff[..] else { panic!("{:?}", done.diff) };
    assert_eq!(before.text, "rootLogger.level = ERROR\nloggers = a, b\n");
    assert_eq!(after.text, "rootLogger.level = INFO\n");
}

#[test]
fn what_is_secret_is_not_in_the_difference() {
    let mut node = Node::new();
    node.write("file", FILE);
    let secret = Value::from("hunter2").tainted(Taint::SECRET);
    let set = map! { "rootLogger.level" => "INFO", "appender.FILE.type" => secret.clone() };
    let members = map! { "loggers" => vec![secret] };
    let args = map! { "path" => node.text("file"), "set" => set, "members" => members };
    let done = node.converges("properties", args);
    let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    let other = format!("{hidden} (another)");
    let expected = |loggers: &str, kind: &str, level: &str| {
        format!("loggers = {loggers}\nappender.FILE.type = {kind}\nrootLogger.level = {level}\n")
    };
    assert_eq!(
        sides(&done.diff),
        (expected(hidden, hidden, "ERROR").as_str(), expected(&other, &other, "INFO").as_str())
    );
}

#[test]
fn errors() {
    let mut node = Node::new();
    node.write("file", FILE);
    let (file, gone) = (node.text("file"), node.text("gone"));
    for (args, expected) in [
        (
            map! { "path" => gone.as_str(), "set" => map! { "a" => 1 } },
            format!("{gone} does not exist; set `create: true` to create it"),
        ),
        (
            map! { "path" => file.as_str(), "set" => map! { "a" => vec![Value::from(1)] } },
            "set: a: <class 'list'> cannot be converted to a str".to_owned(),
        ),
        (
            map! { "path" => file.as_str(), "members" => map! { "a" => vec![Value::from("b,c")] } },
            "members: a: `b,c` cannot be a member of a list with commas".to_owned(),
        ),
    ] {
        assert_eq!(node.fails("properties", args), expected);
    }
    let args = map! { "path" => gone, "set" => map! { "a.b" => "c d" }, "create" => true };
    node.converges("properties", args);
    assert_eq!(node.read("gone"), "a.b=c d\n");
    let args = map! { "path" => node.text("gone"), "remove" => "a.b", "backup" => true };
    let done = node.converges("properties", args);
    assert_eq!(std::fs::read_to_string(text(&done, "backup_file")).unwrap(), "a.b=c d\n");
}
