//! The cipher AES256 of Ansible Vault: keys by PBKDF2, AES in counter mode over padded text, HMAC-SHA256 over the result.

use std::num::NonZeroU32;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use ring::{hmac, pbkdf2};
use zeroize::Zeroizing;

const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
const BLOCK: usize = 16;

/// The keys derived from a password and a salt.
pub(super) struct Keys(Zeroizing<[u8; 80]>);

impl Keys {
    /// Derives the keys, which takes some milliseconds.
    pub(super) fn derive(password: &[u8], salt: &[u8]) -> Self {
        let mut keys = Zeroizing::new([0; 80]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password, &mut *keys);
        Self(keys)
    }

    fn digest_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0[32..64])
    }

    /// Encrypts or decrypts; both are the same in counter mode.
    fn stream(&self, text: &mut [u8]) {
        let (mut key, mut start) = ([0; 32], [0; BLOCK]);
        key.copy_from_slice(&self.0[..32]);
        start.copy_from_slice(&self.0[64..]);
        Ctr128BE::<Aes256>::new(&key.into(), &start.into()).apply_keystream(text);
    }

    /// Returns the encrypted text and its digest.
    pub(super) fn encrypt(&self, plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let padding = BLOCK - plain.len() % BLOCK;
        let mut text = Vec::with_capacity(plain.len() + padding);
        text.extend_from_slice(plain);
        text.resize(plain.len() + padding, u8::try_from(padding).unwrap_or_default());
        self.stream(&mut text);
        let digest = hmac::sign(&self.digest_key(), &text).as_ref().to_vec();
        (text, digest)
    }

    /// Returns the decrypted text, or `None` if the digest differs. The comparison takes constant time.
    pub(super) fn decrypt(&self, text: &[u8], digest: &[u8]) -> Option<Vec<u8>> {
        hmac::verify(&self.digest_key(), text, digest).ok()?;
        let mut plain = text.to_vec();
        self.stream(&mut plain);
        let padding = usize::from(*plain.last()?);
        let length = plain.len().checked_sub(padding)?;
        let valid =
            (1..=BLOCK).contains(&padding) && plain[length..].iter().all(|b| usize::from(*b) == padding);
        valid.then(|| {
            plain.truncate(length);
            plain
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_decrypted() {
        let keys = Keys::derive(b"password", b"salt");
        for length in [0, 1, 15, 16, 17, 1000] {
            let plain = vec![b'x'; length];
            let (text, digest) = keys.encrypt(&plain);
            assert_eq!(text.len() % BLOCK, 0);
            assert_eq!(keys.decrypt(&text, &digest), Some(plain));
        }
    }

    #[test]
    fn modified_text_is_not_decrypted() {
        let keys = Keys::derive(b"password", b"salt");
        let (mut text, digest) = keys.encrypt(b"secret");
        assert_eq!(keys.decrypt(&text, &digest[..31]), None);
        assert_eq!(Keys::derive(b"other", b"salt").decrypt(&text, &digest), None);
        text[0] ^= 1;
        assert_eq!(keys.decrypt(&text, &digest), None);
    }
}
