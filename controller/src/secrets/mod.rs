//! Secrets: Ansible's vault, and where its passwords come from.

mod cipher;
mod envelope;
mod error;
mod marked;
mod scrub;
mod source;
mod vault;

pub use crate::vaulted::is_vaulted;
pub use envelope::{DEFAULT_ID, Envelope};
pub use error::{Damage, Fault};
pub use marked::unmark;
pub use scrub::Secrets;
pub use source::{Purpose, VaultSources};
pub use vault::{NoRandom, Opened, Password, Vault};

#[cfg(test)]
mod tests;
