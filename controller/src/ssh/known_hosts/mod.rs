//! Reads known_hosts files as OpenSSH does: plain, hashed, patterns, ports, authorities, revoked keys.

use std::io;
use std::path::{Path, PathBuf};

use convoy_protocol::base64;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::PublicKey;
use sha1::Sha1;

use super::error::Reason;
use super::pattern;
use super::target::DEFAULT_PORT;

const SHA1_LENGTH: usize = 20;

/// How OpenSSH's binary lists of revoked keys begin.
const KEY_REVOCATION_LIST: &[u8] = b"SSHKRL\n\0";

/// A key and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: PublicKey,
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

/// What the files say about one host.
#[derive(Debug, Default)]
pub(super) struct Known {
    keys: Vec<Entry>,
    /// Keys recorded for the host without its port: they vouch, but do not contradict.
    portless: Vec<Entry>,
    authorities: Vec<Entry>,
    revoked: Vec<Entry>,
}

/// What the files say about one key of the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'k> {
    /// The key is recorded.
    Known,
    /// Nothing is recorded for the host.
    Unknown,
    /// Another key is recorded, for instance this one.
    Changed(&'k Entry),
    /// The key must not be used.
    Revoked(&'k Entry),
}

impl Known {
    /// Reads what the files, of which some may be missing, say about a host.
    ///
    /// # Errors
    /// [`Reason::KnownHostsFile`] if a file is there and cannot be read: a revoked key could be in it.
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

    /// Adds the keys of `RevokedHostKeys`, one a line.
    ///
    /// # Errors
    /// [`Reason::KnownHostsFile`] if it cannot be read: then no key can be trusted.
    pub(super) fn without_revoked(mut self, file: Option<&Path>) -> Result<Self, Reason> {
        let Some(file) = file else { return Ok(self) };
        let failed = |detail| Reason::KnownHostsFile {
            doing: "read the revoked keys of",
            file: file.to_owned(),
            detail,
        };
        let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        if text.starts_with(KEY_REVOCATION_LIST) {
            return Err(failed(
                "it is a key revocation list; write it as text, a public key on each line".to_owned(),
            ));
        }
        for (index, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = PublicKey::from_openssh(line)
                .map_err(|error| failed(format!("line {} is no public key: {error}", index + 1)))?;
            self.revoked.push(Entry { key, file: file.to_owned(), line: index + 1 });
        }
        Ok(self)
    }

    /// Returns whether anything is recorded that could vouch for the host, or contradict it.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.portless.is_empty() && self.authorities.is_empty()
    }

    /// Judges a key that the host shows.
    pub(super) fn verdict(&self, key: &PublicKey) -> Verdict<'_> {
        if let Some(entry) = find(&self.revoked, key) {
            return Verdict::Revoked(entry);
        }
        if find(&self.keys, key).is_some() || self.keys.is_empty() && find(&self.portless, key).is_some() {
            return Verdict::Known;
        }
        // The most telling contradiction is a key of the same type.
        let same_type = self.keys.iter().find(|entry| entry.key.algorithm() == key.algorithm());
        same_type.or(self.keys.first()).map_or(Verdict::Unknown, Verdict::Changed)
    }

    /// Returns whether the key may sign this host's certificates.
    pub(super) fn is_authority(&self, key: &PublicKey) -> bool {
        find(&self.authorities, key).is_some()
    }

    /// Returns whether a certificate could be verified at all.
    pub(super) fn has_authority(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// Returns the keys that may vouch for the host.
    pub(super) fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().chain(&self.portless).map(|entry| &entry.key)
    }

    /// Takes a key as known from now on.
    pub(super) fn add(&mut self, entry: Entry) {
        self.keys.push(entry);
    }
}

fn find<'e>(entries: &'e [Entry], key: &PublicKey) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.key.key_data() == key.key_data())
}

/// Returns the name that a host is recorded under.
pub(super) fn host_name(host: &str, port: u16) -> String {
    if port == DEFAULT_PORT { host.to_owned() } else { format!("[{host}]:{port}") }
}

/// Returns a name as it is recorded where `HashKnownHosts` is set, with a new salt.
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

/// Splits a line; `None` for comments and for what OpenSSH ignores, too.
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

/// Whether the host field of a line is about the (lowercase) name.
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
