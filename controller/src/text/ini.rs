//! Reads INI text: lines, sections, keys and values, each with its place.
//!
//! [`lines`] leaves out what is blank or a comment, for files whose lines have a grammar of their own: inventories.
//! [`sections`] reads the rest, too, as Python's `configparser` does: `ansible.cfg` and the files of the lookup `ini`.
//! What keys and values mean is the caller's business.

use std::sync::Arc;

use convoy_protocol::Origin;
use indexmap::IndexMap;

/// A line, and a column in it, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// Returns the place so many characters further to the right.
    pub fn after(self, characters: usize) -> Self {
        Self { column: self.column + characters, ..self }
    }

    /// Returns the place as one in `file`.
    pub fn origin(self, file: &Arc<str>) -> Arc<Origin> {
        Arc::new(Origin::new(file.clone(), self.line, self.column))
    }
}

/// A line that is neither blank nor a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'t> {
    /// What is in it, without blanks around it.
    pub text: &'t str,
    /// All of it.
    pub raw: &'t str,
    /// Where `text` begins.
    pub place: Place,
}

/// Returns the lines of `text` that are neither blank nor begin with `#` or `;`. With `inline_comments` a `;` after a
/// blank begins a comment, too.
pub fn lines(text: &str, inline_comments: bool) -> impl Iterator<Item = Line<'_>> {
    text.lines().zip(1..).filter_map(move |(raw, line)| {
        let inline = raw.match_indices(';').find(|(at, _)| raw[..*at].ends_with(char::is_whitespace));
        let end = inline.filter(|_| inline_comments).map_or(raw.len(), |(at, _)| at);
        let text = raw[..end].trim();
        let column = raw.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let is_empty = text.is_empty() || text.starts_with(['#', ';']);
        (!is_empty).then_some(Line { text, raw, place: Place { line, column } })
    })
}

/// Returns the name of a section, and what follows its bracket, if `text` is its header.
pub fn header(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once(']').filter(|(name, _)| !name.is_empty())
}

/// Splits a key from its value at the first of these characters.
pub fn entry<'t>(text: &'t str, delimiters: &[char]) -> Option<(&'t str, &'t str)> {
    text.split_once(delimiters).map(|(key, value)| (key.trim_end(), value.trim_start()))
}

/// What differs among the files that `configparser` reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'o> {
    /// Whether a `;` after a blank begins a comment.
    pub inline_comments: bool,
    /// Whether keys are read in lower case.
    pub fold_keys: bool,
    /// Whether a key may have no value, not even an empty one.
    pub allow_no_value: bool,
    /// The section of the lines before the first header; without it there may be none.
    pub first_section: Option<&'o str>,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, with a line feed before each line that continues it.
    pub value: Option<String>,
    /// Where the key is.
    pub place: Place,
}

/// Sections by name, and what they set by key, both in the order of the file.
pub type Sections = IndexMap<String, IndexMap<String, Entry>>;

/// Why a text cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Error<'t> {
    /// A line before the first header.
    NoSection(Line<'t>),
    /// A line that is neither a header nor a key with a value.
    NotAnEntry(Line<'t>),
    /// A key that its section has already.
    Duplicate {
        /// The second line with the key.
        line: Line<'t>,
        /// Where the first one is.
        first: Place,
        /// The section.
        section: String,
        /// The key.
        key: String,
    },
}

/// Reads `key = value` and `key: value` in sections. A line that is indented deeper than the key before it continues
/// the value of that key. A section that has several headers is read as one.
///
/// # Errors
/// For the first line that cannot be read.
pub fn sections<'t>(text: &'t str, options: &Options<'_>) -> Result<Sections, Error<'t>> {
    let mut sections = Sections::new();
    let mut section = options.first_section.map(str::to_owned);
    // The last key, unless a header came after it, and the column of the last line that continued nothing.
    let (mut last, mut column) = (None, 1);
    for line in lines(text, options.inline_comments) {
        let keys = section.as_ref().and_then(|section| sections.get_mut(section));
        if line.place.column > column
            && let Some(Entry { value, .. }) =
                keys.zip(last.as_ref()).and_then(|(keys, last)| keys.get_mut(last))
        {
            let value = value.get_or_insert_default();
            value.push('\n');
            value.push_str(line.text);
            continue;
        }
        column = line.place.column;
        if let Some((name, _)) = header(line.text) {
            sections.entry(name.to_owned()).or_default();
            section = Some(name.to_owned());
            last = None;
            continue;
        }
        let Some(section) = &section else { return Err(Error::NoSection(line)) };
        let (key, value) = match entry(line.text, &['=', ':']) {
            Some((key, value)) if !key.is_empty() => (key, Some(value.to_owned())),
            None if options.allow_no_value => (line.text, None),
            _ => return Err(Error::NotAnEntry(line)),
        };
        let key = if options.fold_keys { key.to_lowercase() } else { key.to_owned() };
        let keys = sections.entry(section.clone()).or_default();
        if let Some(Entry { place: first, .. }) = keys.get(&key) {
            return Err(Error::Duplicate { line, first: *first, section: section.clone(), key });
        }
        keys.insert(key.clone(), Entry { value, place: line.place });
        last = Some(key);
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the keys and values of all sections as `[section]key=value`.
    fn read(text: &str, options: Options<'_>) -> Vec<String> {
        let sections = sections(text, &options).unwrap();
        let pairs = sections.iter().flat_map(|(section, keys)| keys.iter().map(move |pair| (section, pair)));
        pairs
            .map(|(section, (key, Entry { value, .. }))| {
                let value = value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
                format!("[{section}]{key}{value}")
            })
            .collect()
    }

    /// What Python 3.11 makes of the same.
    #[test]
    fn sections_are_read_as_configparser_reads_them() {
        for (text, expected) in [
            ("[a]\nB = 1 ; one\n c: 2\n", vec!["[a]B=1 ; one\nc: 2"]),
            ("[a] ; one\n  b = 1\n  c = 2\n   more = less\n", vec!["[a]b=1", "[a]c=2\nmore = less"]),
            ("[a]\nb = 1\n  [c]\nd=2\n  # no\n\te\n", vec!["[a]b=1\n[c]", "[a]d=2\ne"]),
            ("[a]\n  [b]\nc=\n  1\n[a]\n  d=x = y\n", vec!["[a]d=x = y", "[b]c=\n1"]),
        ] {
            assert_eq!(read(text, Options::default()), expected, "{text}");
        }
    }

    #[test]
    fn options_say_what_a_line_may_be() {
        let inline = Options { inline_comments: true, fold_keys: true, ..Options::default() };
        assert_eq!(read("[a]\nB = 1 ; one\nc = 1;2 ;3\n", inline), ["[a]b=1", "[a]c=1;2"]);
        let bare = Options { allow_no_value: true, first_section: Some("top"), ..Options::default() };
        assert_eq!(read("a\nb =\n[c]\nd:1\n", bare), ["[top]a", "[top]b=", "[c]d=1"]);
    }

    #[test]
    fn errors_name_the_line() {
        let line =
            |text: &'static str, line: usize| Line { text, raw: text, place: Place { line, column: 1 } };
        let fails = |text: &'static str| sections(text, &Options::default()).unwrap_err();
        assert_eq!(fails("# no\nb = 1"), Error::NoSection(line("b = 1", 2)));
        assert_eq!(fails("[a]\nb"), Error::NotAnEntry(line("b", 2)));
        assert_eq!(fails("[a]\n= b"), Error::NotAnEntry(line("= b", 2)));
        let duplicate = Error::Duplicate {
            line: line("b = 2", 5),
            first: Place { line: 2, column: 1 },
            section: "a".to_owned(),
            key: "b".to_owned(),
        };
        assert_eq!(fails("[a]\nb = 1\n[c]\n[a]\nb = 2"), duplicate);
    }

    #[test]
    fn columns_count_characters() {
        let line = lines("é\n\u{3000}\t é = 1", false).nth(1).unwrap();
        assert_eq!((line.text, line.place), ("é = 1", Place { line: 2, column: 4 }));
    }
}
