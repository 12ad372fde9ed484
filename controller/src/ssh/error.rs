//! Why a host cannot be reached, with the messages for the user.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::paths::tilde;

/// A host cannot be reached: Ansible's `UNREACHABLE!`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Failed to connect to the host via ssh: {reason}")]
pub struct Unreachable {
    reason: Box<Reason>,
}

impl Unreachable {
    /// Returns the reason, which may be that of a jump host.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Returns the innermost reason: behind jump hosts, that of the one which could not be reached.
    pub fn root(&self) -> &Reason {
        let mut reason = &*self.reason;
        while let Reason::JumpHost { reason: inner, .. } = reason {
            reason = inner;
        }
        reason
    }
}

impl From<Reason> for Unreachable {
    fn from(reason: Reason) -> Self {
        Self { reason: Box::new(reason) }
    }
}

/// The address and port of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The name or address.
    pub address: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.address, self.port)
    }
}

/// A host key that a server presented and that is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHostKey {
    /// The host's name in the inventory.
    pub host: String,
    /// The server that presented it.
    pub peer: Peer,
    /// The key's type, `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The known_hosts line that would make the key trusted.
    pub line: String,
    /// Whether the name is hashed when the line is added.
    pub hashed: bool,
    /// The file that the line belongs into, if there is one.
    pub file: Option<PathBuf>,
}

impl NewHostKey {
    /// Returns the name that the key is recorded under: the address, with a port if it is not 22.
    pub fn name(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }
}

impl fmt::Display for NewHostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, peer, algorithm, fingerprint, .. } = self;
        write!(f, "the host key of {host} ({peer}), {algorithm} {fingerprint},")
    }
}

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// The ssh configuration cannot be used.
    #[error("the ssh configuration: {detail}")]
    Configuration {
        /// What is wrong, with file and line where known.
        detail: String,
    },
    /// A jump host cannot be reached.
    #[error("jump host {hop}: {reason}")]
    JumpHost {
        /// The jump host.
        hop: String,
        /// Why not.
        reason: Box<Reason>,
    },
    /// A jump host does not forward the connection.
    #[error("jump host {hop}: {detail} {peer}")]
    NoForward {
        /// The jump host.
        hop: String,
        /// What it did, such as `cannot connect to`.
        detail: &'static str,
        /// The server behind it.
        peer: Peer,
    },
    /// A `ProxyCommand` does not connect.
    #[error("ProxyCommand `{command}`: {detail}")]
    ProxyCommand {
        /// The command.
        command: String,
        /// How it failed.
        detail: String,
    },
    /// The server would accept keys that are encrypted, and their passphrases are unknown.
    #[error("{user}@{address}: {}{}", locked(.files), attempts(.tried, .notes))]
    Locked {
        /// The login user.
        user: String,
        /// The server's address.
        address: String,
        /// The files of the keys.
        files: Vec<PathBuf>,
        /// What else was tried.
        tried: Vec<String>,
        /// What could not be tried, with the reason.
        notes: Vec<String>,
    },
    /// No user was given, and the name of the local user is unknown.
    #[error("no user to log in as: set ansible_user")]
    NoUser,
    /// The name cannot be resolved.
    #[error("cannot resolve {address}: {detail}")]
    Name {
        /// The name.
        address: String,
        /// The resolver's message.
        detail: String,
    },
    /// The TCP connection failed.
    #[error("{peer}: {detail}")]
    Tcp {
        /// The server.
        peer: Peer,
        /// The system's message.
        detail: String,
    },
    /// The TCP connection was not established in time.
    #[error("{peer}: no answer within {}", seconds(.after))]
    TcpTimeout {
        /// The server.
        peer: Peer,
        /// The time limit.
        after: Duration,
    },
    /// The server accepted the connection, but the SSH handshake did not finish in time.
    #[error("{peer}: {} within {}", if *.silent { "accepted the connection but sent nothing" } else { "did not finish the SSH key exchange" }, seconds(.after))]
    HandshakeTimeout {
        /// The server.
        peer: Peer,
        /// The time limit.
        after: Duration,
        /// Whether the server sent nothing at all.
        silent: bool,
    },
    /// The login was not answered in time.
    #[error("{user}@{}: the login was not answered within {}", .peer.address, seconds(.after))]
    LoginTimeout {
        /// The server.
        peer: Peer,
        /// The login user.
        user: String,
        /// The time limit.
        after: Duration,
    },
    /// Something other than an SSH server answers.
    #[error("{peer}: not an SSH server; it sent {received:?}")]
    NotSsh {
        /// The server.
        peer: Peer,
        /// The beginning of what it sent.
        received: String,
    },
    /// The server closed the connection.
    #[error("{peer}: the server closed the connection {during}{}", message(.goodbye))]
    Closed {
        /// The server.
        peer: Peer,
        /// When, such as `during the key exchange`.
        during: &'static str,
        /// The message in its disconnect, if it sent one.
        goodbye: Option<String>,
    },
    /// Client and server have no algorithm in common.
    #[error("{peer}: no common {kind}; the server offers {theirs}")]
    NoCommonAlgorithm {
        /// The server.
        peer: Peer,
        /// The kind of algorithm.
        kind: &'static str,
        /// What the server offers.
        theirs: String,
    },
    /// No known_hosts file has a key of this host.
    #[error("{new} is unknown; compare it with `ssh-keygen -l` on the host, then add {}: {}", destination(.new), .new.line)]
    UnknownHostKey {
        /// The key that the server presented.
        new: Box<NewHostKey>,
    },
    /// The host has a different key than before.
    #[error("{new} differs from the one in {}:{line}, {old}; if the host was not reinstalled, someone may be intercepting the connection; if it was, remove the old key: ssh-keygen -R '{name}' -f {}", tilde(.file), .file.display())]
    ChangedHostKey {
        /// The key that the server presented.
        new: Box<NewHostKey>,
        /// The type and fingerprint of the recorded key.
        old: String,
        /// The name under which it is recorded.
        name: String,
        /// The file that has the recorded key.
        file: PathBuf,
        /// The line in that file.
        line: usize,
    },
    /// The host key is revoked.
    #[error("{new} is revoked by {}:{line}", tilde(.file))]
    RevokedHostKey {
        /// The key that the server presented.
        new: Box<NewHostKey>,
        /// The file that revokes it.
        file: PathBuf,
        /// The line in that file.
        line: usize,
    },
    /// The host's certificate names a trusted authority, but is not valid.
    #[error("{new} comes with a certificate of a trusted authority that {problem}")]
    HostCertificate {
        /// The key that the server presented.
        new: Box<NewHostKey>,
        /// What is wrong with the certificate.
        problem: &'static str,
    },
    /// A known_hosts file cannot be read or written.
    #[error("cannot {doing} {}: {detail}", tilde(.file))]
    KnownHostsFile {
        /// `read` or `add to`.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// The system's message.
        detail: String,
    },
    /// The server accepts none of the keys and passwords.
    #[error("{user}@{address}: Permission denied ({}){}", .accepts.join(","), all_attempts(.tried, .notes))]
    Denied {
        /// The login user.
        user: String,
        /// The server's address.
        address: String,
        /// The authentication methods that the server accepts.
        accepts: Vec<String>,
        /// What was tried.
        tried: Vec<String>,
        /// What could not be tried, with the reason.
        notes: Vec<String>,
    },
    /// The server closed the connection during the login, most often after too many keys.
    #[error("{user}@{address}: the server closed the connection during the login{}{}", message(.goodbye), all_attempts(.tried, .notes))]
    LoginClosed {
        /// The login user.
        user: String,
        /// The server's address.
        address: String,
        /// The message in its disconnect, if it sent one.
        goodbye: Option<String>,
        /// What was tried.
        tried: Vec<String>,
        /// What could not be tried, with the reason.
        notes: Vec<String>,
    },
    /// The server does not run another command on the connection.
    #[error("{peer}: the server refused to run a command: {detail}")]
    NoChannel {
        /// The server.
        peer: Peer,
        /// Its reason.
        detail: String,
    },
    /// The protocol failed in some other way.
    #[error("{doing}: {detail}")]
    Protocol {
        /// What was being done, such as `login`.
        doing: &'static str,
        /// What went wrong.
        detail: String,
    },
}

/// Returns that these keys are encrypted, and how to unlock them.
fn locked(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| tilde(file)).collect();
    let (is, its) =
        if names.len() == 1 { ("is", "its passphrase is") } else { ("are", "their passphrases are") };
    let add: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("{} {is} encrypted and {its} unknown: run `ssh-add {}`", names.join(", "), add.join(" "))
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// Returns the message that came with a disconnect, as the end of a sentence.
fn message(goodbye: &Option<String>) -> String {
    goodbye.as_ref().map(|text| format!(" with the message {text:?}")).unwrap_or_default()
}

/// Returns where to add a key.
fn destination(key: &NewHostKey) -> String {
    key.file.as_deref().map_or_else(|| "to known_hosts".to_owned(), |file| format!("to {}", tilde(file)))
}

/// As [`attempts`], but also if there was nothing to try.
fn all_attempts(tried: &[String], notes: &[String]) -> String {
    let nothing = if tried.is_empty() { "; nothing to try" } else { "" };
    format!("{nothing}{}", attempts(tried, notes))
}

/// Returns what was tried to log in, and what could not be tried.
fn attempts(tried: &[String], notes: &[String]) -> String {
    let tried = (!tried.is_empty()).then(|| format!("tried {}", tried.join(", ")));
    tried.iter().chain(notes).map(|part| format!("; {part}")).collect()
}
