//! The passwords of a run, and what they open.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::cipher::Keys;
use super::envelope::{DEFAULT_ID, Envelope};
use super::error::Fault;
use super::scrub::Secrets;

/// How many bytes a secret has at least that is looked for in what others write.
const SHORTEST: usize = 4;

/// A password, and what is known about it.
#[derive(Clone)]
pub struct Password {
    /// Its vault id.
    pub id: Arc<str>,
    /// Where it comes from, for messages.
    pub source: Arc<str>,
    /// The password itself.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Password {
    /// Makes one.
    pub fn new(id: impl Into<Arc<str>>, source: impl Into<Arc<str>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { id: id.into(), source: source.into(), bytes: Zeroizing::new(bytes.into()) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Password({} from {})", self.id, self.source)
    }
}

/// What was decrypted.
#[derive(Debug)]
pub struct Opened<'v> {
    /// The text in clear.
    pub plain: Zeroizing<Vec<u8>>,
    /// The password that fits.
    pub password: &'v Password,
}

/// Salt and the place of the password among the others.
type KeyName = (Vec<u8>, usize);

/// The passwords of a run. Keys are derived once for each salt and password, and kept.
#[derive(Default)]
pub struct Vault {
    passwords: Vec<Password>,
    /// Whether only a password with the id of the text is tried.
    match_id: bool,
    keys: Mutex<HashMap<KeyName, Arc<Keys>>>,
    known: Mutex<Secrets>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.passwords).finish()
    }
}

impl Vault {
    /// Makes one with these passwords, the first tried first. With `match_id`, only those with the id of a text are
    /// tried for it.
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
    /// If it is damaged, or no password fits.
    pub fn open(&self, text: &[u8]) -> Result<Opened<'_>, Fault> {
        let envelope = Envelope::read(text).map_err(Fault::Damaged)?;
        if self.passwords.is_empty() {
            return Err(Fault::NoPassword { id: envelope.id });
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
        let left_out = self.passwords.iter().filter(|p| self.match_id && &*p.id != wanted);
        let passed_over = left_out.map(|password| password.id.clone()).collect();
        Err(Fault::NoneFits { id: envelope.id, tried, passed_over })
    }

    /// Remembers a secret, to take it out of what others write. What is very short would be found everywhere.
    pub fn remember(&self, secret: &str) {
        if secret.trim().len() >= SHORTEST {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).hide(secret);
        }
    }

    /// Returns the secrets that were met so far.
    pub fn known(&self) -> Secrets {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keys(&self, index: usize, salt: &[u8]) -> Arc<Keys> {
        let name = (salt.to_vec(), index);
        if let Some(known) = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return known.clone();
        }
        let keys = Arc::new(Keys::derive(&self.passwords[index].bytes, salt));
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(name, keys.clone());
        keys
    }
}

impl Password {
    /// Encrypts into the text form, for the vault id `id`; without a salt, by chance.
    ///
    /// # Errors
    /// If the system gives no random bytes.
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

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system gives no random bytes")]
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
