//! YAML as the user wrote it: every node keeps its position, tag and style.

mod error;
pub mod node;
mod reader;
mod scalar;
mod value;
mod write;

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::Origin;

use crate::diagnostic::Diagnostic;

pub use node::{Data, Node, Style};
pub use write::write;

/// Reads the one document of `text`; `None` if there is nothing in it. `file` is the name that messages show.
///
/// # Errors
///
/// If `text` is not YAML, or holds what is always a mistake: a key twice, a value that begins with an unquoted
/// `{{`, a second document.
pub fn read(file: &str, text: &str) -> Result<Option<Node>, Diagnostic> {
    let mut documents = read_all(file, text)?.into_iter();
    let first = documents.next();
    match documents.next() {
        Some(second) => Err(Diagnostic::user("a second document begins here")
            .at(second.at)
            .hint(Some("keep one document per file".to_owned()))),
        None => Ok(first.filter(|node| !node.is_empty())),
    }
}

/// Reads all documents of `text`.
///
/// # Errors
///
/// As [`read`], but for the second document.
pub fn read_all(file: &str, text: &str) -> Result<Vec<Node>, Diagnostic> {
    reader::documents(file.into(), text)
}

/// Reads the one document of the file at `path`.
///
/// # Errors
///
/// If the file cannot be read, is not UTF-8, or is encrypted, and as [`read`].
pub fn read_file(path: impl AsRef<Path>) -> Result<Option<Node>, Diagnostic> {
    let (name, text) = text_of(path.as_ref())?;
    read(&name, &text)
}

/// Returns the name that messages show for the file at `path`, and its text.
///
/// # Errors
///
/// If the file cannot be read, is not UTF-8, or is encrypted.
pub fn text_of(path: &Path) -> Result<(String, String), Diagnostic> {
    let name = path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|error| Diagnostic::user(format!("cannot read {name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let text = String::from_utf8_lossy(good);
        let before = text.rsplit('\n').next().unwrap_or_default();
        let (line, column) = (text.matches('\n').count() + 1, before.chars().count() + 1);
        Diagnostic::user("the file is not UTF-8")
            .at(Arc::new(Origin { file: name.as_str().into(), line: count(line), column: count(column) }))
            .hint(Some("save it as UTF-8".to_owned()))
    })?;
    if text.starts_with("$ANSIBLE_VAULT;") {
        let at = Arc::new(Origin { file: name.as_str().into(), line: 1, column: 1 });
        return Err(Diagnostic::user("vault-encrypted files are not supported yet").at(at));
    }
    Ok((name, text))
}

/// Narrows a line or column; a file of four thousand million lines is past the point where it matters.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
