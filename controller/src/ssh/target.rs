//! The target of a connection: where to connect, as whom, and by which rules.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Peer, Reason};
use crate::passwd;
use crate::paths::home;

/// The port that sshd listens on by default.
pub(super) const DEFAULT_PORT: u16 = 22;
/// The default known_hosts file for all users.
pub(super) const GLOBAL_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts";
/// The default time limit for connecting, as in Ansible.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The default interval between keep-alive messages on an idle connection.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// The default number of keep-alive messages that may go unanswered.
const ALIVE_COUNT: usize = 3;

/// What to do with a host key that no known_hosts file has.
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
    /// Parses a value of `StrictHostKeyChecking`.
    pub fn parse(value: &str) -> Option<Self> {
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

/// Which addresses of a name are used (`AddressFamily`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// All addresses.
    #[default]
    Any,
    /// IPv4 only.
    Inet,
    /// IPv6 only.
    Inet6,
}

/// How the connection to a node is made.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// A TCP connection from this machine.
    #[default]
    Direct,
    /// A TCP connection from a jump host (`ProxyJump`).
    Jump(Arc<Target>),
    /// The input and output of a shell command (`ProxyCommand`).
    Command(String),
}

/// Which authentication methods may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    /// `PubkeyAuthentication`.
    pub public_key: bool,
    /// `PasswordAuthentication`.
    pub password: bool,
    /// `KbdInteractiveAuthentication`.
    pub interactive: bool,
}

/// A node as the transport sees it.
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
    /// The login user (`ansible_user`); `None` means the user who runs the controller.
    pub user: Option<String>,
    /// The password (`ansible_password`), tried after the keys.
    pub password: Option<String>,
    /// The private keys to use; if there are none, `~/.ssh/id_ed25519`, `id_ecdsa` and `id_rsa`.
    pub identity_files: Vec<PathBuf>,
    /// Certificates of these keys, in addition to those in files next to the keys.
    pub certificate_files: Vec<PathBuf>,
    /// Whether only the keys of `identity_files` are used from the agent.
    pub identities_only: bool,
    /// Whether the user is never asked for a passphrase (`BatchMode`).
    pub batch: bool,
    /// The passphrase of encrypted identity files.
    pub passphrase: Option<String>,
    /// The socket of the ssh-agent.
    pub agent: Option<PathBuf>,
    /// Which authentication methods may be tried.
    pub methods: Methods,
    /// Files of host keys; `None` means `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// A file of revoked keys (`RevokedHostKeys`).
    pub revoked: Option<PathBuf>,
    /// Whether names are hashed when they are added to known_hosts (`HashKnownHosts`).
    pub hash_known_hosts: bool,
    /// The name under which the host key is recorded, if not `address` and port (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// What to do with an unknown host key.
    pub host_key_checking: HostKeyChecking,
    /// The time limit for connecting and logging in together.
    pub connect_timeout: Duration,
    /// After how long without data a keep-alive message is sent (`ServerAliveInterval`).
    pub alive_interval: Duration,
    /// After how many unanswered keep-alive messages the connection is closed (`ServerAliveCountMax`).
    pub alive_count: usize,
}

impl Target {
    /// Returns a target with the defaults of Ansible and OpenSSH: port 22, strict host key checking, ten seconds to
    /// connect, and the ssh-agent of the environment.
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

    /// Returns the address and port.
    pub(super) fn peer(&self) -> Peer {
        Peer { address: self.address.clone(), port: self.port }
    }

    /// Returns the name and port under which known_hosts records this host; an alias is recorded without a port.
    pub(super) fn known_hosts_name(&self) -> (&str, u16) {
        match &self.host_key_alias {
            Some(alias) => (alias, DEFAULT_PORT),
            None => (&self.address, self.port),
        }
    }

    /// Returns the known_hosts files. New keys are added to the first.
    pub(super) fn known_hosts_files(&self) -> Vec<PathBuf> {
        self.known_hosts.clone().unwrap_or_else(|| {
            user_known_hosts().into_iter().chain([PathBuf::from(GLOBAL_KNOWN_HOSTS)]).collect()
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

/// Returns the user's default known_hosts file.
pub(super) fn user_known_hosts() -> Option<PathBuf> {
    home().map(|home| home.join(".ssh/known_hosts"))
}
