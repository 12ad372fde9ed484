//! What became of the settings, or why nothing did.

use thiserror::Error;

/// A setting and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The old key.
    pub from: String,
    /// The keys that say the same now.
    pub to: Vec<String>,
}

/// A setting that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// The old key.
    pub key: String,
    /// What it was.
    pub value: String,
    /// Why it is not converted.
    pub reason: String,
}

/// A key that the new file has already, with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The new key.
    pub key: String,
    /// What it would be.
    pub wanted: String,
    /// What it is; `None` if only others of its kind are there.
    pub there: Option<String>,
}

/// Why nothing at all is converted.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Log4jError {
    /// The old file is of the new kind.
    #[error("is of log4j 2 already; `properties_carry` carries its settings over")]
    AlreadyNew,
    /// The old file is of neither kind.
    #[error("holds no settings of log4j 1: its keys would begin with `log4j.`")]
    NotOld,
    /// The new file is of the old kind.
    #[error("is of log4j 1 itself; name the log4j2.properties that gets the settings")]
    TargetIsOld,
    /// The new file has a form that is not edited.
    #[error("has `{0}` with level and appenders in one line, a form that is not edited here")]
    Shorthand(String),
    /// A logger refers to nothing.
    #[error("refers to the appender {name} at {key}, which is defined neither there nor in the new file")]
    Undefined {
        /// The old key.
        key: String,
        /// The appender.
        name: String,
    },
}
