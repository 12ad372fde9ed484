//! The keys to log in with, in the order in which to try them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, PrivateKey, PublicKey, load_openssh_certificate};
use tokio::net::UnixStream;

use super::keys::{KeyFile, Keys, Secret, out_of_time};
use super::target::Target;
use crate::paths::{home, tilde};

/// The identity files that are tried if none is given.
const DEFAULT_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// A connection to the user's ssh-agent.
pub(super) type Agent = AgentClient<UnixStream>;

/// A certificate and the file it came from.
pub(super) type Certified = (PathBuf, Box<Certificate>);

/// One key to try.
pub(super) enum Candidate {
    /// A key that the agent holds.
    Agent(Box<AgentIdentity>),
    /// A key that the agent holds, with a certificate that we have.
    AgentWithCertificate(Certified),
    /// A key read from a file.
    File { path: PathBuf, key: Arc<PrivateKey> },
    /// A key read from a file, with its certificate.
    FileWithCertificate { key: Arc<PrivateKey>, certificate: Certified },
    /// An encrypted key, whose public part may be known, and its certificate.
    Locked { path: PathBuf, public: Option<Box<PublicKey>>, certificate: Option<Certified> },
}

/// The keys to try, and why others are not among them.
#[derive(Default)]
pub(super) struct Identities {
    pub(super) candidates: Vec<Candidate>,
    pub(super) notes: Vec<String>,
    pub(super) agent: Option<Agent>,
}

/// What was found on the disk.
#[derive(Default)]
struct Found {
    files: Vec<KeyFile>,
    certificates: Vec<Certified>,
    notes: Vec<String>,
}

/// Gathers the keys of the agent and of files.
///
/// Keys named by the user come first, wherever they are held, since servers count the attempts; then what else the
/// agent has, unless `identities_only`. Without named keys: the agent's, then the default files.
pub(super) async fn gather(target: &Target, keys: &Keys, agent: Option<Agent>) -> Identities {
    let mut identities = Identities { agent, ..Identities::default() };
    let held = match &mut identities.agent {
        Some(agent) => agent.request_identities().await.unwrap_or_else(|error| {
            identities.notes.push(format!("the ssh-agent does not list its keys: {error}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    // A few small files, read once a connection: not worth a thread of their own.
    let found = Found::read(target, keys);
    identities.notes.extend(found.notes.iter().cloned());
    if target.identity_files.is_empty() {
        if !target.identities_only {
            identities.take_held(held.iter(), &found);
        }
        identities.take_files(&found, &held);
        return identities;
    }
    let is_named = |identity: &&AgentIdentity| {
        let key = identity.public_key();
        let public =
            |file: &KeyFile| file.public.as_ref().is_some_and(|public| public.key_data() == key.key_data());
        found.files.iter().any(public)
    };
    let (named, others): (Vec<_>, Vec<_>) = held.iter().partition(is_named);
    identities.take_held(named.into_iter(), &found);
    identities.take_files(&found, &held);
    if !target.identities_only {
        identities.take_held(others.into_iter(), &found);
    }
    identities
}

impl Identities {
    fn take_held<'a>(&mut self, held: impl Iterator<Item = &'a AgentIdentity>, found: &Found) {
        for identity in held {
            if let AgentIdentity::PublicKey { key, .. } = identity {
                let certified = found.certified(key).map(Candidate::AgentWithCertificate);
                self.candidates.extend(certified);
            }
            self.candidates.push(Candidate::Agent(Box::new(identity.clone())));
        }
    }

    /// Takes the files' keys that the agent does not hold anyway.
    fn take_files(&mut self, found: &Found, held: &[AgentIdentity]) {
        for file in &found.files {
            let in_agent =
                |public: &PublicKey| held.iter().any(|id| id.public_key().key_data() == public.key_data());
            if file.public.as_ref().is_some_and(in_agent) {
                continue;
            }
            let certificate = file.public.as_ref().and_then(|public| found.certified(public).next());
            let path = file.path.clone();
            match &file.secret {
                Secret::Open(key) => {
                    let certified = certificate
                        .map(|certificate| Candidate::FileWithCertificate { key: key.clone(), certificate });
                    self.candidates.extend(certified);
                    self.candidates.push(Candidate::File { path, key: key.clone() });
                }
                Secret::Locked => {
                    let public = file.public.clone().map(Box::new);
                    self.candidates.push(Candidate::Locked { path, public, certificate });
                }
                Secret::Unusable(problem) => self.notes.push(format!("{} {problem}", tilde(&path))),
            }
        }
    }
}

impl Found {
    /// Reads the named files, or those of the default files that are there, and all certificates.
    fn read(target: &Target, keys: &Keys) -> Self {
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
                Err(error) => found.notes.push(format!("{} is no certificate: {error}", tilde(path))),
            }
        }
        for file in &mut found.files {
            if let Some(certificate) = file.certificate.take() {
                let mut name = file.path.as_os_str().to_owned();
                name.push("-cert.pub");
                found.certificates.push((name.into(), certificate));
            }
        }
        found.notes.extend(
            found.certificates.iter().filter_map(|(path, certificate)| out_of_time(path, certificate)),
        );
        found
    }

    /// Returns the certificates of a key.
    fn certified(&self, public: &PublicKey) -> impl Iterator<Item = Certified> {
        let of = |(_, certificate): &&Certified| certificate.public_key() == public.key_data();
        self.certificates.iter().filter(of).cloned()
    }
}
