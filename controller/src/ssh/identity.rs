//! The keys to log in with, in the order in which to try them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{
    Certificate, Error, PrivateKey, PublicKey, load_openssh_certificate, load_public_key, load_secret_key,
};
use tokio::net::UnixStream;

use super::target::{Target, tilde};

/// The identity files that are tried if none is given.
const DEFAULT_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// A connection to the user's ssh-agent.
pub(super) type Agent = AgentClient<UnixStream>;

/// One key to try.
pub(super) enum Candidate {
    /// A key that the agent holds.
    Agent(Box<AgentIdentity>),
    /// A key read from a file, and its certificate if there is one beside it.
    File { path: PathBuf, key: Arc<PrivateKey>, certificate: Option<Box<Certificate>> },
}

/// The keys to try, and why others are not among them.
#[derive(Default)]
pub(super) struct Identities {
    pub(super) candidates: Vec<Candidate>,
    pub(super) notes: Vec<String>,
    pub(super) agent: Option<Agent>,
}

/// Gathers the keys of the agent and of files.
///
/// Keys named by the user come first, wherever they are held, since servers count the attempts; then what else the
/// agent has, unless `identities_only`. Without named keys: the agent's, then the default files.
pub(super) async fn gather(target: &Target, agent: Option<Agent>) -> Identities {
    let mut found = Identities { agent, ..Identities::default() };
    let held = match &mut found.agent {
        Some(agent) => agent.request_identities().await.unwrap_or_else(|error| {
            found.notes.push(format!("the ssh-agent does not list its keys: {error}"));
            Vec::new()
        }),
        None => Vec::new(),
    };
    let (passphrase, named) = (target.passphrase.clone(), target.identity_files.clone());
    let load = move || load_files(&named, passphrase.as_deref());
    let Ok(files) = tokio::task::spawn_blocking(load).await else { return found };
    if target.identity_files.is_empty() {
        found.candidates.extend(held.iter().cloned().map(Box::new).map(Candidate::Agent));
        found.take_files(files, &held);
        return found;
    }
    let is_named = |identity: &&AgentIdentity| {
        let key = identity.public_key();
        files
            .iter()
            .any(|file| file.public.as_ref().is_some_and(|public| public.key_data() == key.key_data()))
    };
    let (named, others): (Vec<_>, Vec<_>) = held.iter().partition(is_named);
    found.candidates.extend(named.into_iter().cloned().map(Box::new).map(Candidate::Agent));
    found.take_files(files, &held);
    if !target.identities_only {
        found.candidates.extend(others.into_iter().cloned().map(Box::new).map(Candidate::Agent));
    }
    found
}

impl Identities {
    /// Takes the files' keys that the agent does not hold anyway.
    fn take_files(&mut self, files: Vec<File>, held: &[AgentIdentity]) {
        for file in files {
            let in_agent =
                |public: &PublicKey| held.iter().any(|id| id.public_key().key_data() == public.key_data());
            if file.public.as_ref().is_some_and(in_agent) {
                continue;
            }
            match file.key {
                Ok(key) => {
                    let key = Arc::new(key);
                    self.candidates.push(Candidate::File {
                        path: file.path,
                        key,
                        certificate: file.certificate,
                    });
                }
                Err(problem) => self.notes.push(format!("{} {problem}", tilde(&file.path))),
            }
        }
    }
}

/// An identity file, as far as it could be read.
struct File {
    path: PathBuf,
    public: Option<PublicKey>,
    key: Result<PrivateKey, String>,
    certificate: Option<Box<Certificate>>,
}

/// Reads the named files, or those of the default files that are there.
fn load_files(named: &[PathBuf], passphrase: Option<&str>) -> Vec<File> {
    if !named.is_empty() {
        return named.iter().map(|path| load_file(path, passphrase)).collect();
    }
    let Some(folder) = std::env::home_dir().map(|home| home.join(".ssh")) else { return Vec::new() };
    let paths = DEFAULT_FILES.iter().map(|name| folder.join(name)).filter(|path| path.exists());
    paths.map(|path| load_file(&path, passphrase)).collect()
}

fn load_file(path: &Path, passphrase: Option<&str>) -> File {
    let key = load_key(path, passphrase);
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let public = match &key {
        Ok(key) => Some(key.public_key().clone()),
        Err(_) => load_public_key(beside(".pub")).ok(),
    };
    let certificate = load_openssh_certificate(beside("-cert.pub")).ok().map(Box::new);
    File { path: path.to_owned(), public, key, certificate }
}

fn load_key(path: &Path, passphrase: Option<&str>) -> Result<PrivateKey, String> {
    check_mode(path)?;
    // The passphrase is for the encrypted ones; a key in the clear must load with one given, too.
    match (load_secret_key(path, None), passphrase) {
        (Ok(key), _) => Ok(key),
        (Err(Error::IO(error)), _) => Err(format!("cannot be read: {error}")),
        (Err(Error::KeyIsEncrypted), None) => Err(format!(
            "is encrypted and there is no passphrase for it: give one, or `ssh-add {}`",
            path.display()
        )),
        (Err(Error::KeyIsEncrypted), Some(passphrase)) => load_secret_key(path, Some(passphrase))
            .map_err(|_| "does not open with the passphrase given".to_owned()),
        (Err(error), _) => Err(format!("is not a private key that can be used: {error}")),
    }
}

/// OpenSSH refuses to use keys that others can read, and so do we.
fn check_mode(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(path) {
        Ok(meta) if meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 != 0 => Err(
            format!("is open to others (mode {:04o}): chmod 600 {}", meta.mode() & 0o7777, path.display()),
        ),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("does not exist".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
