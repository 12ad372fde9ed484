//! How text that Ansible Vault has encrypted is recognized.
//!
//! A leaf, so that parsers and messages can tell such text apart without depending on `secrets`, which decrypts it.

/// What the text form of a vault begins with.
pub const HEADER: &str = "$ANSIBLE_VAULT";

/// Returns whether this is the text form of a vault, or its beginning.
pub fn is_vaulted(bytes: &[u8]) -> bool {
    bytes.starts_with(HEADER.as_bytes())
}
