//! Files that a rendering reads, decrypted if need be: what was encrypted makes all of it secret.

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Kind, Taint, Value};

use super::run::Run;
use super::scope::ScopeRef;
use super::source::has_template;
use super::value::{TextKind, Val};
use crate::secrets;
use crate::template::error::Error;
use crate::template::options::FileOptions;

impl Run<'_> {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why it cannot be read or decrypted.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        if !secrets::is_vaulted(&bytes) {
            return Ok(bytes);
        }
        let opened = self.templar.vault().open(&bytes);
        let opened = opened.map_err(|fault| fault.line(&path.display().to_string(), None))?;
        self.add_taint(Taint::SECRET);
        self.templar.vault().remember(&String::from_utf8_lossy(&opened.plain));
        Ok(opened.plain.to_vec())
    }

    /// The text of a template file.
    pub(crate) fn template_text(&self, path: &Path) -> Result<String, Error> {
        let bytes = self
            .read(path)
            .map_err(|why| Error::other(format!("cannot read the template {}: {why}", path.display())))?;
        self.source_secret.set(self.source_secret.get() || self.taint().is_secret());
        String::from_utf8(bytes).map_err(|_| {
            Error::other(format!("Template source files must be utf-8 encoded: {}", path.display()))
        })
    }

    /// A template that another includes.
    pub(crate) fn template_file(&self, path: &Path) -> Result<Arc<super::Compiled>, Error> {
        let mut options = FileOptions::default();
        let text = super::header(&self.template_text(path)?, &mut options)?;
        Ok(Arc::new(super::compile_file(&text, Some(path.to_string_lossy().into()), &options)?))
    }

    /// The encrypted text of the variable `name`, if it is one.
    pub(crate) fn sealed(&self, scope: &ScopeRef, name: &str) -> Result<Option<Arc<str>>, Error> {
        Ok(match self.raw(scope, name)?.map(|value| value.kind) {
            Some(Kind::Vaulted(text)) => Some(text),
            _ => None,
        })
    }

    /// The text in clear of an encrypted value, which belongs to the variable `name`. What looks like a template in it
    /// is none.
    pub(crate) fn decrypted(&self, raw: &Value, name: Option<&str>) -> Result<Val, Error> {
        let Kind::Vaulted(text) = &raw.kind else { return Err(Error::other("the value is not encrypted")) };
        let what = name.map_or_else(|| "the value".to_owned(), |name| format!("the variable '{name}'"));
        let opened = self
            .templar
            .vault()
            .open(text.as_bytes())
            .map_err(|fault| Error::other(fault.line(&what, raw.origin.as_deref())))?;
        let plain = std::str::from_utf8(&opened.plain)
            .map_err(|_| Error::other(format!("{what} is encrypted, but not text: it is not UTF-8")))?;
        self.templar.vault().remember(plain);
        self.add_taint(if has_template(plain) { Taint::SECRET | Taint::UNSAFE } else { Taint::SECRET });
        Ok(Val::Str(plain.into(), TextKind::Vault))
    }
}
