//! Settings from `ansible.cfg` and the environment. Options on the command line take precedence over both.
//!
//! [`table`] lists the supported settings. [`unsupported`] lists all other settings of Ansible, and what happens instead.
//! `file` parses `ansible.cfg`, which `place` finds; `kind` parses the values.

mod entry;
mod file;
mod kind;
mod place;
pub mod table;
pub mod unsupported;
mod vault;

use std::path::Path;

pub use entry::{Entry, Environment, RawSetting, Source};
pub use kind::{Gathering, GroupNames, HashBehaviour, Journal, Mismatch, PathList};
pub use table::{Settings, TABLE};

use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use file::File;

/// The settings of a process.
#[derive(Debug, Default)]
pub struct LoadedSettings {
    /// The settings.
    pub settings: Settings,
    /// Warnings about settings that are unknown or have no effect.
    pub warnings: Vec<Diagnostic>,
    /// The lines that `-v` shows: the file, and each setting that is set, with its source.
    pub verbose: Vec<String>,
}

/// Reads the settings of this process.
///
/// # Errors
/// All invalid settings.
pub fn read() -> Result<LoadedSettings, Diagnostics> {
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    read_with(Path::new("."), &names, &|name| std::env::var(name).ok())
}

/// Reads the settings of a process with the working directory `here` and this environment; `names` are the names of its
/// variables.
///
/// # Errors
/// All invalid settings.
pub fn read_with(
    here: &Path,
    names: &[String],
    environment: Environment<'_>,
) -> Result<LoadedSettings, Diagnostics> {
    let mut warnings = Vec::new();
    let path = place::find(here, environment, &mut warnings);
    let file = path.as_deref().map(File::read).transpose()?.unwrap_or_default();
    let find = |entry: &Entry| in_environment(entry, here, environment).or_else(|| file.find(entry));
    let (settings, found) = Settings::build(find)?;
    check_file(&file, &mut warnings);
    check_environment(names, environment, &mut warnings);
    let mut verbose = vec![match &path {
        Some(path) => format!("Using {} as config file", path.display()),
        None => "No config file found; using defaults".to_owned(),
    }];
    verbose.extend(found.iter().map(|(entry, found)| {
        format!("setting {} = {} (from {})", entry.name, found.text.trim(), found.source)
    }));
    Ok(LoadedSettings { settings, warnings, verbose })
}

fn in_environment(entry: &Entry, here: &Path, environment: Environment<'_>) -> Option<RawSetting> {
    let value = |name: &&'static str| {
        let text = environment(name).filter(|text| !text.is_empty())?;
        Some(RawSetting { text, source: Source::Environment(name), base: here.to_owned() })
    };
    entry.environment.iter().rev().find_map(value)
}

/// Warns about keys of the file that have no effect.
fn check_file(file: &File, warnings: &mut Vec<Diagnostic>) {
    for (section, keys) in &file.sections {
        for (key, line) in keys {
            let name = format!("{section}.{key}");
            if TABLE.iter().any(|entry| entry.keys.contains(&name.as_str())) {
                continue;
            }
            let warning = match unsupported::key(&name) {
                Some(setting) => match setting.warning(&name, &line.text) {
                    Some(text) => Diagnostic::user(text),
                    None => continue,
                },
                None => unknown_key(section, key),
            };
            warnings.push(warning.at(line.at.clone()));
        }
    }
}

fn unknown_key(section: &str, key: &str) -> Diagnostic {
    let keys = || {
        TABLE
            .iter()
            .flat_map(|entry| entry.keys)
            .chain(unsupported::keys())
            .filter_map(|key| key.split_once('.'))
    };
    let other_section = keys().find(|(_, known)| *known == key);
    let similar = did_you_mean(key, keys().filter(|(known, _)| *known == section).map(|(_, key)| key));
    let hint = match other_section {
        Some((section, _)) => Some(format!("it belongs to [{section}]")),
        None => similar,
    };
    Diagnostic::user(format!("`{key}` in [{section}] is not a setting that convoy knows")).hint(hint)
}

/// Warns about variables of the environment that look like settings and have no effect.
fn check_environment(names: &[String], environment: Environment<'_>, warnings: &mut Vec<Diagnostic>) {
    let known = || TABLE.iter().flat_map(|entry| entry.environment).chain(unsupported::variables());
    let mut names: Vec<&String> = names.iter().filter(|name| name.starts_with("ANSIBLE_")).collect();
    names.sort();
    for name in names {
        let is_supported = TABLE.iter().any(|entry| entry.environment.contains(&name.as_str()));
        let value = environment(name).unwrap_or_default();
        if is_supported || value.is_empty() || place::VARIABLE == name {
            continue;
        }
        match unsupported::variable(name) {
            Some(setting) => warnings.extend(setting.warning(name, &value).map(Diagnostic::user)),
            None => {
                let what = format!("{name} in the environment is not a setting that convoy knows");
                warnings.push(Diagnostic::user(what).hint(did_you_mean(name, known().copied())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
