//! Where lines go: standard output and standard error, in colour or not, until either is closed.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};

use super::text;

/// A stream to write to.
pub type Sink = Box<dyn Write + Send>;

/// What a colour stands for.
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

/// The two streams and how lines look there. After the first error of writing it is silent.
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

    /// The first error of writing.
    pub(super) fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }

    /// Whether lines are coloured.
    pub(super) fn is_colored(&self) -> bool {
        self.color
    }

    /// Prints a line; each of its lines is coloured on its own, and a newline at its end is not doubled.
    pub(super) fn line(&mut self, text: &str, color: Option<Color>) {
        let line = self.finish(text, color);
        let written = self.out.write_all(line.as_bytes());
        self.note(written);
    }

    /// Prints a line to standard error.
    pub(super) fn error_line(&mut self, text: &str, color: Option<Color>) {
        let line = self.finish(text, color);
        // What was printed before must stand before, where both streams are one terminal.
        let written = self.out.flush().and_then(|()| self.err.write_all(line.as_bytes()));
        self.note(written);
    }

    /// Prints a heading: a blank line, then the text with stars to the edge, three at least.
    pub(super) fn banner(&mut self, text: &str) {
        let text = text.trim();
        let stars = self.columns.saturating_sub(text::width(text)).max(3);
        self.line(&format!("\n{text} {}", "*".repeat(stars)), None);
    }

    /// Prints a warning, folded, if it was not printed before.
    pub(super) fn warning(&mut self, message: &str) {
        let folded = text::wrap(&format!("[WARNING]: {message}"), self.columns).join("\n");
        if !self.warned.contains(&folded) {
            self.error_line(&folded, Some(Color::Warn));
            self.warned.insert(folded);
        }
    }

    /// Gives out what was printed.
    pub(super) fn flush(&mut self) {
        let flushed = self.out.flush().and_then(|()| self.err.flush());
        self.note(flushed);
    }

    /// Returns the text in colour.
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

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.fault.get_or_insert(error);
            self.out = Box::new(io::sink());
            self.err = Box::new(io::sink());
        }
    }
}
