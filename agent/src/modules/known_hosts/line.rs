//! One line of a file of known hosts.

use convoy_protocol::base64;
use sha1::{Digest as _, Sha1};

/// How many bytes SHA-1 takes at a time.
const BLOCK: usize = 64;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// `@cert-authority` or `@revoked`.
    pub(super) marker: Option<&'t str>,
    hosts: &'t str,
    /// The type of the key.
    pub(super) kind: &'t str,
    key: &'t str,
}

impl<'t> Line<'t> {
    /// Reads a line; `None` if it is empty, a comment or something else.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let text = text.trim();
        let mut words = text.split_whitespace();
        let first = words.next().filter(|word| !word.starts_with('#'))?;
        let marker = first.starts_with('@').then_some(first);
        let hosts = if marker.is_some() { words.next()? } else { first };
        Some(Self { marker, hosts, kind: words.next()?, key: words.next()? })
    }

    /// Returns whether it says the same. Two hashes of a name, each with its own salt, are the same name.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let are_hashes = [self, other].iter().all(|line| line.hosts.starts_with("|1|"));
        (are_hashes || self.hosts == other.hosts)
            && (self.marker, self.kind, self.key) == (other.marker, other.kind, other.key)
    }

    /// Returns whether it is about a host: by name, by pattern, or by the hash of the name.
    pub(super) fn is_of(&self, host: &str) -> bool {
        if let Some(rest) = self.hosts.strip_prefix("|1|") {
            let salt = rest.split_once('|').and_then(|(salt, _)| base64::decode(salt));
            return salt.is_some_and(|salt| hashed(host, &salt) == self.hosts);
        }
        let mut is_of = false;
        for pattern in self.hosts.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern.as_bytes(), host.as_bytes()) => return false,
                Some(_) => {}
                None => is_of |= matches(pattern.as_bytes(), host.as_bytes()),
            }
        }
        is_of
    }
}

/// Returns whether a name is as a pattern with `*` and `?` has it, in upper or lower case.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if matches(rest, name) => true,
        (Some((b'*', _)), Some((_, name))) => matches(pattern, name),
        (Some((b'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((sign, rest)), Some((other, name))) => sign.eq_ignore_ascii_case(other) && matches(rest, name),
        _ => false,
    }
}

/// Returns the hash of a name, as OpenSSH writes it: HMAC-SHA1 with the salt as its key.
pub(super) fn hashed(host: &str, salt: &[u8]) -> String {
    let mut key = [0; BLOCK];
    if salt.len() > BLOCK {
        key[..20].copy_from_slice(&Sha1::digest(salt));
    } else {
        key[..salt.len()].copy_from_slice(salt);
    }
    let padded = |with: u8| key.map(|byte| byte ^ with);
    let inner = Sha1::new().chain_update(padded(0x36)).chain_update(host).finalize();
    let outer = Sha1::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    format!("|1|{}|{}", base64::encode(salt), base64::encode(&outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_patterns_and_hashes() {
        // Made by `ssh-keygen -H`.
        let hash = "|1|XsZuykORA4s3CvMRPs92jR1T1pI=|";
        for (hosts, host, expected) in [
            ("a.example", "a.example", true),
            ("A.example,10.0.0.1", "10.0.0.1", true),
            ("*.example,!b.example", "a.example", true),
            ("*.example,!b.example", "b.example", false),
            ("a?example", "a.example", true),
            ("[a]:22*", "[a]:2222", true),
            (hash, "a", false),
        ] {
            let text = format!("{hosts} ssh-ed25519 AAAA comment");
            assert_eq!(Line::parse(&text).map(|line| line.is_of(host)), Some(expected), "{hosts}");
        }
        let own = hashed("a.example", b"0123456789");
        let text = format!("{own} ssh-ed25519 AAAA");
        assert!(Line::parse(&text).is_some_and(|line| line.is_of("a.example") && !line.is_of("b.example")));
        assert_eq!(Line::parse("# comment a b"), None);
        assert_eq!(Line::parse("host ssh-rsa"), None);
    }
}
