//! What a keystore holds, and why it cannot be opened.

use std::fmt;

use thiserror::Error;

use super::cipher::CipherError;
use super::der::DerError;
use super::x509::Certificate;

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
    pub(super) key: Option<SealedKey>,
}

/// A private key as it lies in the file.
#[derive(Debug)]
pub(super) enum SealedKey {
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
    pub is_password_verified: bool,
    /// How many certificates are in it that belong to no entry: Java does not see them.
    pub orphan_certificates: usize,
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
