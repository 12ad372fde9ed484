//! A file of log4j 1, as what it configures.

use super::outcome::{Log4jError, Unmapped};
use crate::formats::properties::Properties;

const PREFIX: &str = "log4j.";

/// A logger, or the root of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logger {
    /// Where its level and its appenders stand.
    pub(super) key: String,
    /// Its name; that of the root is empty.
    pub(super) name: String,
    pub(super) written: String,
    pub(super) level: Option<String>,
    pub(super) appenders: Vec<String>,
    /// Where it stands and what it says.
    pub(super) additivity: Option<(String, String)>,
}

/// An appender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Appender {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) class: String,
    /// What stands behind its name, and the values.
    pub(super) settings: Vec<(String, String)>,
}

/// What a file of log4j 1 configures.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    pub(super) loggers: Vec<Logger>,
    pub(super) appenders: Vec<Appender>,
    /// What is neither.
    pub(super) rest: Vec<(String, String)>,
}

impl Configuration {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not of log4j 1.
    pub fn read(file: &Properties) -> Result<Self, Log4jError> {
        let pairs = file.pairs();
        if !pairs.iter().any(|(key, _)| key.starts_with(PREFIX)) {
            return Err(if pairs.iter().any(|(key, _)| is_new(key)) {
                Log4jError::AlreadyNew
            } else {
                Log4jError::NotOld
            });
        }
        let variables: Vec<_> = pairs.iter().filter(|(key, _)| !key.starts_with(PREFIX)).cloned().collect();
        let substituted = |value: &str| substituted(value.trim(), &variables, 0);
        let mut all = Self::default();
        let mut of_appenders = Vec::new();
        for (key, value) in &pairs {
            let Some(rest) = key.strip_prefix(PREFIX) else { continue };
            let name = |kinds: [&str; 2]| kinds.iter().find_map(|kind| rest.strip_prefix(kind));
            if let Some(name) = name(["logger.", "category."]) {
                all.logger(name).set(key, &substituted(value));
            } else if matches!(rest, "rootLogger" | "rootCategory") {
                all.logger("").set(key, &substituted(value));
            } else if let Some(name) = rest.strip_prefix("additivity.") {
                all.logger(name).additivity = Some((key.clone(), substituted(value)));
            } else if let Some(name) = rest.strip_prefix("appender.") {
                of_appenders.push((name.to_owned(), substituted(value)));
            } else {
                all.rest.push((key.clone(), value.clone()));
            }
        }
        all.read_appenders(of_appenders);
        let is_used = |name: &str| pairs.iter().any(|(_, value)| value.contains(&format!("${{{name}}}")));
        all.rest.extend(variables.into_iter().filter(|(name, _)| !is_used(name)));
        Ok(all)
    }

    fn logger(&mut self, name: &str) -> &mut Logger {
        let at = self.loggers.iter().position(|logger| logger.name == name).unwrap_or_else(|| {
            let logger = Logger {
                key: String::new(),
                name: name.to_owned(),
                written: String::new(),
                level: None,
                appenders: Vec::new(),
                additivity: None,
            };
            self.loggers.push(logger);
            self.loggers.len() - 1
        });
        &mut self.loggers[at]
    }

    /// Sorts settings to their appenders. A name may have dots: then what refers to it tells where it ends.
    fn read_appenders(&mut self, pairs: Vec<(String, String)>) {
        let referred: Vec<&String> = self.loggers.iter().flat_map(|logger| &logger.appenders).collect();
        let is_name = |key: &String| !key.contains('.') || referred.contains(&key);
        let mut appenders: Vec<Appender> = pairs
            .iter()
            .filter(|(key, _)| is_name(key))
            .map(|(name, class)| Appender {
                key: format!("{PREFIX}appender.{name}"),
                name: name.clone(),
                class: class.clone(),
                settings: Vec::new(),
            })
            .collect();
        for (key, value) in pairs {
            let of = |appender: &Appender| {
                key.strip_prefix(&appender.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            match appenders
                .iter_mut()
                .filter(|appender| of(appender))
                .max_by_key(|appender| appender.name.len())
            {
                Some(appender) if appender.name == key => {}
                Some(appender) => {
                    let setting = key[appender.name.len() + 1..].to_owned();
                    appender.settings.push((setting, value));
                }
                None => self.rest.push((format!("{PREFIX}appender.{key}"), value)),
            }
        }
        self.appenders = appenders;
    }

    pub(super) fn appender(&self, name: &str) -> Option<&Appender> {
        self.appenders.iter().find(|appender| appender.name == name)
    }

    pub(super) fn find_logger(&self, name: &str) -> Option<&Logger> {
        self.loggers.iter().find(|logger| logger.name == name)
    }
}

impl Appender {
    /// Returns whether another one says the same, in whatever order.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        fn said(appender: &Appender) -> (&String, Vec<&(String, String)>) {
            let mut settings: Vec<_> = appender.settings.iter().collect();
            settings.sort_unstable();
            (&appender.class, settings)
        }
        said(self) == said(other)
    }
}

impl Logger {
    /// Takes the value of its key: a level, which may be left out, and appenders.
    fn set(&mut self, key: &str, value: &str) {
        let mut parts = value.split(',').map(str::trim);
        let level = parts.next().unwrap_or_default();
        self.key = key.to_owned();
        self.written = value.to_owned();
        self.level = (!level.is_empty()).then(|| level.to_owned());
        self.appenders = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    }

    /// Returns whether another one says the same, however it is written.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        fn said(logger: &Logger) -> (Option<&String>, Vec<&String>, Option<&String>) {
            let mut appenders: Vec<&String> = logger.appenders.iter().collect();
            appenders.sort_unstable();
            (logger.level.as_ref(), appenders, logger.additivity.as_ref().map(|(_, value)| value))
        }
        said(self) == said(other)
    }

    /// Returns its level as log4j 2 has it.
    pub(super) fn new_level(&self) -> Option<Result<String, Unmapped>> {
        const LEVELS: [&str; 8] = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"];
        let level = self.level.as_deref()?.to_ascii_uppercase();
        match level.as_str() {
            // As if none were said.
            "INHERITED" | "NULL" => None,
            level if LEVELS.contains(&level) => Some(Ok(level.to_owned())),
            _ => Some(Err(Unmapped {
                key: self.key.clone(),
                value: self.written.clone(),
                reason: format!("the level {} is none of log4j 2", self.level.as_deref().unwrap_or_default()),
            })),
        }
    }
}

fn is_new(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or_default();
    matches!(first, "appenders" | "appender" | "loggers" | "logger" | "rootLogger")
}

/// Returns a value with its variables: those of the file are put in, others are looked up by log4j 2 as the server's own.
fn substituted(value: &str, variables: &[(String, String)], depth: usize) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, (name, after))) =
        rest.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        text.push_str(before);
        match variables.iter().find(|(known, _)| known == name) {
            Some((_, value)) if depth < 8 => text.push_str(&substituted(value.trim(), variables, depth + 1)),
            // Nobody sets it any more; it was a part of paths.
            _ if name == "instance.log" => {
                rest = if text.ends_with('/') { after.strip_prefix('/').unwrap_or(after) } else { after };
                continue;
            }
            _ => text.push_str(&format!("${{sys:{name}}}")),
        }
        rest = after;
    }
    text + rest
}
