//! The node: what the reader produces and everything else reads.

use std::sync::Arc;

use convoy_protocol::{Origin, Taint};

use super::scalar;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: the only style whose text can be a number, a boolean or null.
    Plain,
    /// In quotes of either kind.
    Quoted,
    /// As a block: `|` or `>`.
    Block,
}

/// One node of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the node begins. For a block scalar, where its text begins.
    pub at: Arc<Origin>,
    /// The tag, such as `!vault`, `!unsafe` or `!!str`, if there is one.
    pub tag: Option<String>,
    /// Whether the file that contains the node is encrypted.
    pub secret: bool,
    /// The content.
    pub data: Data,
}

/// The content of a [`Node`].
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A scalar: its text after unquoting and folding.
    Scalar(String, Style),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, with merge keys (`<<`) applied. The reader has already refused duplicate
    /// keys and keys that are not scalars.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Returns the taint of every value made from this node.
    pub fn taint(&self) -> Taint {
        if self.secret { Taint::SECRET } else { Taint::NONE }
    }

    /// Returns the text of a scalar of any type, as it was written: `0644` stays `0644`.
    pub fn scalar(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a scalar whose value is text: not a number, a boolean, null, or encrypted.
    pub fn as_str(&self) -> Option<&str> {
        let Data::Scalar(text, style) = &self.data else { return None };
        match self.tag.as_deref() {
            Some("!" | "!!str" | "!unsafe") => Some(text),
            Some(_) => None,
            None if *style == Style::Plain && scalar::is_special(text) => None,
            None => Some(text),
        }
    }

    /// Returns the items of a sequence.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the entries of a mapping.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the value of `key` in a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(k, _)| k.scalar() == Some(key)).map(|(_, value)| value)
    }

    /// Returns whether the node is null: `~`, `null`, or empty.
    pub fn is_null(&self) -> bool {
        match &self.data {
            Data::Scalar(text, Style::Plain) => {
                matches!(self.tag.as_deref(), None | Some("!!null")) && scalar::is_null(text)
            }
            _ => false,
        }
    }

    /// Returns the name of this kind of node for messages, with its article.
    pub fn kind_name(&self) -> &'static str {
        match self.data {
            Data::Scalar(..) if self.is_null() => "null",
            Data::Scalar(..) => "a scalar",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// Returns whether nothing is written here: no text, no quotes, no tag.
    pub(super) fn is_empty(&self) -> bool {
        self.tag.is_none() && matches!(&self.data, Data::Scalar(text, Style::Plain) if text.is_empty())
    }
}
