//! Generates a key with a self-signed certificate, for the demo's keystores.

use std::io;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::der::{self, INTEGER, SEQUENCE, SET, UTC_TIME, UTF8_STRING};

const COMMON_NAME: &[u32] = &[2, 5, 4, 3];
const ECDSA_WITH_SHA256: &[u32] = &[1, 2, 840, 10045, 4, 3, 2];
const EC_PUBLIC_KEY: &[u32] = &[1, 2, 840, 10045, 2, 1];
const PRIME256V1: &[u32] = &[1, 2, 840, 10045, 3, 1, 7];
/// The longest period that UTCTime can express, so that the demo works whatever the clock says.
const VALIDITY: [&[u8]; 2] = [b"200101000000Z", b"491231235959Z"];

/// A key and its certificate, both in DER.
#[derive(Debug)]
pub(super) struct Identity {
    /// PKCS #8.
    pub(super) key: Vec<u8>,
    /// X.509.
    pub(super) certificate: Vec<u8>,
}

impl Identity {
    /// Generates a key on the curve P-256, and a self-signed certificate for `name`.
    pub(super) fn generate(name: &str) -> io::Result<Self> {
        let random = SystemRandom::new();
        let fault = |_| io::Error::other("ring cannot generate a key");
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(fault)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let signed = to_be_signed(name, pair.public_key().as_ref());
        let signature = pair.sign(&random, &signed).map_err(fault)?;
        let certificate =
            der::element(SEQUENCE, &[&signed, &signature_algorithm(), &der::bits(signature.as_ref())]);
        Ok(Self { key: key.as_ref().to_vec(), certificate })
    }
}

fn signature_algorithm() -> Vec<u8> {
    der::element(SEQUENCE, &[&der::identifier(ECDSA_WITH_SHA256)])
}

fn to_be_signed(name: &str, public_key: &[u8]) -> Vec<u8> {
    let name = {
        let value = der::element(UTF8_STRING, &[name.as_bytes()]);
        let attribute = der::element(SEQUENCE, &[&der::identifier(COMMON_NAME), &value]);
        der::element(SEQUENCE, &[&der::element(SET, &[&attribute])])
    };
    let [from, until] = VALIDITY.map(|time| der::element(UTC_TIME, &[time]));
    let algorithm = der::element(SEQUENCE, &[&der::identifier(EC_PUBLIC_KEY), &der::identifier(PRIME256V1)]);
    // No version field, which means version 1: there are no extensions.
    der::element(
        SEQUENCE,
        &[
            &der::element(INTEGER, &[&[1]]),
            &signature_algorithm(),
            &name,
            &der::element(SEQUENCE, &[&from, &until]),
            &name,
            &der::element(SEQUENCE, &[&algorithm, &der::bits(public_key)]),
        ],
    )
}
