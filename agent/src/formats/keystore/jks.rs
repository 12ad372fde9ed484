//! Sun's own kind of keystore: one record after the other, and a checksum of all with the password.

use ring::digest;

use super::cipher::CipherError;
use super::model::{Entry, Format, Keystore, KeystoreError, Kind, SealedKey};
use super::x509::Certificate;

/// The length of SHA-1.
const DIGEST: usize = 20;

fn sha1(parts: &[&[u8]]) -> digest::Digest {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// Returns a password as it is hashed: two bytes a character.
fn wide(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Opens a file.
pub(super) fn open(bytes: &[u8], password: &str) -> Result<Keystore, KeystoreError> {
    let mut reader = Reader { all: bytes, rest: &bytes[4..] };
    let version = reader.number()?;
    if !matches!(version, 1 | 2) {
        return Err(KeystoreError::Unsupported(format!(
            "it is JKS of version {version}, which is not known"
        )));
    }
    let count = reader.number()?;
    let mut raw = Vec::new();
    for _ in 0..count {
        raw.push(reader.entry(version)?);
    }
    let content = &bytes[..bytes.len() - reader.rest.len()];
    let checksum = reader.bytes(DIGEST)?;
    if sha1(&[&wide(password), b"Mighty Aphrodite", content]).as_ref() != checksum {
        return Err(KeystoreError::Password);
    }
    let entries = raw.into_iter().map(Raw::read).collect::<Result<_, _>>()?;
    Ok(Keystore { format: Format::Jks, entries, is_password_verified: true, orphan_certificates: 0 })
}

/// Opens a private key: it is mixed with digests, each of the password and the digest before, the first a salt.
pub(super) fn open_key(sealed: &[u8], password: &str) -> Result<Vec<u8>, CipherError> {
    let split = |bytes: &[u8], at: Option<usize>| {
        let (head, tail) = bytes.split_at_checked(at?)?;
        Some((head.to_vec(), tail.to_vec()))
    };
    let (salt, rest) = split(sealed, Some(DIGEST)).ok_or(CipherError::Damaged)?;
    let (mut key, checksum) = split(&rest, rest.len().checked_sub(DIGEST)).ok_or(CipherError::Damaged)?;
    let password = wide(password);
    let mut mask = salt;
    for piece in key.chunks_mut(DIGEST) {
        mask = sha1(&[&password, &mask]).as_ref().to_vec();
        piece.iter_mut().zip(&mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    if sha1(&[&password, &key]).as_ref() == checksum { Ok(key) } else { Err(CipherError::Password) }
}

/// A record as it stands in the file; what is in it is looked at when the checksum has come out.
struct Raw<'a> {
    alias: &'a [u8],
    key: Option<&'a [u8]>,
    chain: Vec<&'a [u8]>,
}

impl Raw<'_> {
    fn read(self) -> Result<Entry, KeystoreError> {
        let alias = modified_utf8(self.alias).to_lowercase();
        let read = |bytes: &&[u8]| {
            Certificate::read(bytes)
                .ok_or_else(|| KeystoreError::Damaged(format!("a certificate of {alias} cannot be read")))
        };
        let chain = self.chain.iter().map(read).collect::<Result<_, _>>()?;
        let kind = if self.key.is_some() { Kind::Key } else { Kind::Certificate };
        let key = self.key.map(|key| SealedKey::Encrypted(key.to_vec()));
        Ok(Entry { alias, kind, chain, key })
    }
}

struct Reader<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], KeystoreError> {
        let (bytes, rest) =
            self.rest.split_at_checked(length).ok_or(KeystoreError::Truncated(self.all.len()))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, KeystoreError> {
        let bytes = self.bytes(4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.bytes(2)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.bytes(length)
    }

    fn block(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.number()?;
        self.bytes(length as usize)
    }

    fn entry(&mut self, version: u32) -> Result<Raw<'a>, KeystoreError> {
        let kind = self.number()?;
        let alias = self.text()?;
        self.bytes(8)?;
        let (key, count) = match kind {
            1 => (Some(self.block()?), self.number()?),
            2 => (None, 1),
            _ => return Err(KeystoreError::Damaged(format!("it holds a record of the unknown kind {kind}"))),
        };
        let mut chain = Vec::new();
        for _ in 0..count {
            if version == 2 {
                let kind = self.text()?;
                if kind != b"X.509" {
                    let kind = String::from_utf8_lossy(kind);
                    let what = format!("it holds a certificate of the unknown kind {kind}");
                    return Err(KeystoreError::Unsupported(what));
                }
            }
            chain.push(self.block()?);
        }
        Ok(Raw { alias, key, chain })
    }
}

/// Returns text as Java writes it: what is beyond 16 bits as two surrogates of three bytes each.
fn modified_utf8(bytes: &[u8]) -> String {
    let mut units = Vec::new();
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return String::from_utf16_lossy(&units),
            [a @ 0..0x80, rest @ ..] => {
                units.push(u16::from(*a));
                rest
            }
            [a @ 0xc0..0xe0, b, rest @ ..] => {
                units.push(u16::from(a & 0x1f) << 6 | u16::from(b & 0x3f));
                rest
            }
            [a @ 0xe0..0xf0, b, c, rest @ ..] => {
                units.push(u16::from(a & 0x0f) << 12 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f));
                rest
            }
            [_, rest @ ..] => {
                units.push(0xfffd);
                rest
            }
        };
    }
}
