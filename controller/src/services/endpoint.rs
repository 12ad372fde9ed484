//! How one host is reached: what its variables, the play and the command line say.

use std::path::PathBuf;
use std::sync::Arc;

use crate::events::HostName;
use crate::services::options::Options;
use crate::ssh::{HostKeyChecking, HostSettings, Query};

/// How one host is reached. Two tasks that reach it in the same way share one link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The name in the inventory.
    pub host: Arc<str>,
    /// Not by SSH, but on this machine.
    pub local: bool,
    /// Whether runs may work there at once: the workstation, if the inventory does not name it.
    pub unlocked: bool,
    /// `ansible_host`.
    pub address: String,
    /// `ansible_password`.
    pub password: Option<String>,
    /// `ansible_ssh_private_key_passphrase`.
    pub passphrase: Option<String>,
    /// All else, in the words of `ssh -o`: what counts first stands first.
    pub options: Vec<(String, String)>,
    /// `-F` of `ansible_ssh_common_args` and its like.
    pub configuration: Option<PathBuf>,
}

impl Endpoint {
    /// Returns how a host is shown, with the one that a task was delegated to, which is reached so.
    pub fn name(&self, host: &Arc<str>, delegate: Option<&Arc<str>>) -> HostName {
        let elsewhere = !self.address.is_empty() && delegate.is_some_and(|name| **name != *self.address);
        HostName {
            name: host.clone(),
            delegate: delegate.cloned(),
            address: elsewhere.then(|| self.address.as_str().into()),
        }
    }

    /// Returns what is asked of the transport.
    pub fn wish(&self, options: &Options, patience: Option<u64>) -> HostSettings {
        let checking = options.host_key_checking.map(HostKeyChecking::value);
        let timeout = patience.or(options.timeout_seconds).map(|seconds| seconds.max(1).to_string());
        let run = [("StrictHostKeyChecking", checking.map(str::to_owned)), ("ConnectTimeout", timeout)];
        HostSettings {
            host: self.host.to_string(),
            query: Query {
                host: self.address.clone(),
                options: self.options.clone(),
                file: self.configuration.clone(),
            },
            run_options: run
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
            password: self.password.clone(),
            passphrase: self.passphrase.clone(),
        }
    }
}
