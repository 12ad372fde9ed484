//! YAML as the user wrote it: every node keeps its position, tag and style.

mod error;
pub mod node;
mod reader;
mod scalar;
mod value;
mod write;

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Digest, Origin, Taint};

use crate::diagnostic::Diagnostic;
use crate::secrets::{self, Vault};

pub use node::{Data, Node, Style};
pub use write::write;

/// Reads the one document of `text`; `None` if there is nothing in it. `file` is the name that messages show.
///
/// # Errors
///
/// If `text` is not YAML, or holds what is always a mistake: a key twice, a value that begins with an unquoted
/// `{{`, a second document.
pub fn read(file: &str, text: &str) -> Result<Option<Node>, Diagnostic> {
    one(reader::documents(file.into(), text, false)?)
}

fn one(documents: Vec<Node>) -> Result<Option<Node>, Diagnostic> {
    let mut documents = documents.into_iter();
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
    reader::documents(file.into(), text, false)
}

/// Reads the one document of the file at `path`; what was encrypted is secret.
///
/// # Errors
///
/// If the file cannot be read, decrypted, or is not UTF-8, and as [`read`].
pub fn read_file(path: impl AsRef<Path>, vault: &Vault) -> Result<Option<Node>, Diagnostic> {
    Source::of(path.as_ref(), vault)?.read_remembered(vault)
}

/// Remembers all that is written in an encrypted file, but for the keys.
fn remember(node: &Node, vault: &Vault) {
    match &node.data {
        Data::Scalar(text, _) => vault.remember(text),
        Data::List(items) => items.iter().for_each(|item| remember(item, vault)),
        Data::Map(entries) => entries.iter().for_each(|(_, value)| remember(value, vault)),
    }
}

/// The text of a file.
#[derive(Debug)]
pub struct Source {
    /// The name that messages show for it.
    pub name: String,
    /// Its text, in clear.
    pub text: String,
    /// Whether it was encrypted.
    pub secret: bool,
    /// The digest of what the file holds, encrypted or not.
    pub digest: Digest,
}

impl Source {
    /// Reads a file, and decrypts it if need be.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, decrypted, or is not UTF-8.
    pub fn of(path: &Path, vault: &Vault) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|error| Diagnostic::user(format!("cannot read {name}: {error}")))?;
        let digest = Digest::of(&bytes);
        if !secrets::is_vaulted(&bytes) {
            return Ok(Self { text: utf8(&name, bytes)?, name, secret: false, digest });
        }
        let at = Arc::new(Origin { file: name.as_str().into(), line: 1, column: 1 });
        let plain = vault.open(&bytes).map_err(|fault| fault.diagnostic(&name, &at))?.plain;
        let text = utf8(&name, plain.to_vec()).map_err(unquoted)?;
        Ok(Self { name, text, secret: true, digest })
    }

    /// Reads the one document in it.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn read(&self) -> Result<Option<Node>, Diagnostic> {
        let read = reader::documents(self.name.as_str().into(), &self.text, self.secret).and_then(one);
        if self.secret { read.map_err(unquoted) } else { read }
    }

    /// Reads the one document in it; of an encrypted file `vault` remembers what must never be shown.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn read_remembered(&self, vault: &Vault) -> Result<Option<Node>, Diagnostic> {
        let node = self.read()?;
        if let Some(node) = node.as_ref().filter(|node| node.secret) {
            remember(node, vault);
        }
        Ok(node)
    }

    /// Returns what must be remembered about all that comes from it.
    pub fn taint(&self) -> Taint {
        if self.secret { Taint::SECRET } else { Taint::NONE }
    }
}

/// Returns the message for a place in an encrypted file in words that quote nothing of it.
pub fn unquoted(problem: Diagnostic) -> Diagnostic {
    let file = problem.origin.as_ref().map(|at| at.file.to_string()).unwrap_or_default();
    Diagnostic::user("something is wrong here in the decrypted text")
        .kind(problem.kind)
        .at(problem.origin)
        .note("what it is is not said, since the message may quote a secret")
        .hint(Some(format!("look at the place with `convoy vault edit {file}`")))
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let text = String::from_utf8_lossy(good);
        let before = text.rsplit('\n').next().unwrap_or_default();
        let (line, column) = (text.matches('\n').count() + 1, before.chars().count() + 1);
        Diagnostic::user("the file is not UTF-8")
            .at(Arc::new(Origin { file: name.into(), line: count(line), column: count(column) }))
            .hint(Some("save it as UTF-8".to_owned()))
    })
}

/// Narrows a line or column; a file of four thousand million lines is past the point where it matters.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
