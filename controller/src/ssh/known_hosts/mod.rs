//! Reads known_hosts files as OpenSSH does.
//!
//! A line has host names, a key type and a key, after an optional marker:
//!
//! ```text
//! web1,10.0.0.1 ssh-ed25519 …        the key of these hosts
//! *.example.com,!db.example.com …    patterns; `!` excludes
//! [web1]:2222 …                      a host at a port other than 22
//! |1|SALT|DIGEST …                   a hashed name (HashKnownHosts)
//! @cert-authority *.example.com …    the key may sign certificates of these hosts
//! @revoked * …                       the key is refused
//! ```
//!
//! A key recorded for a host without a port also counts at other ports, but only if the host has no key there: it can
//! confirm a key, but a different key there is unknown, not changed. Lines that OpenSSH ignores are ignored. What
//! follows from the result is decided in `host_key`.

use std::io;
use std::path::{Path, PathBuf};

use convoy_protocol::base64;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::PublicKey;
use sha1::Sha1;

use super::error::Reason;
use super::pattern;
use super::target::DEFAULT_PORT;

/// The length of a SHA-1 digest in bytes.
const SHA1_LENGTH: usize = 20;

/// What OpenSSH's binary lists of revoked keys begin with.
const KEY_REVOCATION_LIST: &[u8] = b"SSHKRL\n\0";

/// A key, and the line that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: PublicKey,
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

/// What the files record for one host.
#[derive(Debug, Default)]
pub(super) struct HostKeys {
    keys: Vec<Entry>,
    /// Keys recorded for the host without its port. They confirm a key, but do not contradict one.
    portless: Vec<Entry>,
    authorities: Vec<Entry>,
    revoked: Vec<Entry>,
}

/// What the files record about one key of the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyStatus<'k> {
    /// The key is recorded.
    Known,
    /// Nothing is recorded for the host.
    Unknown,
    /// Other keys are recorded, such as this one.
    Changed(&'k Entry),
    /// The key is revoked.
    Revoked(&'k Entry),
}

impl HostKeys {
    /// Reads what the files record for a host. Missing files are ignored.
    ///
    /// # Errors
    /// [`Reason::KnownHostsFile`] if a file exists and cannot be read: it could contain a revoked key.
    pub(super) fn lookup(files: &[PathBuf], host: &str, port: u16) -> Result<Self, Reason> {
        let mut known = Self::default();
        for file in files {
            match std::fs::read(file) {
                Ok(text) => known.read(&String::from_utf8_lossy(&text), file, host, port),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let detail = error.to_string();
                    return Err(Reason::KnownHostsFile { doing: "read", file: file.clone(), detail });
                }
            }
        }
        Ok(known)
    }

    fn read(&mut self, text: &str, file: &Path, host: &str, port: u16) {
        let host = host.to_ascii_lowercase();
        let name = host_name(&host, port);
        for (index, line) in text.lines().enumerate() {
            let Some(Line { marker, hosts, key }) = parse(line) else { continue };
            let list = match marker {
                _ if !names(hosts, &name) => {
                    if marker != Marker::None || name == host || !names(hosts, &host) {
                        continue;
                    }
                    &mut self.portless
                }
                Marker::None => &mut self.keys,
                Marker::Authority => &mut self.authorities,
                Marker::Revoked => &mut self.revoked,
            };
            if let Ok(key) = PublicKey::from_openssh(key) {
                list.push(Entry { key, file: file.to_owned(), line: index + 1 });
            }
        }
    }

    /// Adds the keys in a `RevokedHostKeys` file, which has one per line.
    ///
    /// # Errors
    /// [`Reason::KnownHostsFile`] if it cannot be read: no key can be trusted then.
    pub(super) fn with_revoked(mut self, file: Option<&Path>) -> Result<Self, Reason> {
        let Some(file) = file else { return Ok(self) };
        let failed = |detail| Reason::KnownHostsFile {
            doing: "read the revoked keys in",
            file: file.to_owned(),
            detail,
        };
        let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        if text.starts_with(KEY_REVOCATION_LIST) {
            return Err(failed(
                "it is a binary key revocation list; convoy reads text with one public key per line"
                    .to_owned(),
            ));
        }
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = PublicKey::from_openssh(line)
                .map_err(|error| failed(format!("line {} is not a public key: {error}", index + 1)))?;
            self.revoked.push(Entry { key, file: file.to_owned(), line: index + 1 });
        }
        Ok(self)
    }

    /// Returns whether nothing is recorded that could confirm or contradict a key of the host.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.portless.is_empty() && self.authorities.is_empty()
    }

    /// Returns what is recorded about a key that the host presents.
    pub(super) fn status(&self, key: &PublicKey) -> KeyStatus<'_> {
        if let Some(entry) = find(&self.revoked, key) {
            return KeyStatus::Revoked(entry);
        }
        if find(&self.keys, key).is_some() || self.keys.is_empty() && find(&self.portless, key).is_some() {
            return KeyStatus::Known;
        }
        // A recorded key of the same type is the clearest contradiction.
        let same_type = self.keys.iter().find(|entry| entry.key.algorithm() == key.algorithm());
        same_type.or(self.keys.first()).map_or(KeyStatus::Unknown, KeyStatus::Changed)
    }

    /// Returns whether the key may sign certificates of the host.
    pub(super) fn is_authority(&self, key: &PublicKey) -> bool {
        find(&self.authorities, key).is_some()
    }

    /// Returns whether any authority is recorded, so that a certificate could be verified.
    pub(super) fn has_authority(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// Returns the keys that are recorded for the host.
    pub(super) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().chain(&self.portless).map(|entry| &entry.key)
    }

    /// Adds a key that is trusted from now on.
    pub(super) fn add(&mut self, entry: Entry) {
        self.keys.push(entry);
    }
}

fn find<'e>(entries: &'e [Entry], key: &PublicKey) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.key.key_data() == key.key_data())
}

/// Returns the name under which a host is recorded.
pub(super) fn host_name(host: &str, port: u16) -> String {
    if port == DEFAULT_PORT { host.to_owned() } else { format!("[{host}]:{port}") }
}

/// Returns a name as it is recorded if `HashKnownHosts` is set, with a new salt.
pub(super) fn hashed(name: &str) -> String {
    let salt: [u8; SHA1_LENGTH] = rand::random();
    let mut digest = [0; SHA1_LENGTH];
    if let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) {
        mac.update(name.as_bytes());
        digest.copy_from_slice(&mac.finalize().into_bytes());
    }
    format!("|1|{}|{}", base64::encode(&salt), base64::encode(&digest))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    Authority,
    Revoked,
}

struct Line<'l> {
    marker: Marker,
    hosts: &'l str,
    key: &'l str,
}

/// Splits a line; `None` if it is a comment, or a line that OpenSSH ignores.
fn parse(line: &str) -> Option<Line<'_>> {
    let blank = |c| c == ' ' || c == '\t';
    let line = line.trim();
    let (marker, line) = match line.strip_prefix('@') {
        None => (Marker::None, line),
        Some(marked) => {
            let (marker, rest) = marked.split_once(blank)?;
            let marker = match marker {
                "cert-authority" => Marker::Authority,
                "revoked" => Marker::Revoked,
                _ => return None,
            };
            (marker, rest.trim_start())
        }
    };
    let (hosts, key) = line.split_once(blank)?;
    (!hosts.starts_with('#')).then(|| Line { marker, hosts, key: key.trim_start() })
}

/// Returns whether the host field of a line matches a name in lowercase.
fn names(field: &str, name: &str) -> bool {
    match field.strip_prefix("|1|") {
        Some(hashed) => is_hash_of(hashed, name).unwrap_or(false),
        None => pattern::is_in_list(field.to_ascii_lowercase().split(','), name),
    }
}

fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, digest) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&base64::decode(salt)?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&base64::decode(digest)?).is_ok())
}

#[cfg(test)]
mod tests;
