//! Puts what is converted into a file of log4j 2.

use super::Configuration;
use super::appender::{self, Setting};
use super::old::{Appender, Logger};
use super::outcome::{Conflict, Converted, Log4jError, Unmapped};
use crate::formats::properties::{Properties, members};

/// What became of a configuration.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The new file.
    pub file: Properties,
    /// What the new file says too now, or said already.
    pub converted: Vec<Converted>,
    /// What has no counterpart.
    pub unmapped: Vec<Unmapped>,
    /// What the new file says otherwise, and still does.
    pub conflicts: Vec<Conflict>,
}

/// Puts `old` into `file`, as far as it is not in `base`.
///
/// # Errors
/// If `file` is none that can be edited, or `old` refers to what is not there.
pub fn merge(
    old: &Configuration,
    base: Option<&Configuration>,
    file: Properties,
) -> Result<Conversion, Log4jError> {
    refuse_unreadable(&file)?;
    let nothing = Configuration::default();
    let new = Conversion { file, converted: Vec::new(), unmapped: Vec::new(), conflicts: Vec::new() };
    let mut merge = Merge { old, base: base.unwrap_or(&nothing), new };
    let is_shipped = |logger: &&Logger| merge.base_logger(logger).is_some_and(|base| logger.is_like(base));
    let loggers: Vec<&Logger> = old.loggers.iter().filter(|logger| !is_shipped(logger)).collect();
    let added = merge.references(&loggers)?;
    for appender in &old.appenders {
        let is_needed = added.contains(&appender.name.as_str())
            && key_of(&merge.new.file, "appender", &appender.name).is_none();
        let is_shipped = merge.base.appender(&appender.name).is_some_and(|base| appender.is_like(base));
        if is_needed || !is_shipped {
            merge.appender(appender, is_needed);
        }
    }
    for logger in loggers {
        merge.logger(logger);
    }
    merge.rest();
    for unmapped in &mut merge.new.unmapped {
        if unmapped.key.to_ascii_lowercase().ends_with("password") {
            unmapped.value = "(a password)".into();
        }
    }
    Ok(merge.new)
}

fn refuse_unreadable(file: &Properties) -> Result<(), Log4jError> {
    for (key, _) in file.pairs() {
        if key.starts_with("log4j.") {
            return Err(Log4jError::TargetIsOld);
        }
        if key == "rootLogger" || key.strip_prefix("logger.").is_some_and(|rest| !rest.contains('.')) {
            return Err(Log4jError::Shorthand(key));
        }
    }
    Ok(())
}

/// Returns the key under which something of a name is in a file.
fn key_of(file: &Properties, kind: &str, name: &str) -> Option<String> {
    file.pairs().into_iter().find_map(|(key, value)| {
        let key = key.strip_prefix(kind)?.strip_prefix('.')?.strip_suffix(".name")?;
        (value.trim() == name && !key.contains('.')).then(|| key.to_owned())
    })
}

/// Returns whether something defined in a file is made use of: in its list, or without one always.
fn is_listed(file: &Properties, list: &str, key: &str) -> bool {
    file.get(list).is_none_or(|value| members(value).any(|member| member == key))
}

struct Merge<'c> {
    old: &'c Configuration,
    base: &'c Configuration,
    new: Conversion,
}

impl<'c> Merge<'c> {
    fn base_logger(&self, logger: &Logger) -> Option<&'c Logger> {
        self.base.find_logger(&logger.name)
    }

    /// Returns the appenders to which loggers refer that did not do so in the base.
    fn references(&self, loggers: &[&'c Logger]) -> Result<Vec<&'c str>, Log4jError> {
        let mut names = Vec::new();
        for logger in loggers {
            let before =
                self.base_logger(logger).map(|logger| logger.appenders.as_slice()).unwrap_or_default();
            for name in logger.appenders.iter().filter(|name| !before.contains(name)) {
                if self.old.appender(name).is_none() && key_of(&self.new.file, "appender", name).is_none() {
                    return Err(Log4jError::Undefined { key: logger.key.clone(), name: name.clone() });
                }
                names.push(name.as_str());
            }
        }
        Ok(names)
    }

    /// Returns a key for something of a name: without dots, and not that of something else.
    fn free_key(&self, kind: &str, name: &str) -> String {
        let plain = name.replace('.', "-");
        let pairs = self.new.file.pairs();
        let is_free =
            |key: &String| !pairs.iter().any(|(known, _)| known.starts_with(&format!("{kind}.{key}.")));
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        [plain.clone()].into_iter().chain(numbered).find(is_free).unwrap_or(plain)
    }

    /// Makes `key` a member of a list, if there is that list: without it, log4j takes whatever is defined.
    fn list(&mut self, list: &str, key: &str) {
        if !is_listed(&self.new.file, list, key) {
            self.new.file.add_member(list, key);
        }
    }

    fn converted(&mut self, from: &str, to: String) {
        match self.new.converted.iter_mut().find(|converted| converted.from == from) {
            Some(converted) => converted.to.push(to),
            None => self.new.converted.push(Converted { from: from.to_owned(), to: vec![to] }),
        }
    }

    /// Sets a key that is not there yet; one with another value is a conflict. Returns whether it is none.
    fn set(&mut self, from: &str, key: String, value: &str, may_add: bool) -> bool {
        let there = self.new.file.get(&key).map(|value| value.trim().to_owned());
        match there {
            Some(there) if there == value => {}
            None if may_add => self.new.file.set(&key, value),
            there => {
                self.new.conflicts.push(Conflict { key, wanted: value.to_owned(), there });
                return false;
            }
        }
        self.converted(from, key);
        true
    }

    /// Converts an appender: whole if it `is_needed`, else what is not as it was shipped.
    fn appender(&mut self, old: &Appender, is_needed: bool) {
        let mut unmapped = Vec::new();
        let settings = appender::converted(old, &mut unmapped);
        let before = self.base.appender(&old.name);
        let mut told = Vec::new();
        let shipped = before.filter(|_| !is_needed || settings.is_none());
        let shipped = shipped.and_then(|before| appender::converted(before, &mut told)).unwrap_or_default();
        unmapped.retain(|unmapped| !told.contains(unmapped));
        self.new.unmapped.extend(unmapped);
        match (settings, before) {
            (Some(settings), _) => self.place_appender(old, &settings, &shipped),
            // What was changed of an appender that has no counterpart, one by one.
            (None, Some(before)) => {
                for (setting, value) in
                    old.settings.iter().filter(|setting| !before.settings.contains(setting))
                {
                    self.new.unmapped.push(Unmapped {
                        key: format!("{}.{setting}", old.key),
                        value: value.clone(),
                        reason: format!("log4j 2 has no appender like {}", old.class),
                    });
                }
            }
            (None, None) => {}
        }
    }

    /// Adds an appender whole, or compares what was changed with the one that is there.
    fn place_appender(&mut self, old: &Appender, settings: &[Setting], shipped: &[Setting]) {
        let from = |setting: &Setting| match setting.from.as_str() {
            "" => old.key.clone(),
            from => format!("{}.{from}", old.key),
        };
        let there = key_of(&self.new.file, "appender", &old.name);
        let is_new = there.is_none();
        let key = there.unwrap_or_else(|| self.free_key("appender", &old.name));
        let mut is_same = true;
        for setting in settings {
            let is_shipped =
                shipped.iter().any(|known| (known.key, &known.value) == (setting.key, &setting.value));
            if is_new || !is_shipped {
                let key = format!("appender.{key}.{}", setting.key);
                is_same &= self.set(&from(setting), key, &setting.value, is_new);
            }
        }
        if is_same {
            self.list("appenders", &key);
        }
    }

    fn logger(&mut self, old: &Logger) {
        let root = old.name.is_empty();
        let there = if root { Some(String::new()) } else { key_of(&self.new.file, "logger", &old.name) };
        let is_new = there.is_none();
        let key = there.unwrap_or_else(|| self.free_key("logger", &old.name));
        let begin = if root { "rootLogger".to_owned() } else { format!("logger.{key}") };
        let before = self.base_logger(old).filter(|_| !is_new);
        let additivity = old.additivity.as_ref();
        let from =
            if old.key.is_empty() { additivity.map(|(from, _)| from.as_str()) } else { Some(&*old.key) };
        let from = from.unwrap_or_default();
        let mut is_same = !is_new || self.set(from, format!("{begin}.name"), &old.name, true);
        match old.new_level() {
            Some(Ok(level)) if before.is_none_or(|before| before.level != old.level) => {
                is_same &= self.set(from, format!("{begin}.level"), &level, true);
            }
            Some(Err(unmapped)) => self.new.unmapped.push(unmapped),
            _ => {}
        }
        for name in &old.appenders {
            if before.is_none_or(|before| !before.appenders.contains(name)) {
                self.reference(old, &begin, name);
            }
        }
        if let Some((from, value)) = additivity
            && before.is_none_or(|before| before.additivity.as_ref().map(|(_, value)| value) != Some(value))
        {
            is_same &= self.set(from, format!("{begin}.additivity"), value, true);
        }
        if is_same && !root {
            self.list("loggers", &key);
        }
        self.tell_removed(old, before);
    }

    /// Lets a logger write to an appender, if there is a counterpart of that.
    fn reference(&mut self, old: &Logger, begin: &str, name: &str) {
        let mut unmapped = |reason: String| {
            let (key, value) = (old.key.clone(), old.written.clone());
            self.new.unmapped.push(Unmapped { key, value, reason });
        };
        let Some(appender) = key_of(&self.new.file, "appender", name) else {
            return unmapped(format!(
                "the appender {name} has no counterpart; the rest of the logger is converted"
            ));
        };
        let of_appender = format!("appender.{appender}.");
        // Otherwise defined, and in no list: whoever referred to it would refer to nothing.
        if !is_listed(&self.new.file, "appenders", &appender)
            && self.new.conflicts.iter().any(|conflict| conflict.key.starts_with(&of_appender))
        {
            return unmapped(format!(
                "the appender {name} is in conflict; the rest of the logger is converted"
            ));
        }
        self.list("appenders", &appender);
        let known = format!("{begin}.appenderRef.");
        let is_there = |(key, value): &(String, String)| {
            key.starts_with(&known) && key.ends_with(".ref") && value.trim() == name
        };
        let there = self.new.file.pairs().into_iter().find(is_there).map(|(key, _)| key);
        match there {
            Some(key) => self.converted(&old.key, key),
            None => {
                let key = format!("{known}{}.ref", name.replace('.', "-"));
                self.set(&old.key, key, name, true);
            }
        }
    }

    /// Tells what the base had and the old file has no more: nothing is removed from the new one.
    fn tell_removed(&mut self, old: &Logger, before: Option<&Logger>) {
        let gone = before
            .into_iter()
            .flat_map(|before| &before.appenders)
            .filter(|name| !old.appenders.contains(name));
        for name in gone {
            self.new.unmapped.push(Unmapped {
                key: old.key.clone(),
                value: old.written.clone(),
                reason: format!("{name} was taken out of it; nothing is taken out of the new file"),
            });
        }
    }

    /// Tells what is neither logger nor appender, and what the base had in addition.
    fn rest(&mut self) {
        for (key, value) in self.old.rest.iter().filter(|setting| !self.base.rest.contains(setting)) {
            let reason = match key.starts_with("log4j.") {
                true => "log4j 2 has nothing like it",
                false => "it is no setting of log4j, and nothing in the file refers to it",
            };
            self.new.unmapped.push(Unmapped {
                key: key.clone(),
                value: value.clone(),
                reason: reason.into(),
            });
        }
        let appenders =
            self.base.appenders.iter().filter(|appender| self.old.appender(&appender.name).is_none());
        let appenders = appenders.map(|appender| (&appender.key, &appender.class));
        let loggers = self.base.loggers.iter().filter(|logger| self.old.find_logger(&logger.name).is_none());
        let loggers = loggers.map(|logger| (&logger.key, &logger.written));
        for (key, value) in appenders.chain(loggers) {
            let reason = "it was taken out of the old file; nothing is taken out of the new one".to_owned();
            self.new.unmapped.push(Unmapped { key: key.clone(), value: value.clone(), reason });
        }
    }
}
