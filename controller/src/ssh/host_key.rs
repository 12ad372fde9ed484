//! Checks the host key that a server presents, before any login.
//!
//! The key must be in a known_hosts file, or be signed by an authority that is there. What else happens depends on the
//! target's `HostKeyChecking`. A revoked key is always refused, unless checking is off. `known_hosts` reads the files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use russh::client::{DisconnectReason, Handler};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Error};

use super::certificate::validity_problem;
use super::error::{NewHostKey, Peer, Reason};
use super::known_hosts::{self, Entry, HostKeys, KeyStatus};
use super::pattern;
use super::target::{HostKeyChecking, Target};
use crate::sync::lock;

/// The message of the server's disconnect, once it has sent one.
#[derive(Clone, Default)]
pub(super) struct DisconnectMessage(Arc<Mutex<Option<String>>>);

impl DisconnectMessage {
    /// Returns the message, if the server has sent one.
    pub(super) fn get(&self) -> Option<String> {
        lock(&self.0).clone()
    }
}

/// Why the handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The protocol failed.
    Ssh(Error),
    /// The host key is not accepted.
    HostKey(Box<Reason>),
}

impl From<Error> for HandshakeError {
    fn from(error: Error) -> Self {
        Self::Ssh(error)
    }
}

impl HandshakeError {
    /// Returns the reason for the user, given the first and the last thing that the server sent.
    pub(super) fn into_reason(self, peer: Peer, greeting: &str, goodbye: Option<String>) -> Reason {
        let error = match self {
            Self::HostKey(reason) => return *reason,
            Self::Ssh(error) => error,
        };
        let is_ssh = greeting.starts_with("SSH-");
        match error {
            _ if !is_ssh && !greeting.is_empty() => Reason::NotSsh { peer, received: greeting.to_owned() },
            Error::Disconnect | Error::HUP | Error::IO(_) => {
                let during = if is_ssh { "during the key exchange" } else { "before it sent anything" };
                Reason::Closed { peer, during, goodbye }
            }
            Error::NoCommonAlgo { kind, theirs, .. } => {
                Reason::NoCommonAlgorithm { peer, kind: kind_name(&kind), theirs: theirs.join(",") }
            }
            other => Reason::Protocol { doing: "key exchange", detail: format!("{peer}: {other}") },
        }
    }
}

fn kind_name(kind: &AlgorithmKind) -> &'static str {
    match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "host key type",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "MAC",
    }
}

/// Checks the key that a server presents against what known_hosts has.
pub(super) struct HostKeyChecker {
    /// The host's name in the inventory, for messages.
    host: String,
    peer: Peer,
    /// The name and port under which known_hosts records the host.
    name: String,
    port: u16,
    checking: HostKeyChecking,
    /// Whether new entries are hashed.
    hashed: bool,
    /// The file that new entries are added to.
    file: Option<PathBuf>,
    known: HostKeys,
    disconnect: DisconnectMessage,
}

impl HostKeyChecker {
    /// Returns a checker for a target whose host has these known keys.
    pub(super) fn new(target: &Target, known: HostKeys, disconnect: DisconnectMessage) -> Self {
        let (name, port) = target.known_hosts_name();
        Self {
            host: target.host.clone(),
            peer: target.peer(),
            name: name.to_owned(),
            port,
            checking: target.host_key_checking,
            hashed: target.hash_known_hosts,
            file: target.known_hosts_files().into_iter().next(),
            known,
            disconnect,
        }
    }

    fn recorded_name(&self) -> String {
        known_hosts::host_name(&self.name.to_ascii_lowercase(), self.port)
    }

    /// Returns a key that the server presented, with what the user needs to check and add it.
    fn presented(&self, key: &PublicKey) -> Box<NewHostKey> {
        let mut bare = key.clone();
        bare.set_comment("");
        Box::new(NewHostKey {
            host: self.host.clone(),
            peer: self.peer.clone(),
            algorithm: key.algorithm().to_string(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            line: format!("{} {}", self.recorded_name(), bare.to_openssh().unwrap_or_default()),
            hashed: self.hashed,
            file: self.file.clone(),
        })
    }

    fn check_key(&mut self, key: &PublicKey) -> Result<(), Reason> {
        match self.known.status(key) {
            KeyStatus::Known => Ok(()),
            KeyStatus::Revoked(Entry { file, line, .. }) => {
                Err(Reason::RevokedHostKey { new: self.presented(key), file: file.clone(), line: *line })
            }
            KeyStatus::Changed(Entry { key: old, file, line }) => Err(Reason::ChangedHostKey {
                new: self.presented(key),
                old: format!("{} {}", old.algorithm(), old.fingerprint(HashAlg::Sha256)),
                name: self.recorded_name(),
                file: file.clone(),
                line: *line,
            }),
            KeyStatus::Unknown if self.checking == HostKeyChecking::AcceptNew => self.learn(key),
            KeyStatus::Unknown => Err(Reason::UnknownHostKey { new: self.presented(key) }),
        }
    }

    /// Checks a certificate. If no trusted authority has signed it, only the key in it counts.
    fn check_certificate(&mut self, certificate: &Certificate) -> Result<(), Reason> {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        for suspect in [&key, &authority] {
            if let KeyStatus::Revoked(Entry { file, line, .. }) = self.known.status(suspect) {
                return Err(Reason::RevokedHostKey {
                    new: self.presented(suspect),
                    file: file.clone(),
                    line: *line,
                });
            }
        }
        if !self.known.is_authority(&authority) {
            return self.check_key(&key);
        }
        let Some(problem) = self.problem(certificate) else { return Ok(()) };
        // The key in the certificate may be known without it.
        if self.known.status(&key) == KeyStatus::Known {
            return Ok(());
        }
        Err(Reason::HostCertificate { new: self.presented(&key), problem })
    }

    /// Returns what is wrong with a certificate that names a trusted authority; `None` if it is valid for the host.
    fn problem(&self, certificate: &Certificate) -> Option<&'static str> {
        let principals = certificate.valid_principals();
        let name = self.name.to_ascii_lowercase();
        if certificate.cert_type() != CertType::Host {
            Some("is not a host certificate")
        } else if !principals.is_empty()
            && !principals.iter().any(|principal| pattern::matches(&principal.to_ascii_lowercase(), &name))
        {
            Some("is for other host names")
        } else if let Some(problem) = validity_problem(certificate) {
            Some(problem)
        } else if !certificate.critical_options().is_empty() {
            Some("has unsupported critical options")
        } else if certificate.verify_signature().is_err() {
            Some("has an invalid signature")
        } else {
            None
        }
    }

    /// Adds an unknown key to the known_hosts file.
    fn learn(&mut self, key: &PublicKey) -> Result<(), Reason> {
        let new = self.presented(key);
        let Some(file) = new.file.clone() else { return Err(Reason::UnknownHostKey { new }) };
        new.record()?;
        self.known.add(Entry { key: key.clone(), file, line: 0 });
        Ok(())
    }
}

impl NewHostKey {
    /// Adds the key to the known_hosts file, as OpenSSH writes it.
    ///
    /// # Errors
    /// [`Reason::KnownHostsFile`] if the file cannot be written.
    pub fn record(&self) -> Result<(), Reason> {
        let Some(file) = self.file.clone() else { return Ok(()) };
        let line = match self.line.split_once(' ') {
            Some((name, key)) if self.hashed => format!("{} {key}", known_hosts::hashed(name)),
            _ => self.line.clone(),
        };
        append(&file, &line).map_err(|error| Reason::KnownHostsFile {
            doing: "add to",
            file,
            detail: error.to_string(),
        })
    }
}

/// Appends a line in one write, so that lines of simultaneous connections do not mix.
fn append(file: &Path, line: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let unfinished = std::fs::read(file).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'));
    let text = format!("{}{line}\n", if unfinished { "\n" } else { "" });
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

impl Handler for HostKeyChecker {
    type Error = HandshakeError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, HandshakeError> {
        let outcome = match presented {
            _ if self.checking == HostKeyChecking::Off => Ok(()),
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.check_certificate(certificate),
        };
        outcome.map(|()| true).map_err(|reason| HandshakeError::HostKey(Box::new(reason)))
    }

    async fn disconnected(&mut self, reason: DisconnectReason<HandshakeError>) -> Result<(), HandshakeError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                *lock(&self.disconnect.0) = Some(info.message);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}
