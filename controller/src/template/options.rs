//! Options of rendering: those of a whole run, and those of one template file.

use crate::settings::Settings;

/// How a run renders.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether results keep their type (`jinja2_native`) instead of becoming text.
    pub native: bool,
    /// The value of `ansible_managed` in template files, with its placeholders.
    pub managed: String,
}

impl Options {
    /// Returns the options that the settings select.
    pub fn of(settings: &Settings) -> Self {
        Self { native: settings.jinja2_native, managed: settings.ansible_managed.clone() }
    }
}

/// The options of Ansible's `template` module that concern rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Whether the newline after a block tag is removed.
    pub trim_blocks: bool,
    /// Whether the spaces before a block tag are removed.
    pub lstrip_blocks: bool,
    /// The text that replaces each newline.
    pub newline_sequence: String,
    /// Jinja's own handling of a newline at the end. It makes no difference to the result, which always ends in as many
    /// newlines as the template.
    pub keep_trailing_newline: bool,
    /// The start and the end of variable tags.
    pub variable: (String, String),
    /// The start and the end of block tags.
    pub block: (String, String),
    /// The start and the end of comments.
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
