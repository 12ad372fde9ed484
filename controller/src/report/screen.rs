//! Writes lines to standard output and standard error, with or without color, until either is closed.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};

use super::text;

/// A stream to write to.
pub type Sink = Box<dyn Write + Send>;

/// What a color stands for, with the colors of Ansible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    Ok,
    Changed,
    Skip,
    Included,
    Error,
    Unreachable,
    Debug,
    Verbose,
    Warn,
    DiffAdd,
    DiffRemove,
    DiffLines,
}

impl Color {
    fn code(self) -> &'static str {
        match self {
            Self::Ok | Self::DiffAdd => "0;32",
            Self::Changed => "0;33",
            Self::Skip | Self::Included | Self::DiffLines => "0;36",
            Self::Error | Self::DiffRemove => "0;31",
            Self::Unreachable => "1;31",
            Self::Debug => "1;30",
            Self::Verbose => "0;34",
            Self::Warn => "1;35",
        }
    }
}

/// The two output streams and their style. After the first write error, nothing more is written.
pub(super) struct Screen {
    out: Sink,
    err: Sink,
    color: bool,
    columns: usize,
    warned: HashSet<String>,
    fault: Option<io::Error>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("color", &self.color)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl Screen {
    pub(super) fn new(out: Sink, err: Sink, color: bool, columns: usize) -> Self {
        Self { out, err, color, columns, warned: HashSet::new(), fault: None }
    }

    /// Returns the first write error.
    pub(super) fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }

    /// Returns whether lines are printed in color.
    pub(super) fn is_colored(&self) -> bool {
        self.color
    }

    /// Prints a text on lines of its own. Each line is colored by itself; a newline at the end is not doubled.
    pub(super) fn line(&mut self, text: &str, color: Option<Color>) {
        let line = self.finish(text, color);
        let written = self.out.write_all(line.as_bytes());
        self.check(written);
    }

    /// As [`line`](Self::line), on standard error.
    pub(super) fn error_line(&mut self, text: &str, color: Option<Color>) {
        let line = self.finish(text, color);
        // On a terminal, the text must come after what was printed before.
        let written = self.out.flush().and_then(|()| self.err.write_all(line.as_bytes()));
        self.check(written);
    }

    /// Prints a heading: an empty line, then the text, filled up with at least three stars.
    pub(super) fn banner(&mut self, text: &str) {
        let text = text.trim();
        let stars = self.columns.saturating_sub(text::width(text)).max(3);
        self.line(&format!("\n{text} {}", "*".repeat(stars)), None);
    }

    /// Prints a warning, wrapped, unless the same one was printed before.
    pub(super) fn warning(&mut self, message: &str) {
        let wrapped = text::wrap(&format!("[WARNING]: {message}"), self.columns).join("\n");
        if !self.warned.contains(&wrapped) {
            self.error_line(&wrapped, Some(Color::Warn));
            self.warned.insert(wrapped);
        }
    }

    /// Flushes both streams.
    pub(super) fn flush(&mut self) {
        let flushed = self.out.flush().and_then(|()| self.err.flush());
        self.check(flushed);
    }

    /// Returns the text with color codes, if lines are printed in color.
    pub(super) fn paint(&self, text: &str, color: Color) -> String {
        if !self.color {
            return text.to_owned();
        }
        let painted: Vec<_> =
            text.split('\n').map(|line| format!("\x1b[{}m{line}\x1b[0m", color.code())).collect();
        painted.join("\n")
    }

    fn finish(&self, text: &str, color: Option<Color>) -> String {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let mut line = color.map_or_else(|| text.to_owned(), |color| self.paint(text, color));
        line.push('\n');
        line
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.fault.get_or_insert(error);
            self.out = Box::new(io::sink());
            self.err = Box::new(io::sink());
        }
    }
}
