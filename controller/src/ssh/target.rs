//! Where to connect and as whom.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::config::Family;
use super::error::{Peer, Reason};
use crate::passwd;

/// Where sshd listens if nobody says otherwise.
pub(super) const DEFAULT_PORT: u16 = 22;
/// How long connecting may take if nobody says otherwise, as in Ansible.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a node is asked for a sign of life on an idle connection if nobody says otherwise.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How many such questions may stay without an answer.
const ALIVE_COUNT: usize = 3;

/// What to do about a host key that no known_hosts file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum HostKeyChecking {
    /// Refuse unknown and changed keys.
    #[default]
    Strict,
    /// Add an unknown key to the first known_hosts file, refuse a changed one.
    AcceptNew,
    /// Accept every key and record none.
    Off,
}

impl HostKeyChecking {
    /// Reads a value of `StrictHostKeyChecking`.
    pub fn of(value: &str) -> Option<Self> {
        Some(match value.to_ascii_lowercase().as_str() {
            "yes" | "true" | "ask" => Self::Strict,
            "accept-new" => Self::AcceptNew,
            "no" | "false" | "off" => Self::Off,
            _ => return None,
        })
    }

    /// Returns the value of `StrictHostKeyChecking` that means this.
    pub fn value(self) -> &'static str {
        match self {
            Self::Strict => "yes",
            Self::AcceptNew => "accept-new",
            Self::Off => "no",
        }
    }
}

/// The way to a node.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// A TCP connection of our own.
    #[default]
    Direct,
    /// A TCP connection that another host makes for us (`ProxyJump`).
    Jump(Arc<Target>),
    /// Input and output of a program (`ProxyCommand`), for `sh`.
    Command(String),
}

/// Which ways to log in may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    /// `PubkeyAuthentication`.
    pub public_key: bool,
    /// `PasswordAuthentication`.
    pub password: bool,
    /// `KbdInteractiveAuthentication`.
    pub interactive: bool,
}

/// One node as the transport sees it.
#[derive(Clone)]
pub struct Target {
    /// The name in the inventory, for messages.
    pub host: String,
    /// The name or address to connect to (`ansible_host`).
    pub address: String,
    /// The port (`ansible_port`).
    pub port: u16,
    /// How it is reached.
    pub route: Route,
    /// Which addresses of a name are used (`AddressFamily`).
    pub family: Family,
    /// The login user (`ansible_user`); without one the user who runs the controller.
    pub user: Option<String>,
    /// The password (`ansible_password`), tried after the keys.
    pub password: Option<String>,
    /// Private keys to use; without any `~/.ssh/id_ed25519`, `id_ecdsa` and `id_rsa`.
    pub identity_files: Vec<PathBuf>,
    /// Certificates of these keys, besides those beside them.
    pub certificate_files: Vec<PathBuf>,
    /// Whether the agent may offer only the keys of `identity_files`.
    pub identities_only: bool,
    /// Whether nobody is to be asked for a passphrase (`BatchMode`).
    pub batch: bool,
    /// What encrypted identity files are opened with.
    pub passphrase: Option<String>,
    /// The socket of the ssh-agent.
    pub agent: Option<PathBuf>,
    /// Which ways to log in may be tried.
    pub methods: Methods,
    /// Files of host keys; `None` means `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// A file of keys that no host may have (`RevokedHostKeys`).
    pub revoked: Option<PathBuf>,
    /// Whether names are added to known_hosts as hashes (`HashKnownHosts`).
    pub hash_known_hosts: bool,
    /// The name under which the host key is recorded, if not `address` and port (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// What to do about an unknown host key.
    pub host_key_checking: HostKeyChecking,
    /// How long connecting and logging in may take in all.
    pub connect_timeout: Duration,
    /// After how long a silence the node is asked for a sign of life (`ServerAliveInterval`).
    pub alive_interval: Duration,
    /// After how many of these without an answer the connection is given up (`ServerAliveCountMax`).
    pub alive_count: usize,
}

impl Target {
    /// Returns a target with Ansible's and OpenSSH's defaults: port 22, strict host keys, ten seconds, and the
    /// ssh-agent of the environment.
    pub fn new(host: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            address: address.into(),
            port: DEFAULT_PORT,
            route: Route::Direct,
            family: Family::Any,
            user: None,
            password: None,
            identity_files: Vec::new(),
            certificate_files: Vec::new(),
            identities_only: false,
            batch: false,
            passphrase: None,
            agent: std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
            methods: Methods { public_key: true, password: true, interactive: true },
            known_hosts: None,
            revoked: None,
            hash_known_hosts: false,
            host_key_alias: None,
            host_key_checking: HostKeyChecking::default(),
            connect_timeout: CONNECT_TIMEOUT,
            alive_interval: ALIVE_INTERVAL,
            alive_count: ALIVE_COUNT,
        }
    }

    /// Returns the user to log in as.
    pub(super) fn login_name(&self) -> Result<String, Reason> {
        if let Some(user) = &self.user {
            return Ok(user.clone());
        }
        let named = ["LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
        named.filter(|name| !name.is_empty()).or_else(passwd::own_name).ok_or(Reason::NoUser)
    }

    /// Returns address and port, for messages.
    pub(super) fn peer(&self) -> Peer {
        Peer { address: self.address.clone(), port: self.port }
    }

    /// Returns the name and port that known_hosts knows this host by; an alias stands without a port.
    pub(super) fn recorded_as(&self) -> (&str, u16) {
        match &self.host_key_alias {
            Some(alias) => (alias, DEFAULT_PORT),
            None => (&self.address, self.port),
        }
    }

    /// Returns the known_hosts files to read, the one to add to first.
    pub(super) fn known_hosts_files(&self) -> Vec<PathBuf> {
        self.known_hosts.clone().unwrap_or_else(|| {
            let own = home().map(|home| home.join(".ssh/known_hosts"));
            own.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect()
        })
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("address", &self.address)
            .field("port", &self.port)
            .field("route", &self.route)
            .field("user", &self.user)
            .field("identity_files", &self.identity_files)
            .field("known_hosts", &self.known_hosts)
            .field("host_key_checking", &self.host_key_checking)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// Returns the user's home folder, as `HOME` says.
pub(super) fn home() -> Option<PathBuf> {
    std::env::home_dir()
}

/// Writes a path as the user would: `~` for the home folder.
pub(super) fn tilde(path: &Path) -> String {
    match home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
