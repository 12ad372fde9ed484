//! TOML files, edited in place: what is not asked for stays as it is, byte for byte.
//!
//! A file is parsed for where things stand, and the text is changed there. So comments, order, white space, line ends and
//! the way values are written survive by construction, not by care. Each edit parses anew: these files are small.

pub mod edits;
mod flat;
mod insert;
mod key;
mod layout;
mod remove;
mod set;
mod value;
mod walk;

use std::ops::Range;

use convoy_protocol::Value;
use toml_edit::Document;

pub use flat::changes;
pub(crate) use flat::is_tables;
pub(crate) use key::KeyReader;
pub use key::{KeyPath, Part};
pub use set::Merge;
pub use value::{data, text as value_text};

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

/// The text of a TOML file and what stands where in it.
#[derive(Debug, Clone)]
pub struct Toml {
    text: String,
    document: Document<String>,
}

impl Toml {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TomlError::Syntax`].
    pub fn parse(text: String) -> Result<Self, TomlError> {
        let document = Document::parse(text.clone()).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or(&text);
            TomlError::Syntax {
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                message: error.message().lines().collect::<Vec<_>>().join(", "),
            }
        })?;
        Ok(Self { text, document })
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns all of it as data.
    pub fn data(&self) -> Value {
        data(self.document.as_item())
    }

    /// Returns the line end that the file uses.
    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// Puts `with` in the place of a part of the text.
    fn splice(&mut self, range: Range<usize>, with: &str) -> Result<(), TomlError> {
        let mut text = self.text.clone();
        text.replace_range(range, with);
        *self = Self::parse(text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
