//! One entry of the table of settings, and the text that was found for it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::Origin;

/// One line of the table.
#[derive(Debug)]
pub struct Entry {
    /// Its name in the code.
    pub name: &'static str,
    /// What it sets.
    pub doc: &'static str,
    /// What it takes.
    pub kind: &'static str,
    /// What it is if nobody says otherwise, as text.
    pub default: &'static str,
    /// Its places in `ansible.cfg`, as `section.key`; the last one that is there counts.
    pub keys: &'static [&'static str],
    /// The variables of the environment; the last one that is there counts.
    pub environment: &'static [&'static str],
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A line of `ansible.cfg`.
    File(Arc<Origin>),
    /// A variable of the environment.
    Environment(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(origin) => write!(f, "{}:{}", origin.file, origin.line),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// A setting that is not the default.
#[derive(Debug, Clone)]
pub struct RawSetting {
    /// Its text.
    pub(super) text: String,
    /// Where it was found.
    pub(super) source: Source,
    /// The folder that a relative path starts from.
    pub(super) base: PathBuf,
}

/// Looks up a variable of the environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;
