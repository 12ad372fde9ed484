//! Turns the settings of a host into a target: where, how and as whom to connect.
//!
//! The settings are options as for `ssh -o`. The ssh configuration answers for them (`config`), also for jump hosts.

use std::path::PathBuf;
use std::sync::Arc;

use super::config::{HostConfig, Proxy, Query, Tokens};
use super::connector::Connector;
use super::error::{Reason, Unreachable};
use super::target::{GLOBAL_KNOWN_HOSTS, Route, Target, user_known_hosts};
use crate::sync::lock;

/// The most jump hosts on the way to a host: more are taken for a cycle.
const MAX_HOPS: usize = 8;

/// How to reach a host, according to the inventory and the command line.
#[derive(Debug, Clone, Default)]
pub struct HostSettings {
    /// The name in the inventory, for messages.
    pub host: String,
    /// The host as it would be given to `ssh`, and its options.
    pub query: Query,
    /// Options for the whole run. They also apply to jump hosts. The host's own options take precedence.
    pub run_options: Vec<(String, String)>,
    /// The password (`ansible_password`).
    pub password: Option<String>,
    /// The passphrase of encrypted identity files.
    pub passphrase: Option<String>,
}

impl Connector {
    /// Returns the target for a host, by its settings and the ssh configuration.
    ///
    /// # Errors
    /// [`Reason::Configuration`] if the ssh configuration cannot be used.
    pub async fn target(&self, settings: &HostSettings) -> Result<Target, Unreachable> {
        Ok(self.resolve(settings, 0).await?)
    }

    async fn resolve(&self, settings: &HostSettings, hops: usize) -> Result<Target, Reason> {
        let mut query = settings.query.clone();
        query.options.extend(settings.run_options.iter().cloned());
        let config = self.configuration.of(&query).await?;
        self.warn_unsupported(&config, &settings.host);
        let failed = |detail| Reason::Configuration { detail };
        let mut target =
            Target::new(&*settings.host, config.hostname.as_ref().unwrap_or(&settings.query.host));
        target.password.clone_from(&settings.password);
        target.passphrase.clone_from(&settings.passphrase);
        target.port = config.port.unwrap_or(target.port);
        target.user.clone_from(&config.user);
        let mut tokens = Tokens {
            host: target.address.clone(),
            original_host: settings.query.host.clone(),
            port: target.port,
            user: target.login_name()?,
            host_key_name: config.host_key_alias.as_ref().unwrap_or(&settings.query.host).clone(),
            jump: String::new(),
        };
        target.route = match &config.proxy {
            Some(Proxy::Command(command)) => Route::Command(tokens.expand(command).map_err(failed)?),
            Some(Proxy::Jump(jump)) => {
                tokens.jump.clone_from(jump);
                Route::Jump(Arc::new(self.resolve_hop(jump, settings, hops).await?))
            }
            Some(Proxy::None) | None => Route::Direct,
        };
        config.apply(&mut target, &tokens).map_err(failed)?;
        Ok(target)
    }

    /// Resolves the last jump host in a list, which is reached through those before it.
    async fn resolve_hop(&self, jump: &str, settings: &HostSettings, hops: usize) -> Result<Target, Reason> {
        let failed = |detail| Reason::Configuration { detail };
        if hops == MAX_HOPS {
            return Err(failed(format!(
                "{jump} would be jump host {}: do the jump hosts form a cycle?",
                MAX_HOPS + 1
            )));
        }
        let (before, last) = match jump.rsplit_once(',') {
            Some((before, last)) => (Some(before), last),
            None => (None, jump),
        };
        let (host, mut options) = destination(last.trim()).map_err(failed)?;
        options.extend(before.map(|before| ("ProxyJump".to_owned(), before.to_owned())));
        let query = Query { host: host.clone(), options, file: settings.query.file.clone() };
        // As with ssh, a jump host has its own configuration. It never gets the password of another host.
        let (run_options, passphrase) = (settings.run_options.clone(), settings.passphrase.clone());
        let hop = HostSettings { host, query, run_options, password: None, passphrase };
        Box::pin(self.resolve(&hop, hops + 1)).await
    }

    fn warn_unsupported(&self, config: &HostConfig, host: &str) {
        let mut unsupported = lock(&self.unsupported);
        for option in &config.unsupported {
            if unsupported.found.insert(option.clone()) {
                let (name, value) = option;
                unsupported.warnings.push(format!(
                    "the ssh configuration sets `{name} {value}` for {host} and perhaps other hosts, which convoy does not \
                     support"
                ));
            }
        }
    }
}

/// Parses `[user@]host[:port]`, also as a URI, into a host and options.
fn destination(text: &str) -> Result<(String, Vec<(String, String)>), String> {
    let bad = || format!("`{text}` is not a valid jump host");
    let rest = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or_else(bad)?;
            (host, after.strip_prefix(':'))
        }
        // An IPv6 address has more than one colon. With a port it has brackets.
        None => match rest.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (rest, None),
        },
    };
    if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(bad());
    }
    let option = |name: &str, value: Option<&str>| value.map(|value| (name.to_owned(), value.to_owned()));
    Ok((host.to_owned(), option("User", user).into_iter().chain(option("Port", port)).collect()))
}

impl HostConfig {
    /// Fills in the target, except for its name, address, user and route.
    fn apply(&self, target: &mut Target, tokens: &Tokens) -> Result<(), String> {
        target.identity_files = tokens.paths(self.identity_files.iter().map(String::as_str))?;
        target.certificate_files = tokens.paths(self.certificate_files.iter().map(String::as_str))?;
        target.identities_only = self.identities_only.unwrap_or(false);
        match self.identity_agent.as_deref() {
            None | Some("SSH_AUTH_SOCK") => {}
            Some("none") => target.agent = None,
            Some(name) => {
                target.agent = match name.strip_prefix('$') {
                    Some(variable) if !variable.starts_with('{') => {
                        std::env::var_os(variable).map(PathBuf::from)
                    }
                    _ => Some(tokens.path(name)?),
                };
            }
        }
        target.known_hosts = self.known_hosts(tokens)?;
        target.revoked = match self.revoked_host_keys.as_deref() {
            None | Some("none") => None,
            Some(file) => Some(tokens.path(file)?),
        };
        target.hash_known_hosts = self.hash_known_hosts.unwrap_or(false);
        target.host_key_alias.clone_from(&self.host_key_alias);
        target.host_key_checking = self.checking.unwrap_or_default();
        target.connect_timeout = self.connect_timeout.unwrap_or(target.connect_timeout);
        target.alive_interval = self.alive_interval.unwrap_or(target.alive_interval);
        target.alive_count = self.alive_count.unwrap_or(target.alive_count);
        target.batch = self.batch.unwrap_or(false);
        target.family = self.family.unwrap_or_default();
        target.methods.public_key = self.public_key.unwrap_or(true);
        target.methods.password = self.password.unwrap_or(true);
        target.methods.interactive = self.interactive.unwrap_or(true);
        Ok(())
    }

    /// Returns the known_hosts files, the user's first; `None` if the configuration names none.
    fn known_hosts(&self, tokens: &Tokens) -> Result<Option<Vec<PathBuf>>, String> {
        let (user, global) = (&self.user_known_hosts, &self.global_known_hosts);
        if user.is_none() && global.is_none() {
            return Ok(None);
        }
        let mut all = match user {
            Some(names) => tokens.paths(names.split_whitespace())?,
            None => user_known_hosts().into_iter().collect(),
        };
        all.extend(tokens.paths(global.as_deref().unwrap_or(GLOBAL_KNOWN_HOSTS).split_whitespace())?);
        Ok(Some(all))
    }
}

#[cfg(test)]
mod tests;
