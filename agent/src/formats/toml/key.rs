//! How a place in a TOML file is named: TOML's own dotted keys, and `[…]` for one table of a list of tables.
//!
//! `database.apim_db.url`, `passthru_http."http.socket.timeout"`, `apim.gateway.environment[name="Default"].type`,
//! `apim.throttling.url_group[1]`.

use std::fmt;

use convoy_protocol::Value;

use super::error::TomlError;
use super::value;

/// One part of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A key.
    Key(String),
    /// The table of a list that has this value under this key.
    Where(String, Value),
    /// The table of a list at this place, from 0.
    Index(usize),
}

/// The name of a place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyPath(pub Vec<Part>);

impl KeyPath {
    /// Reads a name.
    ///
    /// # Errors
    /// [`TomlError::Key`].
    pub fn parse(text: &str) -> Result<Self, TomlError> {
        let mut reader = KeyReader::new(text);
        let mut parts = Vec::new();
        loop {
            parts.push(Part::Key(reader.key()?));
            while reader.eat("[") {
                parts.push(reader.selector()?);
            }
            if reader.is_done() {
                return Ok(Self(parts));
            }
            if !reader.eat(".") {
                return Err(reader.wrong("a key goes on with `.` or `[`"));
            }
        }
    }

    /// Returns the name of what stands at `other` within this.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Returns whether this names what `name` names, or a table that it is in.
    pub fn is_or_holds(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.to_string());
        rest.is_some_and(|rest| self.0.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
    }

    /// Returns the name of the key `key` within this.
    #[must_use]
    pub fn child(&self, key: &str) -> Self {
        self.with(Part::Key(key.to_owned()))
    }

    /// Returns this with one part more.
    #[must_use]
    pub fn with(&self, part: Part) -> Self {
        let mut parts = self.0.clone();
        parts.push(part);
        Self(parts)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Key(key) if index == 0 => f.write_str(&value::key_text(key))?,
                Part::Key(key) => write!(f, ".{}", value::key_text(key))?,
                Part::Where(key, value) => {
                    let value = value::text(value).unwrap_or_default();
                    write!(f, "[{}={value}]", value::key_text(key))?;
                }
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Reads the parts of a name.
pub(crate) struct KeyReader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> KeyReader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, rest: text.trim() }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn wrong(&self, why: impl Into<String>) -> TomlError {
        TomlError::Key { text: self.text.to_owned(), why: why.into() }
    }

    /// Takes what stands next, if it is this.
    pub(crate) fn eat(&mut self, wanted: &str) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(wanted) else { return false };
        self.rest = rest.trim_start();
        true
    }

    /// Takes one key, bare or quoted.
    pub(crate) fn key(&mut self) -> Result<String, TomlError> {
        let token = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.until(|c| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')),
        };
        let keys = toml_edit::Key::parse(token).map_err(|_| {
            self.wrong(if token.is_empty() {
                "a key is missing".to_owned()
            } else {
                format!("`{token}` is none")
            })
        })?;
        Ok(keys.first().map(|key| key.get().to_owned()).unwrap_or_default())
    }

    /// Takes what stands between `[` and `]`.
    pub(crate) fn selector(&mut self) -> Result<Part, TomlError> {
        let number = self.until(|c| !c.is_ascii_digit());
        if !number.is_empty() && self.eat("]") {
            return number
                .parse()
                .map(Part::Index)
                .map_err(|_| self.wrong(format!("`{number}` is too large")));
        }
        let key = format!("{number}{}", self.key()?);
        if !self.eat("=") {
            return Err(self.wrong("between [ and ] stands a number, or a key, `=` and a value"));
        }
        let token = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.until(|c| c == ']').trim_end(),
        };
        let value: toml_edit::Value = token
            .parse()
            .map_err(|_| self.wrong(format!("`{token}` is no TOML value; text stands in quotes")))?;
        if !self.eat("]") {
            return Err(self.wrong("`]` is missing"));
        }
        Ok(Part::Where(key, value::data(&toml_edit::Item::Value(value))))
    }

    /// Takes text in quotes, with them.
    fn quoted(&mut self, quote: char) -> Result<&'t str, TomlError> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' if quote == '"' => escaped = true,
                _ if c == quote => return Ok(self.take(at + 1)),
                _ => {}
            }
        }
        Err(self.wrong(format!("`{quote}` is missing")))
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> &'t str {
        let at = self.rest.find(end).unwrap_or(self.rest.len());
        self.take(at)
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, written) in [
            ("a.b-c.d_1", "a.b-c.d_1"),
            (" a . \"b.c\" ", "a.\"b.c\""),
            ("a.'x \"y\"'", "a.\"x \\\"y\\\"\""),
            ("a[name='b c'].d", "a[name=\"b c\"].d"),
            ("a[ 1 ][id = 2]", "a[1][id=2]"),
            ("a[1st=true]", "a[1st=true]"),
        ] {
            assert_eq!(KeyPath::parse(text).unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_told() {
        for (text, why) in [
            ("", "a key is missing"),
            ("a..b", "a key is missing"),
            ("a b", "a key goes on with `.` or `[`"),
            ("a.\"b", "`\"` is missing"),
            ("a[name=b]", "`b` is no TOML value; text stands in quotes"),
            ("a[name]", "between [ and ] stands a number, or a key, `=` and a value"),
            ("a[name=\"b\"", "`]` is missing"),
        ] {
            let error = KeyPath::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is no TOML key: {why}"));
        }
    }
}
