//! Collects the keys to log in with, in the order in which they are tried.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, PrivateKey, PublicKey, load_openssh_certificate};
use tokio::net::UnixStream;

use super::certificate::validity_problem;
use super::keys::{CERTIFICATE_SUFFIX, KeyFile, KeyStore, PrivatePart, with_suffix};
use super::target::Target;
use crate::paths::{home, tilde};

/// The identity files that are tried if none is configured.
const DEFAULT_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// A connection to the user's ssh-agent.
pub(super) type Agent = AgentClient<UnixStream>;

/// A certificate and the file that it was read from.
pub(super) type CertificateFile = (PathBuf, Box<Certificate>);

/// One key to try.
pub(super) enum Candidate {
    /// A key that the agent holds.
    Agent(Box<AgentIdentity>),
    /// A key that the agent holds, with a certificate from a file.
    AgentWithCertificate(CertificateFile),
    /// A key from a file.
    File { path: PathBuf, key: Arc<PrivateKey> },
    /// A key from a file, with its certificate.
    FileWithCertificate { key: Arc<PrivateKey>, certificate: CertificateFile },
    /// An encrypted key, with its public part and its certificate where known.
    Locked { path: PathBuf, public: Option<Box<PublicKey>>, certificate: Option<CertificateFile> },
}

/// The keys to try.
#[derive(Default)]
pub(super) struct Identities {
    pub(super) candidates: Vec<Candidate>,
    /// Why other keys are not among them.
    pub(super) notes: Vec<String>,
    pub(super) agent: Option<Agent>,
}

/// The keys and certificates in files.
#[derive(Default)]
struct FileKeys {
    files: Vec<KeyFile>,
    certificates: Vec<CertificateFile>,
    notes: Vec<String>,
}

/// Collects the keys of the agent and of files.
///
/// The keys that the user has configured come first, wherever they are held, because servers limit the number of
/// attempts; then the other keys of the agent, unless `identities_only` is set. If none is configured, the keys of the
/// agent come first, then the default files.
pub(super) async fn collect(target: &Target, keys: &KeyStore, agent: Option<Agent>) -> Identities {
    let mut identities = Identities { agent, ..Identities::default() };
    let held = match &mut identities.agent {
        Some(agent) => agent.request_identities().await.unwrap_or_else(|error| {
            identities.notes.push(format!("cannot list the keys of the ssh-agent: {error}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    // These are a few small files, read once per connection: not worth a thread of their own.
    let file_keys = FileKeys::read(target, keys);
    identities.notes.extend(file_keys.notes.iter().cloned());
    if target.identity_files.is_empty() {
        if !target.identities_only {
            identities.add_agent_keys(held.iter(), &file_keys);
        }
        identities.add_file_keys(&file_keys, &held);
        return identities;
    }
    let is_configured = |identity: &&AgentIdentity| {
        let key = identity.public_key();
        let public =
            |file: &KeyFile| file.public.as_ref().is_some_and(|public| public.key_data() == key.key_data());
        file_keys.files.iter().any(public)
    };
    let (configured, others): (Vec<_>, Vec<_>) = held.iter().partition(is_configured);
    identities.add_agent_keys(configured.into_iter(), &file_keys);
    identities.add_file_keys(&file_keys, &held);
    if !target.identities_only {
        identities.add_agent_keys(others.into_iter(), &file_keys);
    }
    identities
}

impl Identities {
    fn add_agent_keys<'a>(&mut self, held: impl Iterator<Item = &'a AgentIdentity>, file_keys: &FileKeys) {
        for identity in held {
            if let AgentIdentity::PublicKey { key, .. } = identity {
                let certificates = file_keys.certificates_of(key);
                self.candidates.extend(certificates.map(Candidate::AgentWithCertificate));
            }
            self.candidates.push(Candidate::Agent(Box::new(identity.clone())));
        }
    }

    /// Adds the keys of files, except those that the agent holds.
    fn add_file_keys(&mut self, file_keys: &FileKeys, held: &[AgentIdentity]) {
        for file in &file_keys.files {
            let in_agent =
                |public: &PublicKey| held.iter().any(|id| id.public_key().key_data() == public.key_data());
            if file.public.as_ref().is_some_and(in_agent) {
                continue;
            }
            let certificate =
                file.public.as_ref().and_then(|public| file_keys.certificates_of(public).next());
            let path = file.path.clone();
            match &file.private {
                PrivatePart::Usable(key) => {
                    let with_certificate = certificate
                        .map(|certificate| Candidate::FileWithCertificate { key: key.clone(), certificate });
                    self.candidates.extend(with_certificate);
                    self.candidates.push(Candidate::File { path, key: key.clone() });
                }
                PrivatePart::Locked => {
                    let public = file.public.clone().map(Box::new);
                    self.candidates.push(Candidate::Locked { path, public, certificate });
                }
                PrivatePart::Unusable(problem) => self.notes.push(format!("{} {problem}", tilde(&path))),
            }
        }
    }
}

impl FileKeys {
    /// Reads the configured identity files, or the default files that exist, and all certificates.
    fn read(target: &Target, keys: &KeyStore) -> Self {
        let mut found = Self::default();
        let read = |path: &Path| keys.read(path, target.passphrase.as_deref());
        found.files = if target.identity_files.is_empty() {
            let folder = home().map(|home| home.join(".ssh")).unwrap_or_default();
            let paths = DEFAULT_FILES.iter().map(|name| folder.join(name)).filter(|path| path.exists());
            paths.map(|path| read(&path)).collect()
        } else {
            target.identity_files.iter().map(|path| read(path)).collect()
        };
        for path in &target.certificate_files {
            match load_openssh_certificate(path) {
                Ok(certificate) => found.certificates.push((path.clone(), Box::new(certificate))),
                Err(error) => found.notes.push(format!("{} is not a certificate: {error}", tilde(path))),
            }
        }
        for file in &mut found.files {
            if let Some(certificate) = file.certificate.take() {
                found.certificates.push((with_suffix(&file.path, CERTIFICATE_SUFFIX), certificate));
            }
        }
        found.notes.extend(found.certificates.iter().filter_map(|(path, certificate)| {
            validity_problem(certificate).map(|problem| format!("the certificate {} {problem}", tilde(path)))
        }));
        found
    }

    /// Returns the certificates of a key.
    fn certificates_of(&self, public: &PublicKey) -> impl Iterator<Item = CertificateFile> {
        let of = |(_, certificate): &&CertificateFile| certificate.public_key() == public.key_data();
        self.certificates.iter().filter(of).cloned()
    }
}
