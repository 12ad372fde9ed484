//! What is wrong with a file or with what is asked of it.

/// What is wrong with a file or with what is asked of it, as the user is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TomlError {
    /// The file is not TOML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// A key that is asked for cannot be read.
    #[error("`{text}` is no TOML key: {why}")]
    Key {
        /// What was asked for.
        text: String,
        /// Why not.
        why: String,
    },
    /// Something else stands where a table should be.
    #[error("{key} is {found}, not a table")]
    NotATable {
        /// Where.
        key: String,
        /// What is there.
        found: &'static str,
    },
    /// A table stands where a value is to be set.
    #[error("{key} is {found}: remove it first if a value shall take its place")]
    NotAValue {
        /// Where.
        key: String,
        /// What is there.
        found: &'static str,
    },
    /// One of several tables must be named.
    #[error("{key} is a list of {count} tables: say which, as in {key}[name=\"…\"]")]
    WhichTable {
        /// The list.
        key: String,
        /// How many tables it has.
        count: usize,
    },
    /// Several tables fit.
    #[error("{key} fits {count} tables")]
    Ambiguous {
        /// What was asked for.
        key: String,
        /// How many.
        count: usize,
    },
    /// There is no such element.
    #[error("{key} has no element {index}")]
    NoElement {
        /// The list.
        key: String,
        /// From 0.
        index: usize,
    },
    /// Something else stands where a list of tables should be.
    #[error("{key} is {found}, not a list of tables")]
    NotAList {
        /// Where.
        key: String,
        /// What is there.
        found: &'static str,
    },
    /// A table of a list lacks the key by which the tables are known.
    #[error("{key}: one of the tables has no `{id}`, by which they are known")]
    NoId {
        /// The list.
        key: String,
        /// The key.
        id: String,
    },
    /// TOML has no such value.
    #[error("{key}: TOML has no {what}")]
    NoSuchValue {
        /// Where it was to be set.
        key: String,
        /// What it is.
        what: &'static str,
    },
}
