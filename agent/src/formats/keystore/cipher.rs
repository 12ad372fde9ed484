//! What is encrypted with a password, and the derivations of keys from it.

use std::cell::Cell;
use std::num::NonZeroU32;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use ring::{digest, hmac, pbkdf2};

use super::der::{DerError, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};
use super::oid;

/// How often at most one derivation hashes; Java has the same limit.
const ROUNDS: u32 = 5_000_000;

/// How often all derivations for one file hash at most: some seconds.
const ALL_ROUNDS: u32 = 30_000_000;

/// Why something cannot be decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CipherError {
    /// With this password nothing sensible comes out.
    Password,
    /// It cannot be as it is.
    Damaged,
    /// A method that is not known here.
    Unsupported(String),
}

impl From<DerError> for CipherError {
    fn from(_: DerError) -> Self {
        Self::Damaged
    }
}

/// What a key that is derived as PKCS12 has it is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Key = 1,
    Start = 2,
    Mac = 3,
}

/// How much may still be hashed for a file.
#[derive(Debug)]
pub(super) struct Budget(Cell<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(ALL_ROUNDS))
    }
}

impl Budget {
    /// Takes the rounds of one derivation.
    pub(super) fn take(&self, rounds: u32) -> Result<NonZeroU32, CipherError> {
        let over = || {
            CipherError::Unsupported(format!(
                "a key of it takes {rounds} rounds of hashing, which is too much"
            ))
        };
        let left = self.0.get().checked_sub(rounds).filter(|_| rounds <= ROUNDS).ok_or_else(over)?;
        self.0.set(left);
        NonZeroU32::new(rounds).ok_or(CipherError::Damaged)
    }
}

/// A password in the forms in which it is hashed.
pub(super) struct Password<'p> {
    pub(super) text: &'p str,
    /// As PKCS12 has it: two bytes a character, and two at its end.
    pub(super) wide: Vec<u8>,
}

impl<'p> Password<'p> {
    /// Returns the forms of a password: of an empty one there are two in use.
    pub(super) fn forms(text: &'p str) -> Vec<Self> {
        let mut wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        wide.extend([0, 0]);
        let mut forms = vec![Self { text, wide }];
        if text.is_empty() {
            forms.push(Self { text, wide: Vec::new() });
        }
        forms
    }
}

/// Decrypts `data`, as `algorithm` says.
pub(super) fn decrypt(
    mut algorithm: Reader<'_>,
    password: &Password<'_>,
    data: &[u8],
    budget: &Budget,
) -> Result<Vec<u8>, CipherError> {
    let name = algorithm.take(OID)?.content;
    if name == oid::PBES2 {
        return pbes2(algorithm.enter(SEQUENCE)?, password, data, budget);
    }
    let Some(cipher @ 3..=6) = oid::member(name, oid::PKCS12_CIPHER) else {
        return Err(unknown("cipher", name));
    };
    let mut parameters = algorithm.enter(SEQUENCE)?;
    let salt = parameters.take(OCTET_STRING)?.content;
    let rounds = budget.take(parameters.number()?)?;
    let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    let derive = |purpose, length| derived(sha1, purpose, &password.wide, salt, rounds, length);
    let iv = derive(Purpose::Start, 8);
    let key = |length| derive(Purpose::Key, length);
    match cipher {
        3 => cbc(des::TdesEde3::new_from_slice(&key(24)), &iv, data),
        4 => cbc(des::TdesEde2::new_from_slice(&key(16)), &iv, data),
        5 => cbc(Ok(rc2::Rc2::new_with_eff_key_len(&key(16), 128)), &iv, data),
        _ => cbc(Ok(rc2::Rc2::new_with_eff_key_len(&key(5), 40)), &iv, data),
    }
}

/// Decrypts as PKCS5 has it: a derivation, then a cipher, each with its own name.
fn pbes2(
    mut parameters: Reader<'_>,
    password: &Password<'_>,
    data: &[u8],
    budget: &Budget,
) -> Result<Vec<u8>, CipherError> {
    let mut derivation = parameters.enter(SEQUENCE)?;
    let mut cipher = parameters.enter(SEQUENCE)?;
    let name = cipher.take(OID)?.content;
    let iv = cipher.take(OCTET_STRING)?.content;
    let length = match oid::member(name, oid::AES) {
        Some(2) => 16,
        Some(22) => 24,
        Some(42) => 32,
        _ if name == oid::DES_EDE3_CBC => 24,
        _ => return Err(unknown("cipher", name)),
    };
    let key = pbkdf2(&mut derivation, password, length, budget)?;
    match length {
        _ if name == oid::DES_EDE3_CBC => cbc(des::TdesEde3::new_from_slice(&key), iv, data),
        16 => cbc(aes::Aes128::new_from_slice(&key), iv, data),
        24 => cbc(aes::Aes192::new_from_slice(&key), iv, data),
        _ => cbc(aes::Aes256::new_from_slice(&key), iv, data),
    }
}

fn pbkdf2(
    derivation: &mut Reader<'_>,
    password: &Password<'_>,
    length: usize,
    budget: &Budget,
) -> Result<Vec<u8>, CipherError> {
    let name = derivation.take(OID)?.content;
    if name != oid::PBKDF2 {
        return Err(unknown("derivation of keys", name));
    }
    let mut parameters = derivation.enter(SEQUENCE)?;
    let salt = parameters.take(OCTET_STRING)?.content;
    let rounds = budget.take(parameters.number()?)?;
    if parameters.maybe(INTEGER)?.is_some_and(|given| given.content != [length as u8]) {
        return Err(CipherError::Damaged);
    }
    let hash = match parameters.maybe(SEQUENCE)? {
        None => pbkdf2::PBKDF2_HMAC_SHA1,
        Some(hash) => {
            let name = hash.inside().take(OID)?.content;
            match oid::member(name, oid::HMAC) {
                Some(7) => pbkdf2::PBKDF2_HMAC_SHA1,
                Some(9) => pbkdf2::PBKDF2_HMAC_SHA256,
                Some(10) => pbkdf2::PBKDF2_HMAC_SHA384,
                Some(11) => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(unknown("derivation of keys", name)),
            }
        }
    };
    let mut key = vec![0; length];
    pbkdf2::derive(hash, rounds, salt, password.text.as_bytes(), &mut key);
    Ok(key)
}

/// Decrypts in blocks, each mixed with the one before it.
fn cbc<C>(
    cipher: Result<C, cbc::cipher::common::InvalidLength>,
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, CipherError>
where
    C: BlockCipherDecrypt,
    cbc::Decryptor<C>: InnerIvInit<Inner = C> + BlockModeDecrypt,
{
    let cipher = cipher.map_err(|_| CipherError::Damaged)?;
    let blocks = cbc::Decryptor::<C>::inner_iv_slice_init(cipher, iv).map_err(|_| CipherError::Damaged)?;
    let mut data = data.to_vec();
    let length = blocks.decrypt_padded::<Pkcs7>(&mut data).map_err(|_| CipherError::Password)?.len();
    data.truncate(length);
    Ok(data)
}

/// Returns whether `expected` is the checksum of `data`, with a key that is derived as PKCS12 has it.
pub(super) fn is_mac(
    hash: &[u8],
    password: &Password<'_>,
    salt: &[u8],
    rounds: NonZeroU32,
    data: &[u8],
    expected: &[u8],
) -> Result<bool, CipherError> {
    let (hash, algorithm) = match oid::member(hash, oid::SHA2) {
        _ if hash == oid::SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Some(1) => (&digest::SHA256, hmac::HMAC_SHA256),
        Some(2) => (&digest::SHA384, hmac::HMAC_SHA384),
        Some(3) => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return Err(unknown("checksum", hash)),
    };
    let key = derived(hash, Purpose::Mac, &password.wide, salt, rounds, hash.output_len());
    Ok(hmac::verify(&hmac::Key::new(algorithm, &key), data, expected).is_ok())
}

/// Derives a key as PKCS12 has it (RFC 7292, appendix B).
fn derived(
    hash: &'static digest::Algorithm,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    rounds: NonZeroU32,
    length: usize,
) -> Vec<u8> {
    let block = hash.block_len();
    let fill = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().copied().cycle().take(bytes.len().div_ceil(block) * block).collect()
    };
    let mut input = [fill(salt), fill(password)].concat();
    let mut key = Vec::new();
    while key.len() < length {
        let start = [&vec![purpose as u8; block], &*input].concat();
        let mut hashed = digest::digest(hash, &start);
        for _ in 1..rounds.get() {
            hashed = digest::digest(hash, hashed.as_ref());
        }
        key.extend_from_slice(hashed.as_ref());
        let add: Vec<u8> = hashed.as_ref().iter().copied().cycle().take(block).collect();
        for piece in input.chunks_mut(block) {
            let mut carry = 1;
            for (byte, add) in piece.iter_mut().zip(&add).rev() {
                carry += u16::from(*byte) + u16::from(*add);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
    key.truncate(length);
    key
}

pub(super) fn unknown(what: &str, name: &[u8]) -> CipherError {
    CipherError::Unsupported(format!("convoy does not know its {what} {}", oid::dotted(name)))
}
