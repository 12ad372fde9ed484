//! Writes JSON token by token, as Python's `json.dumps` lays it out: the one place that knows JSON's separators,
//! indentation and escapes. Which values there are, and in what order, the caller decides.

use std::fmt::{Display, Write as _};

use crate::text::python;

/// Where there are line breaks and blanks, and which characters are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Spaces for each level, with one line for each member; `None` writes everything on one line.
    pub indent: Option<usize>,
    /// Whether characters outside ASCII are escaped.
    pub ascii: bool,
    /// What separates the members of a list or an object; with an indent, a line break follows.
    pub item_separator: String,
    /// What separates a key from its value.
    pub key_separator: String,
}

impl Layout {
    /// Returns the layout with Python's default separators.
    pub fn new(indent: Option<usize>, ascii: bool) -> Self {
        let item_separator = if indent.is_some() { "," } else { ", " }.to_owned();
        Self { indent, ascii, item_separator, key_separator: ": ".to_owned() }
    }
}

/// A text that JSON is appended to.
#[derive(Debug)]
pub struct Writer {
    out: String,
    layout: Layout,
    level: usize,
}

impl Writer {
    /// Returns a writer of an empty text.
    pub fn new(layout: Layout) -> Self {
        Self { out: String::new(), layout, level: 0 }
    }

    /// Returns how many lists and objects are open.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Returns what was written.
    pub fn finish(self) -> String {
        self.out
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.out.push_str("null");
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// Writes an integer.
    pub fn integer(&mut self, value: i64) {
        // Writing to a text cannot fail.
        _ = write!(self.out, "{value}");
    }

    /// Writes a number, in the forms for infinities and NaN that Python's readers of JSON take.
    pub fn float(&mut self, value: f64) {
        self.out.push_str(&float_text(value));
    }

    /// Writes a text in quotes.
    pub fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.layout.ascii && !(' '..='~').contains(&c)) => self.escape(c),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    /// Writes a list; `write` writes each item.
    ///
    /// # Errors
    /// The first that `write` returns.
    pub fn list<T, E>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.container('[', ']', items, |writer, item| write(writer, item))
    }

    /// Writes an object; `write` writes the value of each member.
    ///
    /// # Errors
    /// The first that `write` returns.
    pub fn object<K: Display, T, E>(
        &mut self,
        members: impl IntoIterator<Item = (K, T)>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.container('{', '}', members, |writer, (key, value)| {
            writer.string(&key.to_string());
            writer.out.push_str(&writer.layout.key_separator);
            write(writer, value)
        })
    }

    fn container<T, E>(
        &mut self,
        open: char,
        close: char,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.out.push(open);
        self.level += 1;
        let mut is_empty = true;
        for item in items {
            if !is_empty {
                self.out.push_str(&self.layout.item_separator);
            }
            is_empty = false;
            self.new_line();
            write(self, item)?;
        }
        self.level -= 1;
        if !is_empty {
            self.new_line();
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self) {
        if let Some(indent) = self.layout.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent * self.level));
        }
    }

    fn escape(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            _ = write!(self.out, "\\u{unit:04x}");
        }
    }
}

/// Returns a number as JSON, in the forms for infinities and NaN that Python's readers take.
pub(super) fn float_text(x: f64) -> String {
    if x.is_nan() {
        "NaN".to_owned()
    } else if x.is_infinite() {
        if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        python::float(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_and_nan_are_written_as_python_does() {
        for (x, expected) in [
            (1e16, "1e+16"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float_text(x), expected);
        }
    }
}
