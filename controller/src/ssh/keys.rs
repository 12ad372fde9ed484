//! Private keys of files: read, and opened with a passphrase once a run.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{
    Certificate, PrivateKey, PublicKey, decode_secret_key, load_openssh_certificate, load_public_key,
};

use crate::paths::tilde;

/// The keys that were opened with a passphrase.
#[derive(Default)]
pub(super) struct Keys(Mutex<HashMap<PathBuf, Arc<PrivateKey>>>);

impl Keys {
    /// Opens an encrypted key; returns whether the passphrase fits.
    pub(super) fn unlock(&self, path: &Path, passphrase: &str) -> bool {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        match decode_secret_key(&text, Some(passphrase)) {
            Ok(key) => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), Arc::new(key));
                true
            }
            Err(_) => false,
        }
    }

    /// Reads a key.
    pub(super) fn read(&self, path: &Path, passphrase: Option<&str>) -> KeyFile {
        let opened = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        let (public, secret) = match opened {
            Some(key) => (Some(key.public_key().clone()), Secret::Open(key)),
            None => load(path, passphrase),
        };
        let public = public.or_else(|| load_public_key(beside(path, ".pub")).ok());
        let certificate = load_openssh_certificate(beside(path, "-cert.pub")).ok();
        KeyFile { path: path.to_owned(), public, secret, certificate: certificate.map(Box::new) }
    }
}

/// A key's file, as far as it could be read.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    pub(super) public: Option<PublicKey>,
    pub(super) secret: Secret,
    /// The certificate beside it.
    pub(super) certificate: Option<Box<Certificate>>,
}

/// The secret part of a key.
pub(super) enum Secret {
    /// It can be used.
    Open(Arc<PrivateKey>),
    /// It is encrypted, and the passphrase is not known.
    Locked,
    /// It cannot be used; a reason that goes on after the path.
    Unusable(String),
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn load(path: &Path, passphrase: Option<&str>) -> (Option<PublicKey>, Secret) {
    let unusable = |why| (None, Secret::Unusable(why));
    if let Err(why) = check_mode(path) {
        return unusable(why);
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return unusable(format!("cannot be read: {error}")),
    };
    // OpenSSH's own format tells the public part of an encrypted key, too.
    let public = PrivateKey::from_openssh(&text).ok().map(|key| key.public_key().clone());
    // The passphrase is for the encrypted ones; a key in the clear must load with one given, too.
    match (decode_secret_key(&text, None), passphrase) {
        (Ok(key), _) => (Some(key.public_key().clone()), Secret::Open(Arc::new(key))),
        (Err(_), None) if is_encrypted(&text) => (public, Secret::Locked),
        (Err(_), Some(passphrase)) if is_encrypted(&text) => match decode_secret_key(&text, Some(passphrase))
        {
            Ok(key) => (Some(key.public_key().clone()), Secret::Open(Arc::new(key))),
            Err(_) => (public, Secret::Unusable("does not open with the passphrase given".to_owned())),
        },
        (Err(error), _) => (
            None,
            Secret::Unusable(format!(
                "is not a private key that can be used ({error}); `ssh-keygen -p -f {}` writes one in today's format",
                path.display()
            )),
        ),
    }
}

/// Returns whether a passphrase may open it: the old formats say so in their headers, some in ways that we cannot read.
fn is_encrypted(text: &str) -> bool {
    if let Ok(key) = PrivateKey::from_openssh(text) {
        return key.is_encrypted();
    }
    text.contains("DEK-Info: AES-128-CBC,") || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

/// OpenSSH refuses to use keys that others can read, and so do we.
fn check_mode(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(path) {
        Ok(meta) if meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 != 0 => Err(
            format!("is open to others (mode {:04o}): chmod 600 {}", meta.mode() & 0o7777, path.display()),
        ),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("does not exist".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Returns why a user's certificate is of no use, if the time tells.
pub(super) fn out_of_time(path: &Path, certificate: &Certificate) -> Option<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let name = tilde(path);
    if certificate.valid_before() <= now {
        Some(format!("the certificate {name} has expired"))
    } else if certificate.valid_after() > now {
        Some(format!("the certificate {name} is not valid yet"))
    } else {
        None
    }
}
