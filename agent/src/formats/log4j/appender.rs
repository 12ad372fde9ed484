//! Appenders of log4j 1 and their counterparts.

use super::old::Appender;
use super::outcome::Unmapped;
use super::pattern;

/// A setting of the new appender, by what stands behind its name, and the old setting that it comes from; that is empty
/// for the class itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) from: String,
    pub(super) key: &'static str,
    pub(super) value: String,
}

/// The kinds of appenders that both versions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Console,
    /// Written to for ever; rolled each day now, as Carbon has it.
    File,
    /// Rolled when it is large.
    BySize,
    /// Rolled by time.
    ByTime,
    Syslog,
}

impl Kind {
    fn of(class: &str) -> Option<Self> {
        let carbon = class.strip_prefix("org.wso2.carbon.utils.logging.appenders.");
        Some(match class.strip_prefix("org.apache.log4j.").or(carbon)? {
            "ConsoleAppender" | "CarbonConsoleAppender" => Self::Console,
            "FileAppender" => Self::File,
            "RollingFileAppender" => Self::BySize,
            "DailyRollingFileAppender" | "CarbonDailyRollingFileAppender" => Self::ByTime,
            "net.SyslogAppender" => Self::Syslog,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Console => "Console",
            Self::Syslog => "Syslog",
            Self::File | Self::BySize | Self::ByTime => "RollingFile",
        }
    }

    fn is_file(self) -> bool {
        self.name() == "RollingFile"
    }
}

/// Returns the settings of the new appender; `None` if there is no counterpart. What has none is added to `unmapped`.
pub(super) fn converted(old: &Appender, unmapped: &mut Vec<Unmapped>) -> Option<Vec<Setting>> {
    let whole = |reason: String| Unmapped { key: old.key.clone(), value: old.class.clone(), reason };
    let Some(kind) = Kind::of(&old.class) else {
        unmapped.push(whole("log4j 2 has no such appender; it is left out with all its settings".into()));
        return None;
    };
    if kind.is_file() && old.setting("File").is_none() {
        unmapped.push(whole("it names no file; it is left out".into()));
        return None;
    }
    let mut new = New { old, kind, settings: Vec::new(), unmapped };
    new.add("", "type", kind.name());
    new.add("", "name", &old.name);
    new.place();
    new.layout();
    new.rolling();
    new.others();
    Some(new.settings)
}

impl Appender {
    /// Returns a setting by its name; log4j does not mind upper and lower case of the first letter.
    fn setting(&self, name: &str) -> Option<(&str, &str)> {
        let found = self.settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

struct New<'a> {
    old: &'a Appender,
    kind: Kind,
    settings: Vec<Setting>,
    unmapped: &'a mut Vec<Unmapped>,
}

impl New<'_> {
    fn add(&mut self, from: &str, key: &'static str, value: &str) {
        self.settings.push(Setting { from: from.to_owned(), key, value: value.to_owned() });
    }

    fn refuse(&mut self, from: &str, value: &str, reason: impl Into<String>) {
        let key = format!("{}.{from}", self.old.key);
        self.unmapped.push(Unmapped { key, value: value.to_owned(), reason: reason.into() });
    }

    /// Says where it writes to.
    fn place(&mut self) {
        let old = self.old;
        match self.kind {
            Kind::Console => {
                if let Some((from, value)) = old.setting("Target") {
                    let is_error = value.eq_ignore_ascii_case("System.err");
                    self.add(from, "target", if is_error { "SYSTEM_ERR" } else { "SYSTEM_OUT" });
                }
            }
            Kind::Syslog => {
                let (from, value) = old.setting("SyslogHost").unwrap_or(("SyslogHost", "localhost"));
                let (host, port) = value.split_once(':').unwrap_or((value, "514"));
                self.add(from, "host", host);
                self.add(from, "port", port);
                self.add(from, "protocol", "UDP");
                if let Some((from, value)) = old.setting("Facility") {
                    self.add(from, "facility", value);
                }
            }
            Kind::File | Kind::BySize | Kind::ByTime => {
                let (from, file) = old.setting("File").unwrap_or_default();
                self.add(from, "fileName", file);
                let rolled = self.rolled(file);
                let by_date = old.setting("DatePattern").filter(|_| self.kind != Kind::BySize);
                self.add(by_date.map_or(from, |(from, _)| from), "filePattern", &rolled);
            }
        }
    }

    /// Returns the names that a file gets when it is full or old.
    fn rolled(&mut self, file: &str) -> String {
        let name = file.rfind('/').map_or(0, |slash| slash + 1);
        let dot = file[name..].rfind('.').filter(|dot| *dot > 0).map_or(file.len(), |dot| name + dot);
        let (stem, end) = file.split_at(dot);
        let is_numbered = self.kind == Kind::BySize || self.max_size().is_some();
        let number = if is_numbered { "-%i" } else { "" };
        let date = if self.kind == Kind::BySize { String::new() } else { format!("-%d{{{}}}", self.date()) };
        format!("{stem}{date}{number}{end}")
    }

    /// Returns the part of the old pattern that is a date; what is quoted in it stood before the date.
    fn date(&mut self) -> String {
        const USUAL: &str = "MM-dd-yyyy";
        let Some((from, pattern)) = self.old.setting("DatePattern") else { return USUAL.into() };
        let unquoted: String = pattern.split('\'').step_by(2).collect();
        let date = unquoted.trim_matches([' ', '.', '_', '-']);
        if !date.is_empty() && date.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '.')) {
            return date.to_owned();
        }
        let (from, pattern) = (from.to_owned(), pattern.to_owned());
        self.refuse(&from, &pattern, format!("it cannot be a part of a file's name; {USUAL} is taken"));
        USUAL.into()
    }

    fn max_size(&self) -> Option<(&str, &str)> {
        self.old.setting("MaxFileSize").or_else(|| self.old.setting("MaximumFileSize"))
    }

    fn layout(&mut self) {
        let Some((from, class)) = self.old.setting("layout") else { return };
        let (from, class) = (from.to_owned(), class.to_owned());
        if self.kind == Kind::Syslog {
            let (from, value) = self.old.setting("layout.ConversionPattern").unwrap_or((&from, &class));
            let (from, value) = (from.to_owned(), value.to_owned());
            self.refuse(&from, &value, "Syslog of log4j 2 has a layout of its own, which tells the priority");
            return;
        }
        let short = class.rsplit('.').next().unwrap_or_default();
        match short {
            "PatternLayout" | "EnhancedPatternLayout" | "TenantAwarePatternLayout" => {
                self.add(&from, "layout.type", "PatternLayout");
                if let Some((from, pattern)) = self.old.setting("layout.ConversionPattern") {
                    let (from, pattern) = (from.to_owned(), pattern.to_owned());
                    let new = pattern::converted(&pattern, short == "TenantAwarePatternLayout");
                    self.add(&from, "layout.pattern", &new.text);
                    if !new.dropped.is_empty() {
                        let dropped = new.dropped.join(", ");
                        self.refuse(
                            &from,
                            &pattern,
                            format!("left out of it, without counterpart: {dropped}"),
                        );
                    }
                }
            }
            "SimpleLayout" => {
                self.add(&from, "layout.type", "PatternLayout");
                self.add(&from, "layout.pattern", "%p - %m%n");
            }
            _ => self.refuse(&from, &class, "this layout has no counterpart; the messages alone are written"),
        }
        if let Some((from, charset)) = self.old.setting("Encoding") {
            self.add(from, "layout.charset", charset);
        }
    }

    /// Says when a file is rolled and how many are kept.
    fn rolling(&mut self) {
        if !self.kind.is_file() {
            return;
        }
        let old = self.old;
        self.add("", "policies.type", "Policies");
        if self.kind != Kind::BySize {
            self.add("", "policies.time.type", "TimeBasedTriggeringPolicy");
            self.add("", "policies.time.interval", "1");
            self.add("", "policies.time.modulate", "true");
        }
        // What log4j 1 takes if nothing is said.
        let usual = (self.kind == Kind::BySize).then_some(("", "10MB"));
        let size = self.max_size().or(usual).map(|(from, size)| (from.to_owned(), size.to_owned()));
        if let Some((from, size)) = size {
            self.add(&from, "policies.size.type", "SizeBasedTriggeringPolicy");
            self.add(&from, "policies.size.size", &size);
        }
        let usual = (self.kind == Kind::BySize).then_some(("", "1"));
        if let Some((from, most)) = old.setting("MaxBackupIndex").or(usual) {
            self.add(from, "strategy.type", "DefaultRolloverStrategy");
            self.add(from, "strategy.max", most);
        }
    }

    /// Converts what all have, and tells what is left.
    fn others(&mut self) {
        for (from, value) in &self.old.settings {
            if self.settings.iter().any(|setting| setting.from == *from) {
                continue;
            }
            let key = match from.to_ascii_lowercase().as_str() {
                // As if nothing were said, to both versions.
                "append" | "immediateflush" if value.eq_ignore_ascii_case("true") => continue,
                "threshold" => {
                    self.add(from, "filter.threshold.type", "ThresholdFilter");
                    self.add(from, "filter.threshold.level", &value.to_ascii_uppercase());
                    continue;
                }
                "append" if self.kind.is_file() => "append",
                "bufferedio" if self.kind.is_file() => "bufferedIo",
                "buffersize" if self.kind.is_file() => "bufferSize",
                "immediateflush" => "immediateFlush",
                "follow" if self.kind == Kind::Console => "follow",
                // Said above, or a part of the pattern of names.
                "layout" | "layout.conversionpattern" | "encoding" => continue,
                "datepattern" if self.kind != Kind::BySize && self.kind.is_file() => continue,
                _ => {
                    self.refuse(from, value, format!("{} of log4j 2 has nothing like it", self.kind.name()));
                    continue;
                }
            };
            self.add(from, key, value);
        }
    }
}
