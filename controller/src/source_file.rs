//! Files that the user wrote, such as playbooks, inventories and files of variables: read whole, and decrypted if they are
//! encrypted.
//!
//! What was encrypted stays marked as secret. Parsing is done by [`crate::yaml`], decryption by [`crate::secrets`].

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Digest, Origin, Taint};

use crate::diagnostic::Diagnostic;
use crate::secrets::{self, Vault};
use crate::yaml::{self, Data, Node};

/// The text of a file.
#[derive(Debug)]
pub struct SourceFile {
    /// The name shown in messages.
    pub name: String,
    /// The text, decrypted.
    pub text: String,
    /// Whether the file is encrypted.
    pub secret: bool,
    /// The digest of the file as it is on disk.
    pub digest: Digest,
}

impl SourceFile {
    /// Reads a file, and decrypts it with `vault` if it is encrypted.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or decrypted, or is not UTF-8.
    pub fn read(path: &Path, vault: &Vault) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|error| Diagnostic::user(format!("cannot read {name}: {error}")))?;
        let digest = Digest::of(&bytes);
        if !secrets::is_vaulted(&bytes) {
            return Ok(Self { text: utf8(&name, bytes)?, name, secret: false, digest });
        }
        let at = Arc::new(Origin::new(name.as_str(), 1, 1));
        let plain = vault.open(&bytes).map_err(|fault| fault.diagnostic(&name, &at))?.plain;
        let text = utf8(&name, plain.to_vec()).map_err(yaml::redacted)?;
        Ok(Self { name, text, secret: true, digest })
    }

    /// Parses the text as one YAML document.
    ///
    /// # Errors
    ///
    /// As [`yaml::read`].
    pub fn yaml(&self) -> Result<Option<Node>, Diagnostic> {
        if self.secret {
            yaml::read_secret(&self.name, &self.text)
        } else {
            yaml::read(&self.name, &self.text)
        }
    }

    /// Parses the text as one YAML document. If the file is encrypted, `vault` remembers every value in it, so that it
    /// can be redacted from the output of others.
    ///
    /// # Errors
    ///
    /// As [`yaml::read`].
    pub fn yaml_remembered(&self, vault: &Vault) -> Result<Option<Node>, Diagnostic> {
        let node = self.yaml()?;
        if let Some(node) = node.as_ref().filter(|node| node.secret) {
            remember(node, vault);
        }
        Ok(node)
    }

    /// Returns the taint of everything that is read from the file.
    pub fn taint(&self) -> Taint {
        if self.secret { Taint::SECRET } else { Taint::NONE }
    }
}

/// Reads the file at `path` as one YAML document; see [`SourceFile::yaml_remembered`].
///
/// # Errors
///
/// If the file cannot be read or decrypted, or is not UTF-8, and as [`yaml::read`].
pub fn read_yaml(path: impl AsRef<Path>, vault: &Vault) -> Result<Option<Node>, Diagnostic> {
    SourceFile::read(path.as_ref(), vault)?.yaml_remembered(vault)
}

/// Remembers every value below `node`, but not the keys.
fn remember(node: &Node, vault: &Vault) {
    match &node.data {
        Data::Scalar(text, _) => vault.remember(text),
        Data::List(items) => items.iter().for_each(|item| remember(item, vault)),
        Data::Map(entries) => entries.iter().for_each(|(_, value)| remember(value, vault)),
    }
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let text = String::from_utf8_lossy(valid);
        let last_line = text.rsplit('\n').next().unwrap_or_default();
        let (line, column) = (text.matches('\n').count() + 1, last_line.chars().count() + 1);
        Diagnostic::user("the file is not UTF-8")
            .at(Arc::new(Origin::new(name, line, column)))
            .hint(Some("save it as UTF-8".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_utf_8_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.yml");
        std::fs::write(&path, b"a: 1\nb: \xff\n").unwrap();
        let error = read_yaml(&path, &Vault::default()).unwrap_err();
        assert_eq!(error.message, "the file is not UTF-8");
        assert_eq!(error.origin.unwrap().to_string(), format!("{}:2:4", path.display()));
        let missing = dir.path().join("none.yml");
        let expected = format!("cannot read {}: No such file or directory (os error 2)", missing.display());
        assert_eq!(read_yaml(&missing, &Vault::default()).unwrap_err().message, expected);
    }
}
