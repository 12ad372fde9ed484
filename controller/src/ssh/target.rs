//! Where to connect and as whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Reason;

/// Where sshd listens if nobody says otherwise.
pub(super) const DEFAULT_PORT: u16 = 22;

/// What to do about a host key that no known_hosts file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostKeyChecking {
    /// Refuse unknown and changed keys.
    #[default]
    Strict,
    /// Add an unknown key to the first known_hosts file, refuse a changed one.
    AcceptNew,
    /// Accept every key and record none.
    Off,
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
    /// The login user (`ansible_user`); without one the user who runs the controller.
    pub user: Option<String>,
    /// The password (`ansible_password`), tried after the keys.
    pub password: Option<String>,
    /// Private keys to use; without any `~/.ssh/id_ed25519`, `id_ecdsa` and `id_rsa`.
    pub identity_files: Vec<PathBuf>,
    /// Whether the agent may offer only the keys of `identity_files`.
    pub identities_only: bool,
    /// What encrypted identity files are opened with.
    pub passphrase: Option<String>,
    /// The socket of the ssh-agent.
    pub agent: Option<PathBuf>,
    /// Files of host keys; `None` means `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// The name under which the host key is recorded, if not `address` and port (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// What to do about an unknown host key.
    pub host_key_checking: HostKeyChecking,
    /// How long connecting and logging in may take in all.
    pub connect_timeout: Duration,
}

impl Target {
    /// Returns a target with Ansible's and OpenSSH's defaults: port 22, strict host keys, ten seconds, and the
    /// ssh-agent of the environment.
    pub fn new(host: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            address: address.into(),
            port: DEFAULT_PORT,
            user: None,
            password: None,
            identity_files: Vec::new(),
            identities_only: false,
            passphrase: None,
            agent: std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
            known_hosts: None,
            host_key_alias: None,
            host_key_checking: HostKeyChecking::default(),
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// Returns the user to log in as.
    pub(super) fn login_name(&self) -> Result<String, Reason> {
        if let Some(user) = &self.user {
            return Ok(user.clone());
        }
        let named = ["LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
        named.filter(|name| !name.is_empty()).or_else(passwd_name).ok_or(Reason::NoUser)
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
            let own = std::env::home_dir().map(|home| home.join(".ssh/known_hosts"));
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
            .field("user", &self.user)
            .field("identity_files", &self.identity_files)
            .field("known_hosts", &self.known_hosts)
            .field("host_key_checking", &self.host_key_checking)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// The name of this process's user, for containers that set neither LOGNAME nor USER.
fn passwd_name() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// Writes a path as the user would: `~` for the home folder.
pub(super) fn tilde(path: &Path) -> String {
    match std::env::home_dir().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
