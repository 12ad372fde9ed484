//! From what the inventory says of a host to where, how and as whom to connect.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::config::{HostConfig, Proxy, Query, Tokens};
use super::connector::Connector;
use super::error::{Reason, Unreachable};
use super::target::{Route, Target};
use crate::paths::home;

/// More jump hosts than this are a circle.
const MOST_HOPS: usize = 8;

/// What the inventory and the command line say of a host.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The name in the inventory, for messages.
    pub host: String,
    /// The host as `ssh` would be given it, and the options.
    pub query: Query,
    /// Options of the whole run: they hold for jump hosts, too, and weigh less than the host's own.
    pub run: Vec<(String, String)>,
    /// The password (`ansible_password`).
    pub password: Option<String>,
    /// What encrypted identity files are opened with.
    pub passphrase: Option<String>,
}

impl Connector {
    /// Asks the ssh configuration how a host is reached.
    ///
    /// # Errors
    /// [`Reason::Configuration`] if that cannot be followed.
    pub async fn target(&self, wish: &Wish) -> Result<Target, Unreachable> {
        Ok(self.resolve(wish, 0).await?)
    }

    async fn resolve(&self, wish: &Wish, hops: usize) -> Result<Target, Reason> {
        let mut query = wish.query.clone();
        query.options.extend(wish.run.iter().cloned());
        let config = self.configuration.of(&query).await?;
        self.note_unhonoured(&config, &wish.host);
        let failed = |detail| Reason::Configuration { detail };
        let mut target = Target::new(&*wish.host, config.hostname.as_ref().unwrap_or(&wish.query.host));
        target.password.clone_from(&wish.password);
        target.passphrase.clone_from(&wish.passphrase);
        target.port = config.port.unwrap_or(target.port);
        target.user.clone_from(&config.user);
        let mut tokens = Tokens {
            host: target.address.clone(),
            given: wish.query.host.clone(),
            port: target.port,
            user: target.login_name()?,
            key: config.host_key_alias.as_ref().unwrap_or(&wish.query.host).clone(),
            jump: String::new(),
        };
        target.route = match &config.proxy {
            Some(Proxy::Command(command)) => Route::Command(tokens.expand(command).map_err(failed)?),
            Some(Proxy::Jump(jump)) => {
                tokens.jump.clone_from(jump);
                Route::Jump(Arc::new(self.resolve_hop(jump, wish, hops).await?))
            }
            Some(Proxy::None) | None => Route::Direct,
        };
        config.apply(&mut target, &tokens).map_err(failed)?;
        Ok(target)
    }

    /// Resolves the last of a list of jump hosts, which is reached through those before it.
    async fn resolve_hop(&self, jump: &str, wish: &Wish, hops: usize) -> Result<Target, Reason> {
        let failed = |detail| Reason::Configuration { detail };
        if hops == MOST_HOPS {
            return Err(failed(format!(
                "{jump} is jump host {}: do jump hosts lead in a circle?",
                MOST_HOPS + 1
            )));
        }
        let (before, last) = match jump.rsplit_once(',') {
            Some((before, last)) => (Some(before), last),
            None => (None, jump),
        };
        let (host, mut options) = destination(last.trim()).map_err(failed)?;
        options.extend(before.map(|before| ("ProxyJump".to_owned(), before.to_owned())));
        let query = Query { host: host.clone(), options, file: wish.query.file.clone() };
        // All else a jump host has of its own, as with ssh: no password of another host is shown to it.
        let (run, passphrase) = (wish.run.clone(), wish.passphrase.clone());
        let hop = Wish { host, query, run, password: None, passphrase };
        Box::pin(self.resolve(&hop, hops + 1)).await
    }

    fn note_unhonoured(&self, config: &HostConfig, host: &str) {
        let mut unhonoured = self.unhonoured.lock().unwrap_or_else(PoisonError::into_inner);
        for option in &config.unhonoured {
            if unhonoured.found.insert(option.clone()) {
                let (name, value) = option;
                unhonoured.unsaid.push(format!(
                    "the ssh configuration says `{name} {value}`, for {host} and perhaps others: convoy does not do that"
                ));
            }
        }
    }
}

/// Reads `[user@]host[:port]`, also as a URI.
fn destination(text: &str) -> Result<(String, Vec<(String, String)>), String> {
    let bad = || format!("`{text}` is no jump host");
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
        // An IPv6 address has more than one colon, and no port without brackets.
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
    /// Fills in all but the way.
    fn apply(&self, target: &mut Target, tokens: &Tokens) -> Result<(), String> {
        let paths = |names: &[String]| -> Result<Vec<PathBuf>, String> {
            let named = names.iter().filter(|name| !name.eq_ignore_ascii_case("none"));
            named.map(|name| tokens.path(name)).collect()
        };
        target.identity_files = paths(&self.identity_files)?;
        target.certificate_files = paths(&self.certificate_files)?;
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

    /// Returns the files of host keys, the user's first; `None` if neither is named.
    fn known_hosts(&self, tokens: &Tokens) -> Result<Option<Vec<PathBuf>>, String> {
        let (user, global) = (&self.user_known_hosts, &self.global_known_hosts);
        if user.is_none() && global.is_none() {
            return Ok(None);
        }
        let files = |names: &str| -> Result<Vec<PathBuf>, String> {
            let named = names.split_whitespace().filter(|name| !name.eq_ignore_ascii_case("none"));
            named.map(|name| tokens.path(name)).collect()
        };
        let mut all = match user {
            Some(names) => files(names)?,
            None => home().map(|home| home.join(".ssh/known_hosts")).into_iter().collect(),
        };
        all.extend(files(global.as_deref().unwrap_or("/etc/ssh/ssh_known_hosts"))?);
        Ok(Some(all))
    }
}

#[cfg(test)]
mod tests;
