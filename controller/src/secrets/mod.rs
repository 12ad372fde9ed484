//! Secrets: Ansible's vault, and where its passwords come from.

mod cipher;
mod envelope;
mod error;
mod marked;
mod scrub;
pub mod source;
mod vault;

pub use crate::vaulted::is_vaulted;
pub use envelope::Envelope;
pub use error::{Damage, Fault};
pub use marked::unmark;
pub use scrub::Secrets;
pub use vault::{DEFAULT_ID, NoRandom, Opened, Password, Vault};

#[cfg(test)]
mod tests;
