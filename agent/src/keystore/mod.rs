//! Java's keystores, read only: JKS and PKCS12 as Java and OpenSSL write them.

mod cipher;
mod der;
mod jks;
mod key;
mod name;
mod oid;
mod pkcs12;
mod x509;

use std::fmt;

use thiserror::Error;

pub use key::Belongs;
pub use x509::{Certificate, Moment};

use cipher::CipherError;
use der::DerError;

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Sun's own, of Java up to 8.
    Jks,
    /// The standard, of Java from 9 and of everybody else.
    Pkcs12,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jks => "JKS",
            Self::Pkcs12 => "PKCS12",
        })
    }
}

/// What an alias stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A private key with the chain of its certificate.
    Key,
    /// A certificate that is trusted.
    Certificate,
    /// A secret key, which has no certificate.
    Secret,
}

/// What stands under one alias.
#[derive(Debug)]
pub struct Entry {
    /// Its name, in lower case as Java has it.
    pub alias: String,
    /// What it is.
    pub kind: Kind,
    /// The certificate, then those of the authorities above it, as far as they are there.
    pub chain: Vec<Certificate>,
    key: Option<SealedKey>,
}

/// A private key as it lies in the file.
#[derive(Debug)]
enum SealedKey {
    /// Within an `EncryptedPrivateKeyInfo`.
    Encrypted(Vec<u8>),
    /// A `PrivateKeyInfo`, for all to read.
    Clear(Vec<u8>),
}

/// A file that was opened with its password.
#[derive(Debug)]
pub struct Keystore {
    /// How it is laid out.
    pub format: Format,
    /// What is in it, in the order of the file.
    pub entries: Vec<Entry>,
    /// Whether anything in it proves that the password is the right one.
    pub is_proven: bool,
    /// How many certificates are in it that belong to no entry: Java does not see them.
    pub loose: usize,
}

/// Why a file is no keystore that can be opened.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeystoreError {
    /// Not one byte.
    #[error("is empty")]
    Empty,
    /// Something else.
    #[error("is no keystore: {0}")]
    Foreign(&'static str),
    /// A keystore of a kind that is not read.
    #[error(
        "is a JCEKS keystore, which convoy does not read; `keytool -importkeystore -srcstoretype JCEKS \
         -deststoretype PKCS12` makes a PKCS12 file of it"
    )]
    Jceks,
    /// It ends too soon.
    #[error("is cut off: it ends after {0} bytes, in the middle of what it says to hold")]
    Truncated(usize),
    /// Its checksum does not come out.
    #[error("cannot be opened: the password is wrong, or the file was tampered with")]
    Password,
    /// It cannot be as it is.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// Something that is not read.
    #[error("cannot be opened: {0}")]
    Unsupported(String),
}

/// Why a private key cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The password of the key is another.
    #[error("its key cannot be opened: the password of the key is wrong")]
    Password,
    /// The key cannot be as it is.
    #[error("its key is damaged")]
    Damaged,
    /// Something that is not read.
    #[error("its key cannot be opened: {0}")]
    Unsupported(String),
}

impl From<DerError> for KeyError {
    fn from(_: DerError) -> Self {
        Self::Damaged
    }
}

impl From<CipherError> for KeyError {
    fn from(error: CipherError) -> Self {
        match error {
            CipherError::Password => Self::Password,
            CipherError::Damaged => Self::Damaged,
            CipherError::Unsupported(what) => Self::Unsupported(what),
        }
    }
}

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
    pub fn open_key(&self, password: &str) -> Result<Belongs, KeyError> {
        let opened;
        let key = match &self.key {
            None => return Err(KeyError::Damaged),
            Some(SealedKey::Clear(key)) => key,
            Some(SealedKey::Encrypted(sealed)) => {
                opened = cipher::open_key(sealed, password)?;
                &opened
            }
        };
        match self.chain.first() {
            Some(certificate) => Ok(key::belongs(key, &certificate.public_key)?),
            None => Ok(Belongs::Unknown),
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
