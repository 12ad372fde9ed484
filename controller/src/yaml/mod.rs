//! YAML as the user wrote it: text becomes nodes that keep their position, tag and style, nodes become values, and
//! values become text again.
//!
//! This module reads no files: [`crate::source_file`] does, and decrypts them. It does not decrypt `!vault` either: such
//! text stays encrypted in the value until a template needs it.
//!
//! `reader` builds the nodes, `scalar` holds the YAML 1.1 rules, `value` applies them.

mod error;
pub mod node;
mod reader;
mod scalar;
mod value;
mod write;

use crate::diagnostic::Diagnostic;

pub use error::redacted;
pub use node::{Data, Node, Style};
pub use write::write;

/// Reads the one document of `text`, or `None` if it is empty. `file` is the name shown in messages.
///
/// # Errors
///
/// If `text` is not YAML, or holds what is always a mistake: a duplicate key, a value that begins with an unquoted
/// `{{`, a second document.
pub fn read(file: &str, text: &str) -> Result<Option<Node>, Diagnostic> {
    only_document(reader::documents(file, text, false)?)
}

/// Reads the one document of `text`, which was encrypted: all nodes are secret, and errors quote nothing of it.
///
/// # Errors
///
/// As [`read`].
pub fn read_secret(file: &str, text: &str) -> Result<Option<Node>, Diagnostic> {
    reader::documents(file, text, true).and_then(only_document).map_err(redacted)
}

/// Reads all documents of `text`.
///
/// # Errors
///
/// As [`read`], except that several documents are allowed.
pub fn read_all(file: &str, text: &str) -> Result<Vec<Node>, Diagnostic> {
    reader::documents(file, text, false)
}

fn only_document(documents: Vec<Node>) -> Result<Option<Node>, Diagnostic> {
    let mut documents = documents.into_iter();
    let first = documents.next();
    match documents.next() {
        Some(second) => Err(Diagnostic::user("a second document begins here")
            .at(second.at)
            .hint(Some("keep one document per file".to_owned()))),
        None => Ok(first.filter(|node| !node.is_empty())),
    }
}
