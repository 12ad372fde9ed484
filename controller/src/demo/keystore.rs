//! Writes keystores in the JKS format, which Java's `keytool` and the servers read.

use sha1::{Digest as _, Sha1};

use super::certificate::Identity;
use super::der::{self, NULL, OCTET_STRING, SEQUENCE};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;
/// A constant in the digest over a keystore, after the password.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// The object identifier of Sun's own key encryption.
const KEY_PROTECTOR: &[u32] = &[1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1];
/// The creation time of entries, in milliseconds since 1970: January 1, 2020.
const CREATED: u64 = 1_577_836_800_000;

/// Returns a keystore with a key under `alias`, both protected by `password`.
pub(super) fn with_key(alias: &str, identity: &Identity, password: &str) -> Vec<u8> {
    let key = protect(&identity.key, password, rand::random());
    let mut entry = entry(PRIVATE_KEY, alias);
    put(&mut entry, &key);
    entry.extend(1_u32.to_be_bytes());
    put_certificate(&mut entry, &identity.certificate);
    seal(&[entry], password)
}

/// Returns a truststore with certificates under their aliases.
pub(super) fn with_certificates(trusted: &[(&str, &Identity)], password: &str) -> Vec<u8> {
    let entries = trusted.iter().map(|(alias, identity)| {
        let mut entry = entry(TRUSTED_CERTIFICATE, alias);
        put_certificate(&mut entry, &identity.certificate);
        entry
    });
    seal(&entries.collect::<Vec<_>>(), password)
}

fn entry(tag: u32, alias: &str) -> Vec<u8> {
    let mut entry = tag.to_be_bytes().to_vec();
    put_text(&mut entry, alias);
    entry.extend(CREATED.to_be_bytes());
    entry
}

/// Appends a text in Java's form, with its length in two bytes. Only for short ASCII texts.
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}

/// Appends bytes with their length in four bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}

fn put_certificate(out: &mut Vec<u8>, certificate: &[u8]) {
    put_text(out, "X.509");
    put(out, certificate);
}

/// Returns a keystore with these entries, and its digest.
fn seal(entries: &[Vec<u8>], password: &str) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let mut store: Vec<u8> = [MAGIC, VERSION, count].iter().flat_map(|word| word.to_be_bytes()).collect();
    store.extend(entries.concat());
    let digest =
        Sha1::new().chain_update(utf16(password)).chain_update(WHITENER).chain_update(&store).finalize();
    store.extend(digest);
    store
}

fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Encrypts a key as Sun's provider does: a chain of digests over password and salt is the key stream, a digest over
/// password and key the checksum.
fn protect(key: &[u8], password: &str, salt: [u8; 20]) -> Vec<u8> {
    let password = utf16(password);
    let mut block = salt.to_vec();
    let mut stream = Vec::with_capacity(key.len() + salt.len());
    while stream.len() < key.len() {
        block = Sha1::new().chain_update(&password).chain_update(&block).finalize().to_vec();
        stream.extend(&block);
    }
    let hidden: Vec<u8> = key.iter().zip(&stream).map(|(byte, mask)| byte ^ mask).collect();
    let check = Sha1::new().chain_update(&password).chain_update(key).finalize();
    let algorithm = der::element(SEQUENCE, &[&der::identifier(KEY_PROTECTOR), &der::element(NULL, &[])]);
    der::element(SEQUENCE, &[&algorithm, &der::element(OCTET_STRING, &[&salt, &hidden, &check])])
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const PASSWORD: &str = "wso2carbon";

    #[test]
    fn a_protected_key_can_be_recovered() {
        let key = b"any key at all, longer than one block of twenty bytes";
        let hidden = protect(key, PASSWORD, [9; 20]);
        // The key stream depends only on password and salt, so that encrypting zeros yields it.
        let stream = protect(&[0; 53], PASSWORD, [9; 20]);
        let at = hidden.len() - 20 - key.len();
        let shown: Vec<u8> = (at..at + key.len()).map(|i| hidden[i] ^ stream[i]).collect();
        assert_eq!(shown, key);
    }

    /// Runs `keytool`; `None` if it is not installed.
    fn keytool(arguments: &[&str], file: &Path) -> Option<String> {
        let output = Command::new("keytool")
            .args(arguments)
            .args(["-J-Duser.language=en", "-storepass", PASSWORD, "-keystore"])
            .arg(file)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        Some(text)
    }

    #[test]
    fn keytool_reads_keystores_and_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::generate("localhost").unwrap();
        let (store, trust) = (folder.path().join("a.jks"), folder.path().join("b.jks"));
        std::fs::write(&store, with_key("wso2carbon", &identity, PASSWORD)).unwrap();
        std::fs::write(&trust, with_certificates(&[("one", &identity), ("two", &identity)], PASSWORD))
            .unwrap();
        let Some(listed) = keytool(&["-list", "-v", "-alias", "wso2carbon"], &store) else { return };
        assert!(listed.contains("PrivateKeyEntry") && listed.contains("CN=localhost"), "{listed}");
        let request = keytool(&["-certreq", "-alias", "wso2carbon", "-keypass", PASSWORD], &store).unwrap();
        assert!(request.contains("BEGIN NEW CERTIFICATE REQUEST"), "{request}");
        let listed = keytool(&["-list"], &trust).unwrap();
        assert_eq!(listed.matches("trustedCertEntry").count(), 2, "{listed}");
    }
}
