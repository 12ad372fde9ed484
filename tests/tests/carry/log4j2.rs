//! `log4j2.properties`.

use convoy_protocol::{Map, Outcome, Status, map};

use crate::harness::Node;
use crate::toml::{data, list, prepared};

fn asked(node: &Node) -> Map {
    map! {
        "src" => node.text("yours"),
        "base" => node.text("old"),
        "path" => node.text("new"),
        "format" => "log4j2",
    }
}

fn with(yours: &str) -> Node {
    prepared(&data("log4j2-3.1.0.properties"), yours, &data("log4j2-4.1.0.properties"))
}

fn dead(outcome: &Outcome) {
    let definitions = [
        "appender.CARBON_SYS_LOG",
        "logger.org-apache",
        "logger.org-wso2",
        "logger.synapse-headers",
        "logger.synapse-wire",
    ];
    assert_eq!(list(outcome, "dead"), definitions);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn the_default_carries_nothing() {
    let mut node = with(&data("log4j2-3.1.0.properties"));
    let args = asked(&node);
    let done = node.run("properties_carry", args);
    assert_eq!(done.status, Status::Same, "{:?}", done.values);
    for name in ["carried", "undecided", "dropped", "same"] {
        assert_eq!(list(&done, name), Vec::<String>::new(), "{name}");
    }
    dead(&done);
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn an_appender_and_a_logger_of_ones_own() {
    let old = data("log4j2-3.1.0.properties");
    let yours = old
        .replace("CORRELATION, BOTDATA_APPENDER\n", "CORRELATION, BOTDATA_APPENDER, syslog\n")
        .replace("loggers = AUDIT_LOG,", "loggers = mine, AUDIT_LOG,")
        .replace("rootLogger.level = ERROR", "rootLogger.level = WARN");
    let own = "\nappender.syslog.type = Syslog\nappender.syslog.name = SYSLOG\nappender.syslog.host = localhost\n\
        logger.mine.name = com.example\nlogger.mine.level = DEBUG\nlogger.mine.appenderRef.syslog.ref = SYSLOG\n";
    let yours = format!("{yours}{own}");
    let mut node = with(&yours);
    let args = asked(&node);
    let done = node.converges("properties_carry", args);
    assert_eq!(
        list(&done, "carried"),
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
    assert_eq!(list(&done, "undecided"), Vec::<String>::new());
    dead(&done);
    let (file, new) = (node.read("new"), data("log4j2-4.1.0.properties"));
    assert!(file.contains("BOTDATA_APPENDER, API_LOGFILE, syslog\n"), "{file}");
    assert!(file.contains("API_LOG, mine\n"), "{file}");
    let changed: Vec<&str> = new.lines().filter(|line| !file.lines().any(|there| there == *line)).collect();
    assert_eq!(changed.len(), 3, "{changed:?}");

    // Without its place in the list the appender would have no effect.
    let mut node = with(&yours.replace(", syslog\n", "\n"));
    let args = asked(&node);
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
fn a_file_of_log4j_1_is_refused() {
    let mut node = with(&data("log4j-2.6.0.properties"));
    let (args, path) = (asked(&node), node.text("yours"));
    assert_eq!(
        node.fails("properties_carry", args),
        format!(
            "{path} is a file of log4j 1 (it has log4j.rootLogger): convert it with `log4j2_convert` first"
        )
    );
}
