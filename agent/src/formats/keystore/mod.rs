//! Java's keystores, read only: JKS and PKCS12 as Java and OpenSSL write them.

mod cipher;
mod der;
mod jks;
mod key;
mod model;
mod name;
mod oid;
mod pkcs12;
mod sealed;
mod x509;

pub use key::KeyMatch;
pub use model::{Entry, Format, KeyError, Keystore, KeystoreError, Kind};
pub use x509::{Certificate, Moment};

use model::SealedKey;

impl Keystore {
    /// Opens a file with its password.
    ///
    /// # Errors
    /// If it is no keystore, is cut off or damaged, or the password is not the one.
    pub fn open(bytes: &[u8], password: &str) -> Result<Self, KeystoreError> {
        match format_of(bytes)? {
            Format::Jks => jks::open(bytes, password),
            Format::Pkcs12 => pkcs12::open(bytes, password),
        }
    }

    /// Finds an entry; upper and lower case are the same, as for Java.
    pub fn find(&self, alias: &str) -> Option<&Entry> {
        let wanted = alias.to_lowercase();
        self.entries.iter().find(|entry| entry.alias == wanted)
    }
}

impl Entry {
    /// Opens the private key and returns whether the certificate is one of it.
    ///
    /// # Errors
    /// If there is no key, or the password is not the key's.
    pub fn open_key(&self, password: &str) -> Result<KeyMatch, KeyError> {
        let opened;
        let key = match &self.key {
            None => return Err(KeyError::Damaged),
            Some(SealedKey::Clear(key)) => key,
            Some(SealedKey::Encrypted(sealed)) => {
                opened = sealed::open(sealed, password)?;
                &opened
            }
        };
        match self.chain.first() {
            Some(certificate) => Ok(key::key_match(key, &certificate.public_key)?),
            None => Ok(KeyMatch::Unknown),
        }
    }
}

/// Returns how a file is laid out, by how it begins.
///
/// # Errors
/// If it is no keystore.
pub fn format_of(bytes: &[u8]) -> Result<Format, KeystoreError> {
    const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
    const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];
    if bytes.is_empty() {
        return Err(KeystoreError::Empty);
    }
    if bytes.len() < 4 && JKS.starts_with(bytes) {
        return Err(KeystoreError::Truncated(bytes.len()));
    }
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] => Ok(Format::Jks),
        bytes if bytes.starts_with(&JCEKS) => Err(KeystoreError::Jceks),
        [0x30, ..] => Ok(Format::Pkcs12),
        bytes if bytes.starts_with(b"-----BEGIN ") => Err(KeystoreError::Foreign(
            "it is PEM; `openssl pkcs12 -export` makes a PKCS12 file of a key with its certificates",
        )),
        _ => Err(KeystoreError::Foreign("it begins neither as JKS nor as PKCS12")),
    }
}
