//! The entries of the table of settings, and the texts of settings that are set.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::Origin;

/// An entry of the table.
#[derive(Debug)]
pub struct Entry {
    /// The name of its field.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// The type of its value.
    pub kind: &'static str,
    /// Its default, as text.
    pub default: &'static str,
    /// Its keys in `ansible.cfg`, as `section.key`; the last one that is set is used.
    pub keys: &'static [&'static str],
    /// Its variables in the environment; the last one that is set is used.
    pub environment: &'static [&'static str],
}

/// The source of a setting.
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

/// The text of a setting that is set.
#[derive(Debug, Clone)]
pub struct RawSetting {
    /// The text.
    pub(super) text: String,
    /// The source of the text.
    pub(super) source: Source,
    /// The directory that relative paths refer to.
    pub(super) base: PathBuf,
}

/// Returns a variable of the environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;
