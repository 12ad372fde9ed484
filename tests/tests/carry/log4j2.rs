//! `properties_carry` with `log4j2.properties`.

use convoy_protocol::{Map, Outcome, Status, map};
use convoy_tests::program::wso2_file;

use crate::harness::Node;
use crate::toml::{entry_keys, node_with_files};

/// Returns the arguments of `properties_carry`.
fn carry_arguments(node: &Node) -> Map {
    map! {
        "src" => node.text("yours"),
        "base" => node.text("old"),
        "path" => node.text("new"),
        "format" => "log4j2",
    }
}

/// Returns a node with the old default, this user file and the new default.
fn node_with(user_file: &str) -> Node {
    node_with_files(&wso2_file("log4j2-3.1.0.properties"), user_file, &wso2_file("log4j2-4.1.0.properties"))
}

/// Asserts that the result reports the default definitions that no list names, and that therefore have no effect.
fn assert_unused_definitions(outcome: &Outcome) {
    let definitions = [
        "appender.CARBON_SYS_LOG",
        "logger.org-apache",
        "logger.org-wso2",
        "logger.synapse-headers",
        "logger.synapse-wire",
    ];
    assert_eq!(entry_keys(outcome, "dead"), definitions);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn the_unchanged_default_carries_nothing() {
    let mut node = node_with(&wso2_file("log4j2-3.1.0.properties"));
    let args = carry_arguments(&node);
    let done = node.run("properties_carry", args);
    assert_eq!(done.status, Status::Same, "{:?}", done.values);
    for name in ["carried", "undecided", "dropped", "same"] {
        assert_eq!(entry_keys(&done, name), Vec::<String>::new(), "{name}");
    }
    assert_unused_definitions(&done);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn an_added_appender_and_logger_are_carried() {
    let old = wso2_file("log4j2-3.1.0.properties");
    let user_file = old
        .replace("CORRELATION, BOTDATA_APPENDER\n", "CORRELATION, BOTDATA_APPENDER, syslog\n")
        .replace("loggers = AUDIT_LOG,", "loggers = mine, AUDIT_LOG,")
        .replace("rootLogger.level = ERROR", "rootLogger.level = WARN");
    let additions = "\nappender.syslog.type = Syslog\nappender.syslog.name = SYSLOG\nappender.syslog.host = localhost\n\
        logger.mine.name = com.example\nlogger.mine.level = DEBUG\nlogger.mine.appenderRef.syslog.ref = SYSLOG\n";
    let user_file = format!("{user_file}{additions}");
    let mut node = node_with(&user_file);
    let args = carry_arguments(&node);
    let done = node.converges("properties_carry", args);
    assert_eq!(
        entry_keys(&done, "carried"),
        [
            "appenders[member=\"syslog\"]",
            "loggers[member=\"mine\"]",
            "rootLogger.level",
            "appender.syslog.type",
            "appender.syslog.name",
            "appender.syslog.host",
            "logger.mine.name",
            "logger.mine.level",
            "logger.mine.appenderRef.syslog.ref",
        ]
    );
    assert_eq!(entry_keys(&done, "undecided"), Vec::<String>::new());
    assert_unused_definitions(&done);
    let (file, new) = (node.read("new"), wso2_file("log4j2-4.1.0.properties"));
    assert!(file.contains("BOTDATA_APPENDER, API_LOGFILE, syslog\n"), "{file}");
    assert!(file.contains("API_LOG, mine\n"), "{file}");
    let changed: Vec<&str> = new.lines().filter(|line| !file.lines().any(|kept| kept == *line)).collect();
    assert_eq!(changed.len(), 3, "{changed:?}");

    // An appender that is not in the list of appenders has no effect.
    let mut node = node_with(&user_file.replace(", syslog\n", "\n"));
    let args = carry_arguments(&node);
    assert_eq!(
        node.fails("properties_carry", args),
        "what would be carried refers to appenders that are not defined and listed: logger.mine.appenderRef.syslog.ref = SYSLOG"
    );
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_log4j_1_file_is_an_error() {
    let mut node = node_with(&wso2_file("log4j-2.6.0.properties"));
    let (args, path) = (carry_arguments(&node), node.text("yours"));
    assert_eq!(
        node.fails("properties_carry", args),
        format!(
            "{path} is a file of log4j 1 (it has log4j.rootLogger): convert it with `log4j2_convert` first"
        )
    );
}
