//! XML documents, read only, and a part of XPath to find things in them.

mod find;
mod path;

use std::fmt;

use roxmltree::{Document, ParsingOptions, TextPos};
use thiserror::Error;

pub use find::{Found, Namespaces, Places, attribute_name, find};
pub use path::{Path, PathError};

/// How many nodes a document may have: some fifty times those of the largest configuration files.
const NODES: u32 = 500_000;

/// How deep elements may lie in each other.
const DEPTH: usize = 256;

/// Where in a text something is, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

impl From<TextPos> for Position {
    fn from(at: TextPos) -> Self {
        Self { line: at.row, column: at.col }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a text is no document that is read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct XmlError {
    /// Where.
    pub at: Position,
    /// What.
    pub message: String,
}

/// Returns the name of the encoding that a document says it has.
pub fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let end = bytes.windows(2).take(200).position(|two| two == b"?>")?;
    let head: String = bytes[..end].iter().copied().map(char::from).collect();
    let declaration = head.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(&head).strip_prefix("<?xml")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name.to_owned())
}

/// Reads a document. Nothing outside of it is looked at, and it must not define names for text of its own.
///
/// # Errors
/// If it is none, or is larger or deeper than configuration files are.
pub fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    if let Some(at) = entity(text) {
        let message = "entities that a document defines itself are not read".to_owned();
        return Err(XmlError { at: position(text, at), message });
    }
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| translated(text, &error))?;
    if let Some(deep) = document.descendants().find(|node| node.ancestors().nth(DEPTH + 1).is_some()) {
        let at = document.text_pos_at(deep.range().start).into();
        return Err(XmlError { at, message: format!("elements lie deeper than {DEPTH} in each other") });
    }
    Ok(document)
}

fn translated(text: &str, error: &roxmltree::Error) -> XmlError {
    use roxmltree::Error;
    let end = || position(text, text.trim_end().len());
    let (at, message) = match error {
        Error::NodesLimitReached => (end(), format!("there are more than {NODES} elements and texts")),
        Error::NoRootNode => (end(), "there is no element".to_owned()),
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream => {
            (end(), "the text ends before its elements do".to_owned())
        }
        error => {
            let at = error.pos();
            (at.into(), error.to_string().replace(&format!(" at {at}"), ""))
        }
    };
    XmlError { at, message }
}

/// Returns where in `text` the byte `at` is.
pub fn position(text: &str, at: usize) -> Position {
    let before = &text[..at];
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Position {
        line: count(before.matches('\n').count()),
        column: count(before[line_start..].chars().count()),
    }
}

/// Returns where a document defines an entity, if it does: that is in its head, before the first element.
fn entity(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let skip = |end: &str| rest.find(end).map(|found| at + found + end.len());
        at = match rest.find('<').map(|start| &rest[start..])? {
            head if head.starts_with("<!--") => skip("-->")?,
            head if head.starts_with("<?") => skip("?>")?,
            head if head.starts_with("<!DOCTYPE") => {
                let start = text.len() - head.len();
                return in_doctype(head).map(|found| start + found);
            }
            _ => return None,
        };
    }
}

/// Returns where in a document type, which begins `text`, an entity is defined.
fn in_doctype(text: &str) -> Option<usize> {
    let mut at = "<!".len();
    let mut in_brackets = false;
    loop {
        let next = at + text[at..].find(['<', '>', '"', '\'', '[', ']'])?;
        let head = &text[next..];
        let behind = |end: &str| head[1..].find(end).map(|found| next + 1 + found + end.len());
        at = match head {
            _ if head.starts_with("<!ENTITY") => return Some(next),
            _ if head.starts_with("<!--") => behind("-->")?,
            _ if head.starts_with(['"', '\'']) => behind(&head[..1])?,
            // No definition follows.
            _ if head.starts_with(']') || (head.starts_with('>') && !in_brackets) => return None,
            _ => {
                in_brackets |= head.starts_with('[');
                next + 1
            }
        };
    }
}
