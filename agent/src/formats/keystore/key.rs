//! Private keys: whether a certificate is one of theirs.

use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING};
use ring::{error::KeyRejected, rand::SystemRandom, signature};

use super::der::{BIT_STRING, CONTEXT, DerError, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};
use super::oid;

/// Whether a private and a public key are a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// They are.
    Yes,
    /// They are not.
    No,
    /// That cannot be told of keys of their kind.
    Unknown,
}

impl From<bool> for KeyMatch {
    fn from(is_pair: bool) -> Self {
        if is_pair { Self::Yes } else { Self::No }
    }
}

/// Returns whether a `PrivateKeyInfo` and a `SubjectPublicKeyInfo` are a pair.
pub(super) fn key_match(private: &[u8], public: &[u8]) -> Result<KeyMatch, DerError> {
    let mut private = Reader::new(private).enter(SEQUENCE)?;
    private.number()?;
    let (kind, curve) = algorithm(&mut private)?;
    let private = private.take(OCTET_STRING)?.content;
    let mut public = Reader::new(public).enter(SEQUENCE)?;
    let of_public = algorithm(&mut public)?;
    let Some((0, public)) = public.take(BIT_STRING)?.content.split_first() else {
        return Err(DerError::Unexpected);
    };
    match kind {
        oid::RSA | oid::EC | oid::ED25519 if kind != of_public.0 => Ok(KeyMatch::No),
        oid::RSA => rsa(private, public),
        oid::EC if curve != of_public.1 => Ok(KeyMatch::No),
        oid::EC => ec(curve, private, public),
        oid::ED25519 => {
            let seed = Reader::new(private).take(OCTET_STRING)?.content;
            Ok(is_pair(signature::Ed25519KeyPair::from_seed_and_public_key(seed, public)))
        }
        _ => Ok(KeyMatch::Unknown),
    }
}

/// Returns the names of an algorithm and of what it is used with.
fn algorithm<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), DerError> {
    let mut algorithm = reader.enter(SEQUENCE)?;
    let name = algorithm.take(OID)?.content;
    Ok((name, algorithm.maybe(OID)?.map(|with| with.content).unwrap_or_default()))
}

/// The private key begins with a version and then has what the public key is.
fn rsa(private: &[u8], public: &[u8]) -> Result<KeyMatch, DerError> {
    let mut private = Reader::new(private).enter(SEQUENCE)?;
    private.number()?;
    let mut public = Reader::new(public).enter(SEQUENCE)?;
    for _ in ["modulus", "exponent"] {
        if private.take(INTEGER)?.content != public.take(INTEGER)?.content {
            return Ok(KeyMatch::No);
        }
    }
    Ok(KeyMatch::Yes)
}

fn ec(curve: &[u8], private: &[u8], public: &[u8]) -> Result<KeyMatch, DerError> {
    let mut private = Reader::new(private).enter(SEQUENCE)?;
    private.number()?;
    let scalar = private.take(OCTET_STRING)?.content;
    private.maybe(CONTEXT)?;
    // Java leaves the public key out, OpenSSL has it there.
    if let Some(beside) = private.maybe(CONTEXT + 1)? {
        let bits = beside.inside().take(BIT_STRING)?.content;
        return Ok(KeyMatch::from(bits.get(1..) == Some(public)));
    }
    let algorithm = match curve {
        oid::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        oid::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        _ => return Ok(KeyMatch::Unknown),
    };
    let random = SystemRandom::new();
    Ok(is_pair(signature::EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar, public, &random)))
}

/// Ring checks a pair when it takes one.
fn is_pair<K>(pair: Result<K, KeyRejected>) -> KeyMatch {
    match pair {
        Ok(_) => KeyMatch::Yes,
        Err(error) if error.to_string() == "InconsistentComponents" => KeyMatch::No,
        Err(_) => KeyMatch::Unknown,
    }
}
