//! Files and encrypted variables that a rendering reads. What was encrypted makes the whole rendering secret.

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Kind, Taint, Value};

use super::Rendering;
use crate::secrets;
use crate::template::error::Error;
use crate::template::jinja::python::value::{TextKind, Val};
use crate::template::jinja::scope::ScopeRef;
use crate::template::jinja::syntax::source::has_template;

impl Rendering<'_> {
    /// Returns the content of a file, decrypted if it is encrypted.
    ///
    /// # Errors
    ///
    /// Why it cannot be read or decrypted.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        if !secrets::is_vaulted(&bytes) {
            return Ok(bytes);
        }
        let vault = &self.environment.vault;
        let opened = vault.open(&bytes).map_err(|fault| fault.line(&path.display().to_string(), None))?;
        self.add_taint(Taint::SECRET);
        vault.remember(&String::from_utf8_lossy(&opened.plain));
        Ok(opened.plain.to_vec())
    }

    /// Returns the text of a template file. From here on, the source of the rendering counts as secret if a secret was
    /// read.
    pub(crate) fn template_text(&self, path: &Path) -> Result<String, Error> {
        let bytes = self
            .read(path)
            .map_err(|why| Error::other(format!("cannot read the template {}: {why}", path.display())))?;
        self.add_source_taint(self.secret_taint());
        String::from_utf8(bytes).map_err(|_| {
            Error::other(format!("Template source files must be utf-8 encoded: {}", path.display()))
        })
    }

    /// Returns the encrypted text of the variable `name`, or `None` if it is not encrypted.
    pub(crate) fn encrypted_text(&self, scope: &ScopeRef, name: &str) -> Result<Option<Arc<str>>, Error> {
        Ok(match self.raw(scope, name)?.map(|value| value.kind) {
            Some(Kind::Vaulted(text)) => Some(text),
            _ => None,
        })
    }

    /// Decrypts an encrypted value. `name` is the variable it belongs to. What looks like a template in the result is
    /// not rendered.
    pub(crate) fn decrypted(&self, raw: &Value, name: Option<&str>) -> Result<Val, Error> {
        let Kind::Vaulted(text) = &raw.kind else { return Err(Error::other("the value is not encrypted")) };
        let what = name.map_or_else(|| "the value".to_owned(), |name| format!("the variable '{name}'"));
        let vault = &self.environment.vault;
        let opened = vault
            .open(text.as_bytes())
            .map_err(|fault| Error::other(fault.line(&what, raw.origin.as_deref())))?;
        let plain = std::str::from_utf8(&opened.plain)
            .map_err(|_| Error::other(format!("{what} is encrypted, but its content is not UTF-8 text")))?;
        vault.remember(plain);
        self.add_taint(if has_template(plain) { Taint::SECRET | Taint::UNSAFE } else { Taint::SECRET });
        Ok(Val::Str(plain.into(), TextKind::Vault))
    }
}
