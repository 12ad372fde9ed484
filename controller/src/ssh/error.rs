//! Why a host cannot be reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::paths::tilde;

/// A host cannot be reached; Ansible's `UNREACHABLE!`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Failed to connect to the host via ssh: {reason}")]
pub struct Unreachable {
    reason: Box<Reason>,
}

impl Unreachable {
    /// Returns what stood in the way.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Returns what stood in the way, wherever on the way that was.
    pub fn root(&self) -> &Reason {
        let mut reason = &*self.reason;
        while let Reason::JumpHost { reason: behind, .. } = reason {
            reason = behind;
        }
        reason
    }
}

impl From<Reason> for Unreachable {
    fn from(reason: Reason) -> Self {
        Self { reason: Box::new(reason) }
    }
}

/// Address and port of the other side.
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

/// A host key that the server showed and that nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHostKey {
    /// The host's name in the inventory.
    pub host: String,
    /// Where it was seen.
    pub peer: Peer,
    /// The key's type, `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The line that makes the key known.
    pub line: String,
    /// Whether the line is to be added with the name hashed.
    pub hashed: bool,
    /// The file that the line belongs in, if there is one.
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

/// What stood in the way of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// The ssh configuration cannot be followed.
    #[error("the ssh configuration: {detail}")]
    Configuration {
        /// What is wrong with it.
        detail: String,
    },
    /// Something stood in the way to a jump host.
    #[error("jump host {hop}: {reason}")]
    JumpHost {
        /// The jump host.
        hop: String,
        /// What stood in the way.
        reason: Box<Reason>,
    },
    /// A jump host does not connect us.
    #[error("jump host {hop}: {detail} {peer}")]
    NoForward {
        /// The jump host.
        hop: String,
        /// What it does not do.
        detail: &'static str,
        /// Where to.
        peer: Peer,
    },
    /// A `ProxyCommand` does not connect us.
    #[error("ProxyCommand `{command}`: {detail}")]
    ProxyCommand {
        /// The command.
        command: String,
        /// What became of it.
        detail: String,
    },
    /// Keys that the server would take are encrypted, and their passphrases are not known.
    #[error("{user}@{address}: {}{}", locked(.files), also(.tried, .notes))]
    Locked {
        /// As whom.
        user: String,
        /// Where.
        address: String,
        /// The keys' files.
        files: Vec<PathBuf>,
        /// What was tried besides.
        tried: Vec<String>,
        /// What could not be tried, and why.
        notes: Vec<String>,
    },
    /// No user was given and this process has no name.
    #[error("no user to log in as: set ansible_user")]
    NoUser,
    /// The name has no address.
    #[error("cannot resolve {address}: {detail}")]
    Name {
        /// The name.
        address: String,
        /// What the resolver said.
        detail: String,
    },
    /// TCP failed.
    #[error("{peer}: {detail}")]
    Tcp {
        /// Where to.
        peer: Peer,
        /// What the system said.
        detail: String,
    },
    /// TCP did not connect in time.
    #[error("{peer}: no answer within {}", seconds(.after))]
    TcpTimeout {
        /// Where to.
        peer: Peer,
        /// The time it was given.
        after: Duration,
    },
    /// The connection was accepted, but SSH did not come up in time.
    #[error("{peer}: {} within {}", if *.silent { "accepted the connection but said nothing" } else { "did not finish the SSH key exchange" }, seconds(.after))]
    HandshakeTimeout {
        /// Where to.
        peer: Peer,
        /// The time it was given.
        after: Duration,
        /// Whether not a single byte came.
        silent: bool,
    },
    /// The login was not answered in time.
    #[error("{user}@{}: the login was not answered within {}", .peer.address, seconds(.after))]
    LoginTimeout {
        /// Where to.
        peer: Peer,
        /// As whom.
        user: String,
        /// The time it was given.
        after: Duration,
    },
    /// Something else than SSH answers there.
    #[error("{peer}: no SSH server, it says {received:?}")]
    NotSsh {
        /// Where to.
        peer: Peer,
        /// The beginning of what came.
        received: String,
    },
    /// The server hung up.
    #[error("{peer}: the server closed the connection {during}{}", said(.goodbye))]
    Closed {
        /// Where to.
        peer: Peer,
        /// At which point.
        during: &'static str,
        /// What it said.
        goodbye: Option<String>,
    },
    /// There is no algorithm that both sides know.
    #[error("{peer}: no common {kind}; the server offers {theirs}")]
    NoCommonAlgorithm {
        /// Where to.
        peer: Peer,
        /// Which sort of algorithm.
        kind: &'static str,
        /// What the server offers.
        theirs: String,
    },
    /// No known_hosts file has a key of this host.
    #[error("{new} is unknown; compare it with `ssh-keygen -l` on the host, then add {}: {}", place(.new), .new.line)]
    UnknownHostKey {
        /// What the server shows.
        new: Box<NewHostKey>,
    },
    /// The host had another key before.
    #[error("{new} is not the one recorded in {}:{line}, {old}; if the host was not reinstalled someone may be listening; else remove the old one: ssh-keygen -R '{name}' -f {}", tilde(.file), .file.display())]
    ChangedHostKey {
        /// What the server shows now.
        new: Box<NewHostKey>,
        /// Type and fingerprint of the recorded key.
        old: String,
        /// The name it is recorded under.
        name: String,
        /// The file of the recorded key.
        file: PathBuf,
        /// Its line there.
        line: usize,
    },
    /// The key was revoked.
    #[error("{new} is revoked by {}:{line}", tilde(.file))]
    RevokedHostKey {
        /// What the server shows.
        new: Box<NewHostKey>,
        /// The file that revokes it.
        file: PathBuf,
        /// The line there.
        line: usize,
    },
    /// A trusted authority signed the host's certificate, but it does not hold.
    #[error("{new} comes with a certificate of a trusted authority that {problem}")]
    HostCertificate {
        /// What the server shows.
        new: Box<NewHostKey>,
        /// Why it does not hold.
        problem: &'static str,
    },
    /// A known_hosts file cannot be read or written.
    #[error("cannot {doing} {}: {detail}", tilde(.file))]
    KnownHostsFile {
        /// `read` or `add to`.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The server takes none of our keys or passwords.
    #[error("{user}@{address}: Permission denied ({}){}", .accepts.join(","), denied(.tried, .notes))]
    Denied {
        /// As whom.
        user: String,
        /// Where.
        address: String,
        /// The methods that the server accepts.
        accepts: Vec<String>,
        /// What was tried.
        tried: Vec<String>,
        /// What could not be tried, and why.
        notes: Vec<String>,
    },
    /// The server hung up instead of answering, most often after too many keys.
    #[error("{user}@{address}: the server broke off the login{}{}", said(.goodbye), denied(.tried, .notes))]
    BrokenOff {
        /// As whom.
        user: String,
        /// Where.
        address: String,
        /// What the server said.
        goodbye: Option<String>,
        /// What was tried.
        tried: Vec<String>,
        /// What could not be tried, and why.
        notes: Vec<String>,
    },
    /// The server refuses another command on the connection.
    #[error("{peer}: the server refuses to run a command: {detail}")]
    NoChannel {
        /// Where.
        peer: Peer,
        /// What it said.
        detail: String,
    },
    /// The conversation broke in a way that has no better name.
    #[error("{doing}: {detail}")]
    Protocol {
        /// What was going on.
        doing: &'static str,
        /// What went wrong.
        detail: String,
    },
}

/// Says that keys are encrypted, and how to give their passphrase.
fn locked(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| tilde(file)).collect();
    let (is, its) =
        if names.len() == 1 { ("is", "its passphrase is") } else { ("are", "their passphrases are") };
    let add: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("{} {is} encrypted and {its} not known: `ssh-add {}`", names.join(", "), add.join(" "))
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn said(goodbye: &Option<String>) -> String {
    goodbye.as_ref().map(|text| format!(", saying {text:?}")).unwrap_or_default()
}

fn place(key: &NewHostKey) -> String {
    key.file.as_deref().map_or_else(|| "to known_hosts".to_owned(), |file| format!("to {}", tilde(file)))
}

fn denied(tried: &[String], notes: &[String]) -> String {
    if tried.is_empty() { format!("; nothing to try{}", also(tried, notes)) } else { also(tried, notes) }
}

fn also(tried: &[String], notes: &[String]) -> String {
    let tried = (!tried.is_empty()).then(|| format!("tried {}", tried.join(", ")));
    tried.iter().chain(notes).map(|part| format!("; {part}")).collect()
}
