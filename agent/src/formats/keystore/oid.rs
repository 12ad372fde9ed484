//! Object identifiers: as they are encoded, and as people write them.

/// PKCS7: content that is not protected.
pub(super) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
/// PKCS7: content that is encrypted with a password.
pub(super) const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];

/// PKCS12: what all kinds of bags begin with; the last number follows.
pub(super) const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
/// PKCS12: what its own ciphers begin with; the last number follows.
pub(super) const PKCS12_CIPHER: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
/// PKCS9: a bag holds an X.509 certificate.
pub(super) const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
/// PKCS9: the name of a bag.
pub(super) const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
/// PKCS9: what a key and its certificate have in common.
pub(super) const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
/// Oracle's: a certificate is trusted by itself.
pub(super) const TRUSTED: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1];

/// Sun's cipher for the keys of JKS.
pub(super) const JKS_KEY: &[u8] = &[0x2b, 6, 1, 4, 1, 0x2a, 2, 0x11, 1, 1];
/// PKCS5: a derivation and a cipher.
pub(super) const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
/// PKCS5: the derivation.
pub(super) const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// What all HMACs begin with; the last number follows.
pub(super) const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
/// Triple DES.
pub(super) const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
/// What all forms of AES begin with; the last number follows.
pub(super) const AES: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1];
/// SHA-1.
pub(super) const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 26];
/// What the family of SHA-2 begins with; the last number follows.
pub(super) const SHA2: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];

/// RSA keys.
pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// Keys on elliptic curves.
pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// The curve P-256.
pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// The curve P-384.
pub(super) const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
/// Ed25519 keys.
pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Returns the number that follows `family` in `oid`, if it is of that family.
pub(super) fn member(oid: &[u8], family: &[u8]) -> Option<u8> {
    match oid.strip_prefix(family) {
        Some([number]) => Some(*number),
        _ => None,
    }
}

/// Returns an identifier in numbers with dots.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut numbers: Vec<String> = Vec::new();
    let mut number = 0_u128;
    for byte in oid {
        number = number.wrapping_shl(7) | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if numbers.is_empty() {
            let first = (number / 40).min(2);
            numbers.extend([first.to_string(), (number - first * 40).to_string()]);
        } else {
            numbers.push(number.to_string());
        }
        number = 0;
    }
    numbers.join(".")
}
