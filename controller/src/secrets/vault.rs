//! The passwords of a run; decryption and encryption with them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::cipher::Keys;
use super::envelope::{DEFAULT_ID, Envelope};
use super::error::DecryptError;
use super::scrub::Secrets;
use crate::sync::lock;

/// The minimum length of secrets that are replaced in text of others, in bytes.
const MIN_SECRET_LENGTH: usize = 4;

/// A vault password.
#[derive(Clone)]
pub struct Password {
    /// Its vault id.
    pub id: Arc<str>,
    /// Its source, for messages.
    pub source: Arc<str>,
    /// The password itself.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Password {
    /// Creates a password.
    pub fn new(id: impl Into<Arc<str>>, source: impl Into<Arc<str>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { id: id.into(), source: source.into(), bytes: Zeroizing::new(bytes.into()) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Password({} from {})", self.id, self.source)
    }
}

/// Decrypted text.
#[derive(Debug)]
pub struct Opened<'v> {
    /// The text.
    pub plain: Zeroizing<Vec<u8>>,
    /// The password that fits.
    pub password: &'v Password,
}

/// A salt and the index of a password.
type KeyName = (Vec<u8>, usize);

/// The passwords of a run. Keys are derived once for each salt and password.
#[derive(Default)]
pub struct Vault {
    passwords: Vec<Password>,
    /// Whether only passwords with the id of the text are tried.
    match_id: bool,
    keys: Mutex<HashMap<KeyName, Arc<Keys>>>,
    /// Secrets that the run has seen.
    known: Mutex<Secrets>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.passwords).finish()
    }
}

impl Vault {
    /// Creates a vault with passwords in the order in which they are tried. With `match_id`, only those with the id of the
    /// text are tried.
    pub fn new(passwords: Vec<Password>, match_id: bool) -> Self {
        Self { passwords, match_id, keys: Mutex::default(), known: Mutex::default() }
    }

    /// Returns the passwords, in the order in which they are tried.
    pub fn passwords(&self) -> &[Password] {
        &self.passwords
    }

    /// Decrypts the text form.
    ///
    /// # Errors
    /// If the text is damaged or no password fits.
    pub fn open(&self, text: &[u8]) -> Result<Opened<'_>, DecryptError> {
        let envelope = Envelope::parse(text).map_err(DecryptError::Damaged)?;
        if self.passwords.is_empty() {
            return Err(DecryptError::NoPassword { id: envelope.id });
        }
        let wanted = envelope.id.as_deref().unwrap_or(DEFAULT_ID);
        let (first, others): (Vec<_>, Vec<_>) =
            self.passwords.iter().enumerate().partition(|(_, password)| &*password.id == wanted);
        let others = if self.match_id { &[][..] } else { &others[..] };
        for (index, password) in first.iter().chain(others) {
            let keys = self.keys(*index, &envelope.salt);
            if let Some(plain) = keys.decrypt(&envelope.text, &envelope.digest) {
                return Ok(Opened { plain: Zeroizing::new(plain), password });
            }
        }
        let tried = first.iter().chain(others).map(|(_, p)| (p.id.clone(), p.source.clone())).collect();
        let others = self.passwords.iter().filter(|p| self.match_id && &*p.id != wanted);
        let not_tried = others.map(|password| password.id.clone()).collect();
        Err(DecryptError::WrongPasswords { id: envelope.id, tried, not_tried })
    }

    /// Remembers a secret, so that it can be replaced in text of others. Very short ones are ignored, because they would
    /// match everywhere.
    pub fn remember(&self, secret: &str) {
        if secret.trim().len() >= MIN_SECRET_LENGTH {
            lock(&self.known).hide(secret);
        }
    }

    /// Returns the remembered secrets.
    pub fn known(&self) -> Secrets {
        lock(&self.known).clone()
    }

    fn keys(&self, index: usize, salt: &[u8]) -> Arc<Keys> {
        let name = (salt.to_vec(), index);
        if let Some(known) = lock(&self.keys).get(&name) {
            return known.clone();
        }
        let keys = Arc::new(Keys::derive(&self.passwords[index].bytes, salt));
        lock(&self.keys).insert(name, keys.clone());
        keys
    }
}

impl Password {
    /// Encrypts to the text form, for the vault id `id`; without `salt`, with a random one.
    ///
    /// # Errors
    /// If the system provides no random bytes.
    pub fn seal(&self, plain: &[u8], id: Option<&str>, salt: Option<&[u8]>) -> Result<String, NoRandom> {
        let salt = match salt {
            Some(salt) => salt.to_vec(),
            None => {
                let mut salt = vec![0; 32];
                SystemRandom::new().fill(&mut salt).map_err(|_| NoRandom)?;
                salt
            }
        };
        let (text, digest) = Keys::derive(&self.bytes, &salt).encrypt(plain);
        Ok(Envelope { id: id.map(Arc::from), salt, digest, text }.write())
    }
}

/// The system provides no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system provides no random bytes")]
pub struct NoRandom;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_derived_once_for_each_salt_and_password() {
        let password = |word: &str| Password::new(DEFAULT_ID, "x", word);
        let vault = Vault::new(vec![password("wrong"), password("right")], false);
        let texts =
            [&b"salt 1"[..], b"salt 2"].map(|salt| password("right").seal(b"x", None, Some(salt)).unwrap());
        for text in texts.iter().cycle().take(200) {
            vault.open(text.as_bytes()).unwrap();
        }
        assert_eq!(vault.keys.lock().unwrap().len(), 4);
    }
}
