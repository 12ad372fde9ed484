//! Secrets: Ansible Vault, its passwords, and the redaction of secrets in text.
//!
//! `source` reads vault passwords; `vault` decrypts and encrypts with them, by `envelope` (the text form) and `cipher`.
//! `scrub` replaces secrets in text that others have written.

mod cipher;
mod envelope;
mod error;
mod marked;
mod scrub;
mod source;
mod vault;

pub use crate::vaulted::is_vaulted;
pub use envelope::{DEFAULT_ID, Envelope};
pub use error::{Damage, DecryptError};
pub use marked::unmark;
pub use scrub::Secrets;
pub use source::{Purpose, VaultSources};
pub use vault::{NoRandom, Opened, Password, Vault};

#[cfg(test)]
mod tests;
