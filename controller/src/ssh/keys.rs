//! Private keys in files. A key is decrypted once per run.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use russh::keys::{
    Certificate, PrivateKey, PublicKey, decode_secret_key, load_openssh_certificate, load_public_key,
};

use crate::sync::lock;

/// What the file of a key's certificate ends with, after the name of the key's file.
pub(super) const CERTIFICATE_SUFFIX: &str = "-cert.pub";

/// The keys that were decrypted with a passphrase the user typed.
#[derive(Default)]
pub(super) struct KeyStore(Mutex<HashMap<PathBuf, Arc<PrivateKey>>>);

impl KeyStore {
    /// Decrypts a key for the connections that follow; returns whether the passphrase is right.
    pub(super) fn unlock(&self, path: &Path, passphrase: &str) -> bool {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        match decode_secret_key(&text, Some(passphrase)) {
            Ok(key) => {
                lock(&self.0).insert(path.to_owned(), Arc::new(key));
                true
            }
            Err(_) => false,
        }
    }

    /// Reads a key file and what is next to it.
    pub(super) fn read(&self, path: &Path, passphrase: Option<&str>) -> KeyFile {
        let decrypted = lock(&self.0).get(path).cloned();
        let (public, private) = match decrypted {
            Some(key) => (Some(key.public_key().clone()), PrivatePart::Usable(key)),
            None => load(path, passphrase),
        };
        let public = public.or_else(|| load_public_key(with_suffix(path, ".pub")).ok());
        let certificate = load_openssh_certificate(with_suffix(path, CERTIFICATE_SUFFIX)).ok();
        KeyFile { path: path.to_owned(), public, private, certificate: certificate.map(Box::new) }
    }
}

/// A key file, as far as it could be read.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    pub(super) public: Option<PublicKey>,
    pub(super) private: PrivatePart,
    /// The certificate in the file next to it.
    pub(super) certificate: Option<Box<Certificate>>,
}

/// The private part of a key.
pub(super) enum PrivatePart {
    /// It can be used.
    Usable(Arc<PrivateKey>),
    /// It is encrypted, and the passphrase is unknown.
    Locked,
    /// It cannot be used; the reason, as it follows the path in a sentence.
    Unusable(String),
}

/// Returns the path of a file next to another, whose name has this suffix.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn load(path: &Path, passphrase: Option<&str>) -> (Option<PublicKey>, PrivatePart) {
    let unusable = |why| (None, PrivatePart::Unusable(why));
    if let Err(why) = check_mode(path) {
        return unusable(why);
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return unusable(format!("cannot be read: {error}")),
    };
    // OpenSSH's format shows the public part of an encrypted key, too.
    let public = PrivateKey::from_openssh(&text).ok().map(|key| key.public_key().clone());
    // First without the passphrase: a key that is not encrypted must load even if one is given.
    match (decode_secret_key(&text, None), passphrase) {
        (Ok(key), _) => (Some(key.public_key().clone()), PrivatePart::Usable(Arc::new(key))),
        (Err(_), None) if is_encrypted(&text) => (public, PrivatePart::Locked),
        (Err(_), Some(passphrase)) if is_encrypted(&text) => match decode_secret_key(&text, Some(passphrase))
        {
            Ok(key) => (Some(key.public_key().clone()), PrivatePart::Usable(Arc::new(key))),
            Err(_) => {
                (public, PrivatePart::Unusable("cannot be decrypted with the given passphrase".to_owned()))
            }
        },
        (Err(error), _) => (
            None,
            PrivatePart::Unusable(format!(
                "is not a supported private key ({error}); `ssh-keygen -p -f {}` converts it to the current format",
                path.display()
            )),
        ),
    }
}

/// Returns whether the key is encrypted. Old formats say so in their headers, some of which convoy cannot read.
fn is_encrypted(text: &str) -> bool {
    if let Ok(key) = PrivateKey::from_openssh(text) {
        return key.is_encrypted();
    }
    text.contains("DEK-Info: AES-128-CBC,") || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

/// Refuses keys that others can access, as OpenSSH does.
fn check_mode(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(path) {
        Ok(meta) if meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 != 0 => {
            Err(format!(
                "is accessible to others (mode {:04o}): chmod 600 {}",
                meta.mode() & 0o7777,
                path.display()
            ))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("does not exist".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
