//! TOML files, edited in place: what is not asked for stays as it is, byte for byte.
//!
//! A file is parsed for where things stand, and the text is changed there. So comments, order, white space, line ends and
//! the way values are written survive by construction, not by care. Each edit parses anew: these files are small.

pub mod edits;
mod error;
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

pub use error::TomlError;
pub use flat::changes;
pub(crate) use flat::is_tables;
pub(crate) use key::KeyReader;
pub use key::{KeyPath, Part};
pub use set::Merge;
pub use value::{data, text as value_text};

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
