//! `log4j2_convert`.

use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::harness::{Node, text};

/// What a version was shipped with.
const BASE: &str = "\
# The root.
log4j.rootLogger=ERROR, CONSOLE, FILE, MEMORY
log4j.category.org.quartz=WARN
log4j.logger.org.apache=INFO, FILE

log4j.appender.CONSOLE=org.wso2.carbon.utils.logging.appenders.CarbonConsoleAppender
log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout
log4j.appender.CONSOLE.layout.ConversionPattern=[%d] %m%n
log4j.appender.FILE=org.wso2.carbon.utils.logging.appenders.CarbonDailyRollingFileAppender
log4j.appender.FILE.File=${carbon.home}/repository/logs/${instance.log}/wso2carbon${instance.log}.log
log4j.appender.FILE.layout=org.wso2.carbon.utils.logging.TenantAwarePatternLayout
log4j.appender.FILE.layout.ConversionPattern=TID: [%T] [%S] [%d] %P%5p {%c} - %m%n
log4j.appender.FILE.layout.TenantPattern=%U%@%D [%T] [%S]
log4j.appender.MEMORY=org.wso2.carbon.logging.service.appender.CarbonMemoryAppender
log4j.appender.MEMORY.bufferSize=2000
";

/// What is shipped with the new one.
const TARGET: &str = "\
# Appenders.
appenders=CONSOLE, FILE, osgi
#, syslog

appender.CONSOLE.type = Console
appender.CONSOLE.name = CONSOLE
appender.CONSOLE.layout.type = PatternLayout
appender.CONSOLE.layout.pattern = [%d] %m%ex%n
appender.FILE.type = RollingFile
appender.FILE.name = FILE
appender.FILE.fileName = ${sys:carbon.home}/repository/logs/wso2carbon.log
appender.FILE.strategy.type = DefaultRolloverStrategy
appender.FILE.strategy.max = 20
appender.osgi.type = PaxOsgi
appender.osgi.name = PaxOsgi

loggers = trace, org-quartz

logger.trace.name = tracer
logger.trace.level = TRACE
logger.org-quartz.name = org.quartz
logger.org-quartz.level = WARN
# Defined, but in no list.
logger.org-wso2.name = org.wso2
logger.org-wso2.level = INFO

rootLogger.level = ERROR
rootLogger.appenderRef.CONSOLE.ref = CONSOLE
rootLogger.appenderRef.FILE.ref = FILE
";

fn args(node: &Node, more: Map) -> Map {
    let mut args = map! { "src" => node.text("old"), "path" => node.text("new") };
    args.extend(more);
    args
}

/// Converts a file whose shipped form is [`BASE`] into [`TARGET`].
fn converted(node: &mut Node, old: &str) -> Outcome {
    node.write("old", old);
    node.write("new", TARGET);
    let args = args(node, map! { "base_content" => BASE });
    node.converges("log4j2_convert", args)
}

/// Returns the lines that were added to [`TARGET`] or changed in it; all others must be as they were.
fn added(node: &Node) -> String {
    let new = node.read("new");
    let mut left = new.lines();
    let mut added = String::new();
    for line in TARGET.lines() {
        let list = line.split_once('=').filter(|(key, _)| key.trim().ends_with('s')).map(|_| line);
        for new in left.by_ref() {
            if new == line {
                break;
            }
            added.push_str(&format!("{new}\n"));
            if list.is_some_and(|list| new.starts_with(list)) {
                break;
            }
        }
    }
    added + &left.map(|line| format!("{line}\n")).collect::<String>()
}

/// Returns a list of the answer as text: the values of each member, between bars.
fn told(outcome: &Outcome, name: &str) -> Vec<String> {
    let text = |value: &Value| match value.as_list() {
        Some(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        None => value.as_str().unwrap_or("-").to_owned(),
    };
    let member = |one: &Value| one.as_map().unwrap().values().map(text).collect::<Vec<_>>().join(" | ");
    outcome.values[name].as_list().unwrap().iter().map(member).collect()
}

#[test]
fn what_is_shipped_is_not_converted() {
    let mut node = Node::new();
    node.write("old", BASE);
    node.write("new", TARGET);
    // Spelled otherwise it is the same.
    let base =
        BASE.replace("log4j.category.", "log4j.logger.").replace("=ERROR, CONSOLE,", " = ERROR,CONSOLE,");
    let same = node.run("log4j2_convert", args(&node, map! { "base_content" => base, "strict" => true }));
    assert_eq!(same.status, Status::Same, "{:?}", same.values);
    for list in ["converted", "unmapped", "conflicts", "keys"] {
        assert_eq!(same.values[list], Vec::<Value>::new().into(), "{list}");
    }
    assert_eq!(node.read("new"), TARGET);
}

/// What a user has added.
const OWN: &str = "\
log.dir = ${carbon.home}/own
log4j.logger.com.acme.Gate=debug, AUDIT.LOG, FILE
log4j.additivity.com.acme.Gate=false
log4j.logger.trace=INFO
log4j.logger.org.wso2=INFO
log4j.logger.only.appenders=, FILE
log4j.additivity.none.else=true
log4j.appender.AUDIT.LOG=org.apache.log4j.RollingFileAppender
log4j.appender.AUDIT.LOG.file=${log.dir}/audit.v1.log
log4j.appender.AUDIT.LOG.MaxFileSize=1000KB
log4j.appender.AUDIT.LOG.Threshold=info
log4j.appender.AUDIT.LOG.Encoding=UTF-8
log4j.appender.AUDIT.LOG.layout=org.apache.log4j.SimpleLayout
";

#[test]
fn own_loggers_and_appenders_are_added() {
    let mut node = Node::new();
    let old = BASE.replace("FILE, MEMORY", "FILE, MEMORY, AUDIT.LOG") + OWN;
    let done = converted(&mut node, &old);
    let expected = "\
appenders=CONSOLE, FILE, osgi, AUDIT-LOG
appender.AUDIT-LOG.type = RollingFile
appender.AUDIT-LOG.name = AUDIT.LOG
appender.AUDIT-LOG.fileName = ${sys:carbon.home}/own/audit.v1.log
appender.AUDIT-LOG.filePattern = ${sys:carbon.home}/own/audit.v1-%i.log
appender.AUDIT-LOG.layout.type = PatternLayout
appender.AUDIT-LOG.layout.pattern = %p - %m%n
appender.AUDIT-LOG.layout.charset = UTF-8
appender.AUDIT-LOG.policies.type = Policies
appender.AUDIT-LOG.policies.size.type = SizeBasedTriggeringPolicy
appender.AUDIT-LOG.policies.size.size = 1000KB
appender.AUDIT-LOG.strategy.type = DefaultRolloverStrategy
appender.AUDIT-LOG.strategy.max = 1
appender.AUDIT-LOG.filter.threshold.type = ThresholdFilter
appender.AUDIT-LOG.filter.threshold.level = INFO
loggers = trace, org-quartz, com-acme-Gate, trace-2, org-wso2, only-appenders, none-else
logger.com-acme-Gate.name = com.acme.Gate
logger.com-acme-Gate.level = DEBUG
logger.com-acme-Gate.appenderRef.AUDIT-LOG.ref = AUDIT.LOG
logger.com-acme-Gate.appenderRef.FILE.ref = FILE
logger.com-acme-Gate.additivity = false
logger.trace-2.name = trace
logger.trace-2.level = INFO
logger.only-appenders.name = only.appenders
logger.only-appenders.appenderRef.FILE.ref = FILE
logger.none-else.name = none.else
logger.none-else.additivity = true
rootLogger.appenderRef.AUDIT-LOG.ref = AUDIT.LOG
";
    assert_eq!(added(&node), expected);
    assert_eq!(told(&done, "unmapped"), Vec::<String>::new());
    assert_eq!(told(&done, "conflicts"), Vec::<String>::new());
    let converted = told(&done, "converted");
    for line in [
        "log4j.appender.AUDIT.LOG | appender.AUDIT-LOG.type appender.AUDIT-LOG.name appender.AUDIT-LOG.policies.type \
         appender.AUDIT-LOG.strategy.type appender.AUDIT-LOG.strategy.max",
        "log4j.appender.AUDIT.LOG.file | appender.AUDIT-LOG.fileName appender.AUDIT-LOG.filePattern",
        "log4j.rootLogger | rootLogger.appenderRef.AUDIT-LOG.ref",
        "log4j.additivity.com.acme.Gate | logger.com-acme-Gate.additivity",
        "log4j.logger.org.wso2 | logger.org-wso2.level",
    ] {
        assert!(converted.contains(&line.to_owned()), "{line}: {converted:#?}");
    }
}

/// An appender of each kind.
const KINDS: &str = "\
log4j.rootLogger=INFO, A
log4j.appender.A=org.apache.log4j.ConsoleAppender
log4j.appender.A.Target=System.err
log4j.appender.A.Follow=true
log4j.appender.A.ImmediateFlush=false
log4j.appender.A.layout=org.apache.log4j.EnhancedPatternLayout
log4j.appender.A.layout.ConversionPattern=%p %m%n
log4j.appender.B=org.apache.log4j.FileAppender
log4j.appender.B.File=logs/b
log4j.appender.B.Append=false
log4j.appender.B.ImmediateFlush=true
log4j.appender.B.BufferedIO=true
log4j.appender.B.BufferSize=8192
log4j.appender.C=org.apache.log4j.DailyRollingFileAppender
log4j.appender.C.File=/v.1/${host}.log
log4j.appender.C.DatePattern='.'yyyy-MM-dd-HH
log4j.appender.C.MaxFileSize=5MB
log4j.appender.C.MaxBackupIndex=7
log4j.appender.D=org.apache.log4j.net.SyslogAppender
log4j.appender.D.SyslogHost=log.host:1514
log4j.appender.D.Facility=LOCAL1
log4j.appender.E=org.apache.log4j.net.SyslogAppender
";

/// What becomes of them.
const NEW_KINDS: &str = "\
appender.A.type=Console
appender.A.name=A
appender.A.target=SYSTEM_ERR
appender.A.layout.type=PatternLayout
appender.A.layout.pattern=%p %m%n
appender.A.follow=true
appender.A.immediateFlush=false
appender.B.type=RollingFile
appender.B.name=B
appender.B.fileName=logs/b
appender.B.filePattern=logs/b-%d{MM-dd-yyyy}
appender.B.policies.type=Policies
appender.B.policies.time.type=TimeBasedTriggeringPolicy
appender.B.policies.time.interval=1
appender.B.policies.time.modulate=true
appender.B.append=false
appender.B.bufferedIo=true
appender.B.bufferSize=8192
appender.C.type=RollingFile
appender.C.name=C
appender.C.fileName=/v.1/${sys:host}.log
appender.C.filePattern=/v.1/${sys:host}-%d{yyyy-MM-dd-HH}-%i.log
appender.C.policies.type=Policies
appender.C.policies.time.type=TimeBasedTriggeringPolicy
appender.C.policies.time.interval=1
appender.C.policies.time.modulate=true
appender.C.policies.size.type=SizeBasedTriggeringPolicy
appender.C.policies.size.size=5MB
appender.C.strategy.type=DefaultRolloverStrategy
appender.C.strategy.max=7
appender.D.type=Syslog
appender.D.name=D
appender.D.host=log.host
appender.D.port=1514
appender.D.protocol=UDP
appender.D.facility=LOCAL1
appender.E.type=Syslog
appender.E.name=E
appender.E.host=localhost
appender.E.port=514
appender.E.protocol=UDP
rootLogger.level=INFO
rootLogger.appenderRef.A.ref=A
";

#[test]
fn each_kind_of_appender_becomes_its_counterpart() {
    let mut node = Node::new();
    node.write("old", KINDS);
    let args = args(&node, map! { "create" => true, "strict" => true });
    node.converges("log4j2_convert", args);
    assert_eq!(node.read("new"), NEW_KINDS);
}

const UNMAPPED: [&str; 18] = [
    "log4j.appender.CONSOLE.filter.1 | org.apache.log4j.varia.LevelRangeFilter | Console of log4j 2 has nothing like it",
    "log4j.appender.FILE.layout.ConversionPattern | TID: [%T] [%S] [%d] %P%5p %U {%c} - %m%n | left out of it, \
         without counterpart: %P, %U",
    "log4j.appender.MEMORY.bufferSize | 5000 | log4j 2 has no appender like \
         org.wso2.carbon.logging.service.appender.CarbonMemoryAppender",
    "log4j.appender.MEMORY.Password | (a password) | log4j 2 has no appender like \
     org.wso2.carbon.logging.service.appender.CarbonMemoryAppender",
    "log4j.appender.MAIL | org.apache.log4j.net.SMTPAppender | log4j 2 has no such appender; it is left out with all \
         its settings",
    "log4j.appender.BARE | org.apache.log4j.FileAppender | it names no file; it is left out",
    "log4j.appender.WEB.DatePattern | '/' | it cannot be a part of a file's name; MM-dd-yyyy is taken",
    "log4j.appender.WEB.layout | org.apache.log4j.HTMLLayout | this layout has no counterpart; the messages alone are written",
    "log4j.appender.WEB.MaxSize | 3 | RollingFile of log4j 2 has nothing like it",
    "log4j.appender.SYS.layout.ConversionPattern | %m | Syslog of log4j 2 has a layout of its own, which tells the priority",
    "log4j.rootLogger | ERROR, FILE, MEMORY | CONSOLE was taken out of it; nothing is taken out of the new file",
    "log4j.logger.x | LOUD#com.acme.Level, MAIL, MEMORY | the level LOUD#com.acme.Level is none of log4j 2",
    "log4j.logger.x | LOUD#com.acme.Level, MAIL, MEMORY | the appender MAIL has no counterpart; the rest of the logger is \
         converted",
    "log4j.logger.x | LOUD#com.acme.Level, MAIL, MEMORY | the appender MEMORY has no counterpart; the rest of the logger is \
         converted",
    "log4j.debug | true | log4j 2 has nothing like it",
    "log4j.appender.lost.File | x | log4j 2 has nothing like it",
    "unused | 1 | it is no setting of log4j, and nothing in the file refers to it",
    "log4j.logger.org.apache | INFO, FILE | it was taken out of the old file; nothing is taken out of the new one",
];

#[test]
fn what_has_no_counterpart_is_told() {
    let mut node = Node::new();
    let old = BASE
        .replace("bufferSize=2000", "bufferSize=5000\nlog4j.appender.MEMORY.Password=hush")
        .replace("%P%5p {%c}", "%P%5p %U {%c}")
        .replace(
            "[%d] %m%n\n",
            "[%d] %m%n\nlog4j.appender.CONSOLE.filter.1=org.apache.log4j.varia.LevelRangeFilter\n",
        )
        .replace("log4j.logger.org.apache=INFO, FILE\n", "")
        .replace("ERROR, CONSOLE, ", "ERROR, ")
        + "\
log4j.debug=true
unused=1
log4j.logger.x=LOUD#com.acme.Level, MAIL, MEMORY
log4j.logger.y=INHERITED, FILE
log4j.appender.MAIL=org.apache.log4j.net.SMTPAppender
log4j.appender.MAIL.To=a@b
log4j.appender.BARE=org.apache.log4j.FileAppender
log4j.appender.lost.File=x
log4j.appender.WEB=org.apache.log4j.DailyRollingFileAppender
log4j.appender.WEB.File=w.log
log4j.appender.WEB.DatePattern='/'
log4j.appender.WEB.MaxSize=3
log4j.appender.WEB.layout=org.apache.log4j.HTMLLayout
log4j.appender.SYS=org.apache.log4j.net.SyslogAppender
log4j.appender.SYS.layout=org.apache.log4j.PatternLayout
log4j.appender.SYS.layout.ConversionPattern=%m
";
    let done = converted(&mut node, &old);
    assert_eq!(told(&done, "unmapped"), UNMAPPED);
    assert!(
        added(&node).contains("logger.x.name = x\nlogger.y.name = y\nlogger.y.appenderRef.FILE.ref = FILE\n")
    );
    let strict = args(&node, map! { "base_content" => BASE, "strict" => true });
    let refused = node.run("log4j2_convert", strict);
    let begin = format!(
        "{} cannot be converted whole: log4j.appender.CONSOLE.filter.1: Console of ",
        node.text("old")
    );
    assert!(text(&refused, "msg").starts_with(&begin), "{:?}", refused.values);
    assert_eq!((refused.status, told(&refused, "unmapped").len()), (Status::Failed, UNMAPPED.len()));
}

#[test]
fn what_the_file_says_otherwise_is_not_overwritten() {
    let mut node = Node::new();
    let old = BASE
        .replace("rootLogger=ERROR", "rootLogger=WARN")
        .replace("org.quartz=WARN", "org.quartz=DEBUG, FILE")
        .replace("layout.TenantPattern", "MaxBackupIndex=30\nlog4j.appender.FILE.layout.TenantPattern")
        + "log4j.logger.org.wso2=TRACE\nlog4j.appender.PaxOsgi=org.apache.log4j.ConsoleAppender\n";
    let done = converted(&mut node, &old);
    let expected = [
        "appender.FILE.strategy.max | 30 | 20",
        "appender.osgi.type | Console | PaxOsgi",
        "rootLogger.level | WARN | ERROR",
        "logger.org-quartz.level | DEBUG | WARN",
        "logger.org-wso2.level | TRACE | INFO",
    ];
    assert_eq!(told(&done, "conflicts"), expected);
    // A reference more overwrites nothing.
    assert_eq!(added(&node), "logger.org-quartz.appenderRef.FILE.ref = FILE\n");
    let strict = args(&node, map! { "base_content" => BASE, "strict" => true });
    let said = node.fails("log4j2_convert", strict);
    let all = "appender.FILE.strategy.max is 20, not 30; appender.osgi.type is PaxOsgi, not Console; rootLogger.level is \
        ERROR, not WARN; logger.org-quartz.level is WARN, not DEBUG; logger.org-wso2.level is INFO, not TRACE";
    assert_eq!(said, format!("{} cannot be converted whole: {all}", node.text("old")));

    // An appender that is there, but not so, stays as it is, also where something is missing in it.
    node.write("old", "log4j.rootLogger=ERROR\nlog4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\nlog4j.appender.CONSOLE.Target=System.out\n");
    node.write("new", TARGET);
    let done = node.run("log4j2_convert", args(&node, map! {}));
    assert_eq!(
        (done.status, told(&done, "conflicts")),
        (Status::Same, vec!["appender.CONSOLE.target | SYSTEM_OUT | -".to_owned()])
    );
    let said = node.fails("log4j2_convert", args(&node, map! { "strict" => true }));
    assert!(said.ends_with("appender.CONSOLE.target is missing, not SYSTEM_OUT"), "{said}");
}

#[test]
fn a_shipped_appender_that_is_needed_now_is_brought_along() {
    let mut node = Node::new();
    let shipped = "log4j.appender.TM=org.apache.log4j.ConsoleAppender\n";
    node.write("old", &format!("{shipped}log4j.logger.mine=INFO, TM\n"));
    node.write("new", TARGET);
    let args = args(&node, map! { "base_content" => shipped });
    node.converges("log4j2_convert", args);
    let expected = "\
appenders=CONSOLE, FILE, osgi, TM
appender.TM.type = Console
appender.TM.name = TM
loggers = trace, org-quartz, mine
logger.mine.name = mine
logger.mine.level = INFO
logger.mine.appenderRef.TM.ref = TM
";
    assert_eq!(added(&node), expected);
}

/// What is in no list is nothing that can be referred to.
#[test]
fn an_appender_in_no_list_is_listed_or_not_referred_to() {
    let mut node = Node::new();
    let target = TARGET.replace(
        "\nloggers =",
        "\nappender.SYS.type = Syslog\nappender.SYS.name = SYS\nappender.SYS.host = localhost\n\nloggers =",
    );
    let shipped = "log4j.rootLogger=ERROR\nlog4j.appender.SYS=org.apache.log4j.net.SyslogAppender\n";
    let used = shipped.replace("ERROR", "ERROR, SYS");
    node.write("new", &target);
    node.write("old", &used);
    let args = args(&node, map! { "base_content" => shipped });
    node.converges("log4j2_convert", args.clone());
    let expected =
        target.replace("FILE, osgi\n", "FILE, osgi, SYS\n") + "rootLogger.appenderRef.SYS.ref = SYS\n";
    assert_eq!(node.read("new"), expected);

    node.write("new", &target);
    node.write("old", &(used + "log4j.appender.SYS.SyslogHost=loghost\n"));
    let done = node.run("log4j2_convert", args);
    assert_eq!((done.status, node.read("new")), (Status::Same, target));
    assert_eq!(told(&done, "conflicts"), ["appender.SYS.host | loghost | localhost"]);
    let reason = "the appender SYS is in conflict; the rest of the logger is converted";
    assert_eq!(told(&done, "unmapped"), [format!("log4j.rootLogger | ERROR, SYS | {reason}")]);
}

#[test]
fn files_of_the_wrong_kind_are_refused() {
    let mut node = Node::new();
    node.write("v1", "log4j.rootLogger=INFO, A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\n");
    node.write("v2", TARGET);
    node.write("none", "a=b\n");
    node.write(
        "undefined",
        "log4j.rootLogger=INFO, A, B\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\n",
    );
    node.write("short", "rootLogger = INFO, A\n");
    for (src, path, more, file, expected) in [
        ("v2", "v2", map! {}, "v2", "is of log4j 2 already; `properties_carry` carries its settings over"),
        ("none", "v2", map! {}, "none", "holds no settings of log4j 1: its keys would begin with `log4j.`"),
        (
            "v1",
            "v1",
            map! {},
            "v1",
            "is of log4j 1 itself; name the log4j2.properties that gets the settings",
        ),
        (
            "v1",
            "short",
            map! {},
            "short",
            "has `rootLogger` with level and appenders in one line, a form that is not edited here",
        ),
        (
            "undefined",
            "v2",
            map! {},
            "undefined",
            "refers to the appender B at log4j.rootLogger, which is defined neither there nor in the new file",
        ),
        (
            "v1",
            "v2",
            map! { "base" => node.text("v2") },
            "v2",
            "is of log4j 2 already; `properties_carry` carries its settings over",
        ),
        ("v1", "v2", map! { "base" => node.text("missing") }, "missing", "does not exist"),
        ("missing", "v2", map! {}, "missing", "does not exist"),
        ("v1", "missing", map! {}, "missing", "does not exist; set `create: true` to create it"),
    ] {
        let mut all = map! { "src" => node.text(src), "path" => node.text(path) };
        all.extend(more);
        assert_eq!(node.fails("log4j2_convert", all), format!("{} {expected}", node.text(file)));
    }
    let both =
        map! { "src" => node.text("v1"), "path" => node.text("v2"), "base" => "x", "base_content" => "y" };
    assert_eq!(node.fails("log4j2_convert", both), "parameters are mutually exclusive: base|base_content");
}
