//! Makes connections: opens the stream to the node, checks the host key, logs in.
//!
//! `resolve` turns what the user configured into a [`Target`]; this is what connects to it. Connections to jump hosts
//! are shared.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use russh::client;
use tokio::time::{Instant, timeout_at};

use super::config::Configuration;
use super::error::{Reason, Unreachable};
use super::host_key::{DisconnectMessage, HostKeyChecker};
use super::keys::KeyStore;
use super::known_hosts::HostKeys;
use super::proxy_command::{Program, ProxyCommand};
use super::session::{Session, Underlay};
use super::stream::GreetingRecorder;
use super::target::{HostKeyChecking, Route, Target};
use super::{algorithms, auth, tcp};
use crate::sync::lock;

/// What all connections of a run share: the ssh configuration, decrypted keys, and connections to jump hosts.
#[derive(Default)]
pub struct Connector {
    pub(super) configuration: Configuration,
    keys: KeyStore,
    jump_hosts: Mutex<HashMap<String, Arc<JumpHost>>>,
    /// The known keys of hosts that were looked up and have not been connected to since.
    known_keys: Mutex<HashMap<String, HostKeys>>,
    pub(super) unsupported: Mutex<UnsupportedOptions>,
}

/// Options in the ssh configuration that convoy does not support.
#[derive(Default)]
pub(super) struct UnsupportedOptions {
    /// The names and values that were found: most of them apply to all hosts.
    pub(super) found: HashSet<(String, String)>,
    /// Warnings that have not been shown yet.
    pub(super) warnings: Vec<String>,
}

/// A jump host.
#[derive(Default)]
struct JumpHost {
    attempts: tokio::sync::Mutex<Attempts>,
    /// The number of attempts, for those who wait for the lock.
    count: AtomicU64,
}

/// Attempts to connect to a jump host.
#[derive(Default)]
struct Attempts {
    count: u64,
    last: Option<Result<Arc<Session>, Reason>>,
}

/// The stream to a node, with what it runs over.
struct Transport {
    stream: GreetingRecorder,
    jump_host: Option<Arc<Session>>,
    program: Option<Program>,
}

impl Connector {
    /// Connects to a node, checks its host key and logs in, within `target.connect_timeout`. Connecting to jump hosts
    /// takes additional time.
    ///
    /// # Errors
    /// [`Unreachable`] with what failed: name, network, jump host, host key or login.
    pub async fn connect(&self, target: &Target) -> Result<Session, Unreachable> {
        Ok(self.open(target).await?)
    }

    /// Returns whether known_hosts has no key of a node, or of a jump host on the way to it. Contacts neither. If a
    /// file cannot be read, the key counts as known: connecting reports the error.
    pub async fn has_unknown_host_key(&self, target: &Target) -> bool {
        let strict = target.host_key_checking == HostKeyChecking::Strict;
        if strict && let Ok(known) = self.known_keys(target).await {
            if known.is_empty() {
                return true;
            }
            lock(&self.known_keys).insert(known_keys_id(target), known);
        }
        match &target.route {
            Route::Jump(hop) => Box::pin(self.has_unknown_host_key(hop)).await,
            Route::Direct | Route::Command(_) => false,
        }
    }

    /// Decrypts a key for the connections that follow; returns whether the passphrase is right.
    pub fn unlock(&self, file: &Path, passphrase: &str) -> bool {
        self.keys.unlock(file, passphrase)
    }

    /// Returns warnings about options in the ssh configuration that convoy does not support, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.unsupported).warnings)
    }

    /// Closes the connections to jump hosts.
    pub async fn close(&self) {
        let jump_hosts: Vec<_> = lock(&self.jump_hosts).drain().collect();
        for (_, jump_host) in jump_hosts {
            if let Some(Ok(session)) = jump_host.attempts.lock().await.last.take()
                && let Some(session) = Arc::into_inner(session)
            {
                session.close().await;
            }
        }
    }

    async fn open(&self, target: &Target) -> Result<Session, Reason> {
        let known = self.known_keys(target).await?;
        let jump_host = match &target.route {
            Route::Jump(hop) => Some((hop.host.clone(), self.jump_host(hop).await?)),
            _ => None,
        };
        let deadline = Instant::now() + target.connect_timeout;
        let user = target.login_name()?;
        let Transport { stream, jump_host, program } = transport(target, jump_host, deadline).await?;
        let peer = target.peer();
        let greeting = stream.greeting();
        let disconnect = DisconnectMessage::default();
        let config = Arc::new(client::Config {
            preferred: algorithms::preferred(&known),
            keepalive_interval: Some(target.alive_interval),
            keepalive_max: target.alive_count,
            ..client::Config::default()
        });
        let checker = HostKeyChecker::new(target, known, disconnect.clone());
        let mut handle = match timeout_at(deadline, client::connect_stream(config, stream, checker)).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => {
                let reason = error.into_reason(peer, &greeting.text(), disconnect.get());
                // If a program ended, its own message says more than the closed connection.
                let of_program = match (program, &reason) {
                    (Some(program), Reason::Closed { .. } | Reason::Protocol { .. }) => {
                        program.reason().await
                    }
                    _ => None,
                };
                return Err(of_program.unwrap_or(reason));
            }
            Err(_) => {
                let silent = greeting.text().is_empty();
                return Err(Reason::HandshakeTimeout { peer, after: target.connect_timeout, silent });
            }
        };
        match timeout_at(deadline, auth::login(&mut handle, target, &self.keys, &user, &disconnect)).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(Reason::LoginTimeout { peer, user, after: target.connect_timeout }),
        }
        let underlay = jump_host
            .map(|session| Box::new(session) as Underlay)
            .or(program.map(|program| Box::new(program) as Underlay));
        Ok(Session::new(handle, peer, disconnect, underlay))
    }

    /// Returns the known keys of a node. Reading a long file of hashed names takes milliseconds, so it happens on a
    /// thread of its own, and a result that was read to look for unknown keys is used for connecting.
    async fn known_keys(&self, target: &Target) -> Result<HostKeys, Reason> {
        if target.host_key_checking == HostKeyChecking::Off {
            return Ok(HostKeys::default());
        }
        let looked_up = lock(&self.known_keys).remove(&known_keys_id(target));
        if let Some(known) = looked_up {
            return Ok(known);
        }
        let (files, revoked) = (target.known_hosts_files(), target.revoked.clone());
        let (name, port) = target.known_hosts_name();
        let name = name.to_owned();
        let lookup = move || HostKeys::lookup(&files, &name, port)?.with_revoked(revoked.as_deref());
        match tokio::task::spawn_blocking(lookup).await {
            Ok(known) => known,
            Err(error) => Err(Reason::Protocol { doing: "reading known_hosts", detail: error.to_string() }),
        }
    }

    /// Returns the connection to a jump host, which all hosts behind it share. Of those who wait during a failed
    /// attempt, all get its error; whoever comes later tries again.
    async fn jump_host(&self, target: &Target) -> Result<Arc<Session>, Reason> {
        let id = format!(
            "{:?}",
            (&target.address, target.port, &target.user, &target.identity_files, &target.route)
        );
        let jump_host = lock(&self.jump_hosts).entry(id).or_default().clone();
        let count = jump_host.count.load(Ordering::Acquire);
        let mut attempts = jump_host.attempts.lock().await;
        match &attempts.last {
            Some(Ok(session)) if !session.is_closed() => return Ok(session.clone()),
            Some(Err(reason)) if attempts.count > count => return Err(reason.clone()),
            _ => {}
        }
        let opened = Box::pin(self.open(target)).await.map(Arc::new).map_err(|reason| match reason {
            // The message names the jump host before it already.
            reason @ (Reason::JumpHost { .. } | Reason::NoForward { .. }) => reason,
            reason => Reason::JumpHost { hop: target.host.clone(), reason: Box::new(reason) },
        });
        attempts.count += 1;
        jump_host.count.store(attempts.count, Ordering::Release);
        attempts.last = Some(opened.clone());
        opened
    }
}

/// Opens the stream to a node; `jump_host` is the name and the session of its jump host.
async fn transport(
    target: &Target,
    jump_host: Option<(String, Arc<Session>)>,
    deadline: Instant,
) -> Result<Transport, Reason> {
    let peer = target.peer();
    match (&target.route, jump_host) {
        (Route::Command(command), _) => {
            let (stream, program) = ProxyCommand::start(command)?;
            Ok(Transport { stream: GreetingRecorder::new(stream), jump_host: None, program: Some(program) })
        }
        (Route::Jump(_), Some((name, session))) => {
            let channel = timeout_at(deadline, session.forward(&peer, &name)).await.unwrap_or_else(|_| {
                Err(Reason::NoForward { hop: name, peer, detail: "got no answer from" })
            })?;
            Ok(Transport { stream: GreetingRecorder::new(channel), jump_host: Some(session), program: None })
        }
        _ => {
            let stream = tcp::connect(&peer, target.family, deadline, target.connect_timeout).await?;
            Ok(Transport { stream: GreetingRecorder::new(stream), jump_host: None, program: None })
        }
    }
}

/// Returns what identifies the known keys of a target.
fn known_keys_id(target: &Target) -> String {
    format!("{:?}", (target.known_hosts_name(), &target.known_hosts, &target.revoked))
}
