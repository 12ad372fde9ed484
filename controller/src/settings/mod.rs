//! Settings: what `ansible.cfg` and the environment say of how to run. The command line stands above both.
//!
//! [`table`] has all that convoy honours, one entry each; [`others`] what else Ansible knows, and what happens instead.

mod entry;
mod file;
mod kind;
pub mod others;
mod place;
pub mod table;
mod vault;

use std::path::Path;

pub use entry::{Entry, Environment, RawSetting, Source};
pub use kind::{Gathering, GroupNames, HashBehaviour, Journal, Mismatch, PathList};
pub use table::{Settings, TABLE};

use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use file::File;

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The settings.
    pub settings: Settings,
    /// Names that are unknown, or have no effect.
    pub warnings: Vec<Diagnostic>,
    /// What `-v` tells: the file, and each setting that is not the default, with its source.
    pub told: Vec<String>,
}

/// Reads the settings of this process.
///
/// # Errors
/// All that is wrong in them.
pub fn read() -> Result<Read, Diagnostics> {
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    read_with(Path::new("."), &names, &|name| std::env::var(name).ok())
}

/// Reads the settings of a process that stands in the folder `here` and has this environment.
///
/// # Errors
/// All that is wrong in them.
pub fn read_with(here: &Path, names: &[String], environment: Environment<'_>) -> Result<Read, Diagnostics> {
    let mut warnings = Vec::new();
    let path = place::find(here, environment, &mut warnings);
    let file = path.as_deref().map(File::read).transpose()?.unwrap_or_default();
    let find = |entry: &Entry| in_environment(entry, here, environment).or_else(|| file.find(entry));
    let (settings, found) = Settings::build(find)?;
    unknown_in_file(&file, &mut warnings);
    unknown_in_environment(names, environment, &mut warnings);
    let mut told = vec![match &path {
        Some(path) => format!("Using {} as config file", path.display()),
        None => "No config file found; using defaults".to_owned(),
    }];
    told.extend(found.iter().map(|(entry, found)| {
        format!("setting {} = {} (from {})", entry.name, found.text.trim(), found.source)
    }));
    Ok(Read { settings, warnings, told })
}

fn in_environment(entry: &Entry, here: &Path, environment: Environment<'_>) -> Option<RawSetting> {
    let value = |name: &&'static str| {
        let text = environment(name).filter(|text| !text.is_empty())?;
        Some(RawSetting { text, source: Source::Environment(name), base: here.to_owned() })
    };
    entry.environment.iter().rev().find_map(value)
}

/// Names each line of the file that is not honoured.
fn unknown_in_file(file: &File, warnings: &mut Vec<Diagnostic>) {
    for (section, keys) in &file.sections {
        for (key, line) in keys {
            let name = format!("{section}.{key}");
            if TABLE.iter().any(|entry| entry.keys.contains(&name.as_str())) {
                continue;
            }
            let warning = match others::key(&name) {
                Some(other) => match other.warning(&name, &line.text) {
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
        TABLE.iter().flat_map(|entry| entry.keys).chain(others::keys()).filter_map(|key| key.split_once('.'))
    };
    let elsewhere = keys().find(|(_, known)| *known == key);
    let here = did_you_mean(key, keys().filter(|(known, _)| *known == section).map(|(_, key)| key));
    let hint = match elsewhere {
        Some((section, _)) => Some(format!("it belongs to [{section}]")),
        None => here,
    };
    Diagnostic::user(format!("`{key}` in [{section}] is not a setting that convoy knows")).hint(hint)
}

/// Names each variable that looks like a setting and is none.
fn unknown_in_environment(names: &[String], environment: Environment<'_>, warnings: &mut Vec<Diagnostic>) {
    let known = || TABLE.iter().flat_map(|entry| entry.environment).chain(others::variables());
    let mut names: Vec<&String> = names.iter().filter(|name| name.starts_with("ANSIBLE_")).collect();
    names.sort();
    for name in names {
        let of_table = TABLE.iter().any(|entry| entry.environment.contains(&name.as_str()));
        let value = environment(name).unwrap_or_default();
        if of_table || value.is_empty() || place::VARIABLE == name {
            continue;
        }
        match others::variable(name) {
            Some(other) => warnings.extend(other.warning(name, &value).map(Diagnostic::user)),
            None => {
                let what = format!("{name} in the environment is not a setting that convoy knows");
                warnings.push(Diagnostic::user(what).hint(did_you_mean(name, known().copied())));
            }
        }
    }
}

#[cfg(test)]
mod tests;
