//! `properties_carry`.

use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::harness::Node;
use super::toml_carry::{list, strings};

const OLD: &str = "\
appenders=CONSOLE, FILE, \\
  OLD
appender.CONSOLE.type = Console
appender.CONSOLE.name = CONSOLE
appender.FILE.type=File
appender.FILE.name=FILE
appender.FILE.fileName =logs/x.log
loggers = a,b
logger.a.name = org.a
logger.a.level = INFO
logger.a.additivity=false\u{20}
logger.dead.name = org.dead
rootLogger.level = ERROR
rootLogger.appenderRef.CONSOLE.ref = CONSOLE
";

const NEW: &str = "\
# All appenders.
appenders = CONSOLE,FILE, API
appender.CONSOLE.type = Console
appender.CONSOLE.name = CONSOLE
appender.FILE.type = File
appender.FILE.name = FILE
appender.FILE.fileName = logs/x.log
appender.API.type = File
appender.API.name = API

loggers = a, b
logger.a.name = org.a
logger.a.level = WARN
logger.a.additivity = false
logger.dead.name = org.dead
rootLogger.level = ERROR
rootLogger.appenderRef.CONSOLE.ref = CONSOLE
";

fn prepared(edits: &[(&str, &str)]) -> Node {
    let node = Node::new();
    let mut yours = OLD.to_owned();
    for (from, to) in edits {
        assert!(yours.contains(from), "{from} is not in the file");
        yours = yours.replacen(from, to, 1);
    }
    for (name, text) in [("old", OLD), ("yours", &yours), ("new", NEW)] {
        node.write(name, text);
    }
    node
}

fn asked(node: &Node, more: Map) -> Map {
    let mut args = map! {
        "src" => node.text("yours"),
        "base" => node.text("old"),
        "path" => node.text("new"),
        "format" => "log4j2",
    };
    args.extend(more);
    args.retain(|_, value| !value.is_null());
    args
}

fn carried(node: &mut Node, more: Map) -> Outcome {
    let args = asked(node, more);
    node.converges("properties_carry", args)
}

const SYSLOG: (&str, &str) = (
    "loggers = a,b",
    "appender.SYSLOG.type = Syslog\nappender.SYSLOG.name = TheSyslog\nappender.SYSLOG.password = hunter2\nloggers = a,b,c\nlogger.c.name = com.c\nlogger.c.appenderRef.SYSLOG.ref = TheSyslog",
);

#[test]
fn definitions_are_carried_with_their_place_in_the_lists() {
    let mut node = prepared(&[
        SYSLOG,
        ("  OLD", "  SYSLOG, OLD"),
        ("rootLogger.level = ERROR", "rootLogger.level = INFO"),
    ]);
    let done = carried(&mut node, map! {});
    let keys: Vec<String> = list(&done, "carried")
        .iter()
        .map(|line| line.split(" old=").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        keys,
        [
            "appenders[member=\"SYSLOG\"]",
            "appender.SYSLOG.type",
            "appender.SYSLOG.name",
            "appender.SYSLOG.password",
            "loggers[member=\"c\"]",
            "logger.c.name",
            "logger.c.appenderRef.SYSLOG.ref",
            "rootLogger.level",
        ]
    );
    assert_eq!(list(&done, "undecided"), strings(&[]));
    assert_eq!(list(&done, "dead"), ["logger.dead"]);
    let expected = NEW
        .replace("FILE, API\n", "FILE, API, SYSLOG\n")
        .replace("name = API\n", "name = API\nappender.SYSLOG.type = Syslog\nappender.SYSLOG.name = TheSyslog\nappender.SYSLOG.password = hunter2\n")
        .replace("loggers = a, b\n", "loggers = a, b, c\n")
        .replace("org.dead\n", "org.dead\nlogger.c.name = com.c\nlogger.c.appenderRef.SYSLOG.ref = TheSyslog\n")
        .replace("rootLogger.level = ERROR", "rootLogger.level = INFO");
    assert_eq!(node.read("new"), expected);
    let shown = format!("{:?} {:?}", done.values, done.diff);
    assert!(!shown.contains("hunter2") && shown.contains("TheSyslog"), "{shown}");
}

#[test]
fn spacing_is_no_change_and_members_count_one_by_one() {
    let mut node = prepared(&[
        ("CONSOLE, FILE, \\\n  OLD", "FILE"),
        ("appender.FILE.type=File", "appender.FILE.type =   File"),
        ("logger.a.level = INFO", "logger.a.level = DEBUG"),
        ("logger.a.name = org.a\n", ""),
    ]);
    let args = asked(&node, map! {});
    let told = node.run("properties_carry", args);
    assert_eq!(told.status, Status::Same, "{:?}", told.values);
    assert_eq!(
        list(&told, "undecided"),
        [
            r#"logger.a.level old="INFO" yours="DEBUG" new="WARN": the default changed, too: from INFO to WARN; yours is DEBUG"#,
            r#"appenders[member="CONSOLE"] old=true yours=null new=true: you removed it, and the new default has it: a member of the list"#,
            r#"logger.a.name old="org.a" yours=null new="org.a": you removed it, and the new default has it: org.a"#,
        ]
    );
    assert_eq!(list(&told, "same"), [r#"appenders[member="OLD"]"#]);
    let decisions = map! { "appenders[member='CONSOLE']" => "mine", "logger.a" => "mine", "logger.a.level" => map! { "value" => "OFF" } };
    carried(&mut node, map! { "decisions" => decisions });
    let expected = NEW
        .replace("CONSOLE,FILE, API", "FILE, API")
        .replace("logger.a.name = org.a\n", "")
        .replace("= WARN", "= OFF");
    assert_eq!(node.read("new"), expected);
}

#[test]
fn rules_name_keys_and_members() {
    let mut node = prepared(&[SYSLOG, ("  OLD", "  SYSLOG, OLD")]);
    let rules = vec![
        Value::from(map! { "key" => "appender.SYSLOG", "do" => "rename", "to" => "appender.MACHINE" }),
        map! { "key" => "appenders[member=\"SYSLOG\"]", "do" => "rename", "to" => "appenders[member=\"MACHINE\"]" }.into(),
        map! { "key" => "logger.*.appenderRef.SYSLOG.ref", "do" => "rename", "to" => "logger.*.appenderRef.MACHINE.ref" }.into(),
    ];
    let done = carried(&mut node, map! { "rules" => rules });
    assert_eq!(list(&done, "undecided"), strings(&[]));
    let file = node.read("new");
    assert!(file.contains("API, MACHINE\n") && !file.contains("SYSLOG"), "{file}");
    assert!(file.contains("logger.c.appenderRef.MACHINE.ref = TheSyslog"), "{file}");
}

#[test]
fn a_file_of_any_format_has_the_lists_that_are_named() {
    let mut node = Node::new();
    node.write("old", "a = 1\nlist = x,y\nother = x,y\n");
    node.write("yours", "\u{feff}# mine\r\na = 2\r\nlist = y,z,x\r\nother = x,y,z\r\n");
    node.write("new", "a=1\nlist=y,n\nother=x, y\n");
    let args = asked(&node, map! { "format" => Value::null(), "lists" => "list" });
    let done = node.converges("properties_carry", args);
    assert_eq!(
        list(&done, "undecided"),
        [
            r#"other old="x,y" yours="x,y,z" new="x, y": the default changed, too: from x,y to x, y; yours is x,y,z"#
        ]
    );
    assert_eq!(node.read("new"), "a=2\nlist=y,n,z\nother=x, y\n");
    assert!(!done.values.contains_key("dead"));
}

#[test]
fn errors() {
    let mut node = prepared(&[SYSLOG]);
    node.write("one", "log4j.rootLogger=INFO, A\nlog4j.appender.A=x\n");
    let [gone, one] = ["gone", "one"].map(|name| node.text(name));
    let cases = [
        (map! { "src" => gone.as_str() }, format!("src: {gone} does not exist")),
        (map! { "path" => gone.as_str() }, format!("{gone} does not exist")),
        (map! { "src" => one.as_str() }, format!("{one} is a file of log4j 1 (it has log4j.rootLogger): convert it with `log4j2_convert` first")),
        (
            map! {},
            "what would be carried refers to appenders that are not defined and listed: logger.c.appenderRef.SYSLOG.ref = TheSyslog".to_owned(),
        ),
        (map! { "format" => "log4j" }, "value of format must be one of: properties, log4j2, got: log4j".to_owned()),
        (map! { "lists" => "a..b" }, "lists: `a..b` is no TOML key: a key is missing".to_owned()),
    ];
    for (more, expected) in cases {
        let args = asked(&node, more.clone());
        assert_eq!(node.fails("properties_carry", args), expected, "{more:?}");
    }
    let decided = map! { "decisions" => map! { "logger.a.level" => map! { "value" => vec![Value::from("x")] } }, "except" => "logger.c" };
    node.write("yours", &node.read("yours").replace("= INFO", "= OFF"));
    let args = asked(&node, decided);
    let done = node.run("properties_carry", args);
    assert_eq!(
        list(&done, "undecided"),
        [r#"logger.a.level old="INFO" yours="OFF" new="WARN": a list cannot be the value of a key"#]
    );
}
