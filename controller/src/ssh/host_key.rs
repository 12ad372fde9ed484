//! The host key check, which comes before any login.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{DisconnectReason, Handler};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Error};

use super::error::{NewHostKey, Peer, Reason};
use super::known_hosts::{self, Entry, Known, Verdict};
use super::pattern;
use super::target::{HostKeyChecking, Target};

/// What the server said when it hung up.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Option<String>>>);

impl Heard {
    /// Returns the server's last words.
    pub(super) fn goodbye(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why the handshake ended.
#[derive(Debug)]
pub(super) enum Halt {
    Ssh(Error),
    HostKey(Box<Reason>),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Ssh(error)
    }
}

impl Halt {
    /// Puts it into the user's words, given what the server said first and last.
    pub(super) fn into_reason(self, peer: Peer, greeting: &str, goodbye: Option<String>) -> Reason {
        let error = match self {
            Self::HostKey(reason) => return *reason,
            Self::Ssh(error) => error,
        };
        let is_ssh = greeting.starts_with("SSH-");
        match error {
            _ if !is_ssh && !greeting.is_empty() => Reason::NotSsh { peer, received: greeting.to_owned() },
            Error::Disconnect | Error::HUP | Error::IO(_) => {
                let during = if is_ssh { "during the key exchange" } else { "before it said anything" };
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

/// Decides whether the server is the one that we know.
pub(super) struct Checker {
    host: String,
    peer: Peer,
    name: String,
    recorded_port: u16,
    checking: HostKeyChecking,
    hashed: bool,
    file: Option<PathBuf>,
    known: Known,
    heard: Heard,
}

impl Checker {
    /// Takes the known keys of the target's host.
    pub(super) fn new(target: &Target, known: Known, heard: Heard) -> Self {
        let (name, recorded_port) = target.recorded_as();
        Self {
            host: target.host.clone(),
            peer: target.peer(),
            name: name.to_owned(),
            recorded_port,
            checking: target.host_key_checking,
            hashed: target.hash_known_hosts,
            file: target.known_hosts_files().into_iter().next(),
            known,
            heard,
        }
    }

    fn recorded_name(&self) -> String {
        known_hosts::host_name(&self.name.to_ascii_lowercase(), self.recorded_port)
    }

    fn shown(&self, key: &PublicKey) -> Box<NewHostKey> {
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
        match self.known.verdict(key) {
            Verdict::Known => Ok(()),
            Verdict::Revoked(Entry { file, line, .. }) => {
                Err(Reason::RevokedHostKey { new: self.shown(key), file: file.clone(), line: *line })
            }
            Verdict::Changed(Entry { key: old, file, line }) => Err(Reason::ChangedHostKey {
                new: self.shown(key),
                old: format!("{} {}", old.algorithm(), old.fingerprint(HashAlg::Sha256)),
                name: self.recorded_name(),
                file: file.clone(),
                line: *line,
            }),
            Verdict::Unknown if self.checking == HostKeyChecking::AcceptNew => self.learn(key),
            Verdict::Unknown => Err(Reason::UnknownHostKey { new: self.shown(key) }),
        }
    }

    /// A certificate of no authority of ours counts for no more than the key in it.
    fn check_certificate(&mut self, certificate: &Certificate) -> Result<(), Reason> {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        for suspect in [&key, &authority] {
            if let Verdict::Revoked(Entry { file, line, .. }) = self.known.verdict(suspect) {
                return Err(Reason::RevokedHostKey {
                    new: self.shown(suspect),
                    file: file.clone(),
                    line: *line,
                });
            }
        }
        if !self.known.is_authority(&authority) {
            return self.check_key(&key);
        }
        let Some(problem) = self.problem(certificate) else { return Ok(()) };
        // The key in it may be known by itself.
        if self.known.verdict(&key) == Verdict::Known {
            return Ok(());
        }
        Err(Reason::HostCertificate { new: self.shown(&key), problem })
    }

    /// Returns why a certificate of an authority of ours does not vouch for the host.
    fn problem(&self, certificate: &Certificate) -> Option<&'static str> {
        let principals = certificate.valid_principals();
        let name = self.name.to_ascii_lowercase();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        if certificate.cert_type() != CertType::Host {
            Some("is not a host's")
        } else if !principals.is_empty()
            && !principals.iter().any(|principal| pattern::matches(&principal.to_ascii_lowercase(), &name))
        {
            Some("is for other names")
        } else if certificate.valid_before() <= now {
            Some("has expired")
        } else if certificate.valid_after() > now {
            Some("is not valid yet")
        } else if !certificate.critical_options().is_empty() {
            Some("has options that are not understood")
        } else if certificate.verify_signature().is_err() {
            Some("is not signed by it")
        } else {
            None
        }
    }

    fn learn(&mut self, key: &PublicKey) -> Result<(), Reason> {
        let new = self.shown(key);
        let Some(file) = new.file.clone() else { return Err(Reason::UnknownHostKey { new }) };
        new.record()?;
        self.known.add(Entry { key: key.clone(), file, line: 0 });
        Ok(())
    }
}

impl NewHostKey {
    /// Makes the key known: adds its line to the file, as OpenSSH writes it.
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

/// Adds one line in one write, so that connections to many hosts at once do not mix theirs.
fn append(file: &Path, line: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let unfinished = std::fs::read(file).is_ok_and(|text| text.last().is_some_and(|last| *last != b'\n'));
    let text = format!("{}{line}\n", if unfinished { "\n" } else { "" });
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

impl Handler for Checker {
    type Error = Halt;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Halt> {
        let outcome = match shown {
            _ if self.checking == HostKeyChecking::Off => Ok(()),
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.check_certificate(certificate),
        };
        outcome.map(|()| true).map_err(|reason| Halt::HostKey(Box::new(reason)))
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Halt>) -> Result<(), Halt> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.message);
                Ok(())
            }
            DisconnectReason::Error(halt) => Err(halt),
        }
    }
}
