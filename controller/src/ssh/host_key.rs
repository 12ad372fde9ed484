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
            peer: Peer { address: target.address.clone(), port: target.port },
            name: name.to_owned(),
            recorded_port,
            checking: target.host_key_checking,
            file: target.known_hosts_files().into_iter().next(),
            known,
            heard,
        }
    }

    fn recorded_name(&self) -> String {
        known_hosts::host_name(&self.name, self.recorded_port)
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
        let principals = certificate.valid_principals();
        let problem = if certificate.cert_type() != CertType::Host {
            "is not a host's"
        } else if !principals.is_empty()
            && !principals.iter().any(|name| name.eq_ignore_ascii_case(&self.name))
        {
            "is for other names"
        } else if !certificate.critical_options().is_empty() {
            "has options that are not understood"
        } else if certificate.validate([&authority.fingerprint(HashAlg::Sha256)]).is_err() {
            "has expired, is not yet valid, or is forged"
        } else {
            return Ok(());
        };
        Err(Reason::HostCertificate { new: self.shown(&key), problem })
    }

    fn learn(&mut self, key: &PublicKey) -> Result<(), Reason> {
        let Some(file) = self.file.clone() else {
            return Err(Reason::UnknownHostKey { new: self.shown(key) });
        };
        let detail = |error: std::io::Error| error.to_string();
        append(&file, &self.shown(key).line).map_err(|error| Reason::KnownHostsFile {
            doing: "add to",
            file: file.clone(),
            detail: detail(error),
        })?;
        self.known.add(Entry { key: key.clone(), file, line: 0 });
        Ok(())
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
