//! How a template file is read.

use minijinja::syntax::SyntaxConfig;

use super::error::Error;

/// The options of Ansible's `template` module that concern rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Whether the newline after a block tag is removed.
    pub trim_blocks: bool,
    /// Whether the blanks before a block tag are removed.
    pub lstrip_blocks: bool,
    /// What a newline becomes.
    pub newline_sequence: String,
    /// Whether one newline at the end is kept even if the template's text has more or none.
    pub keep_trailing_newline: bool,
    /// Where variable tags start and end.
    pub variable: (String, String),
    /// Where block tags start and end.
    pub block: (String, String),
    /// Where comments start and end.
    pub comment: (String, String),
}

impl Default for FileOptions {
    fn default() -> Self {
        let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            keep_trailing_newline: false,
            variable: pair("{{", "}}"),
            block: pair("{%", "%}"),
            comment: pair("{#", "#}"),
        }
    }
}

impl FileOptions {
    pub(super) fn syntax(&self) -> Result<SyntaxConfig, Error> {
        let mut builder = SyntaxConfig::builder();
        builder
            .variable_delimiters(self.variable.0.clone(), self.variable.1.clone())
            .block_delimiters(self.block.0.clone(), self.block.1.clone())
            .comment_delimiters(self.comment.0.clone(), self.comment.1.clone())
            .trim_blocks(self.trim_blocks)
            .lstrip_blocks(self.lstrip_blocks)
            .keep_trailing_newline(self.keep_trailing_newline);
        builder.build().map_err(|e| Error::syntax(e.to_string()))
    }
}
