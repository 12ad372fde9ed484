//! Makes connections: the way to the node, the host key, the login.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use russh::client;
use tokio::time::{Instant, timeout_at};

use super::config::Configuration;
use super::error::{Reason, Unreachable};
use super::host_key::{Checker, Heard};
use super::keys::Keys;
use super::known_hosts::Known;
use super::proxy_command::{Program, ProxyCommand};
use super::session::{Carrier, Session};
use super::stream::Greeted;
use super::target::{HostKeyChecking, Route, Target};
use super::{algorithms, auth, tcp};

/// What all connections of a run share: the configuration, opened keys, and the connections to jump hosts.
#[derive(Default)]
pub struct Connector {
    pub(super) configuration: Configuration,
    pub(super) keys: Keys,
    hops: Mutex<HashMap<String, Arc<Hop>>>,
    /// What known_hosts says of hosts that were looked up and not yet connected to.
    known: Mutex<HashMap<String, Known>>,
    pub(super) unhonoured: Mutex<Unhonoured>,
}

/// Options of the ssh configuration that convoy does not have.
#[derive(Default)]
pub(super) struct Unhonoured {
    /// Name and value of those that were found: most are the same for all hosts.
    pub(super) found: HashSet<(String, String)>,
    /// What is to be said of them, and was not yet.
    pub(super) unsaid: Vec<String>,
}

/// A jump host.
#[derive(Default)]
struct Hop {
    attempts: tokio::sync::Mutex<Attempts>,
    /// How many there were, for those who wait for the next one.
    count: AtomicU64,
}

/// The connections to a jump host that were tried.
#[derive(Default)]
struct Attempts {
    count: u64,
    last: Option<Result<Arc<Session>, Reason>>,
}

/// The stream to a node, and what is behind it.
struct Way {
    stream: Greeted,
    hop: Option<Arc<Session>>,
    program: Option<Program>,
}

impl Connector {
    /// Connects to a node, checks its host key and logs in, all within `target.connect_timeout`, to which jump hosts add
    /// theirs.
    ///
    /// # Errors
    /// [`Unreachable`] says what stood in the way: name, network, jump host, host key or login.
    pub async fn connect(&self, target: &Target) -> Result<Session, Unreachable> {
        Ok(self.open(target).await?)
    }

    /// Returns whether known_hosts has nothing to say of the key of a node, or of a jump host on the way to it, without
    /// asking either. What cannot be read counts as known: connecting will tell.
    pub async fn is_unknown_on_the_way(&self, target: &Target) -> bool {
        let strict = target.host_key_checking == HostKeyChecking::Strict;
        if strict && let Ok(known) = self.known_hosts(target).await {
            if known.is_empty() {
                return true;
            }
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(known_as(target), known);
        }
        match &target.route {
            Route::Jump(hop) => Box::pin(self.is_unknown_on_the_way(hop)).await,
            Route::Direct | Route::Command(_) => false,
        }
    }

    /// Opens an encrypted key for the connections that follow; returns whether the passphrase fits.
    pub fn unlock(&self, file: &Path, passphrase: &str) -> bool {
        self.keys.unlock(file, passphrase)
    }

    /// Returns what the ssh configuration says and convoy does not do, each once.
    pub fn unhonoured(&self) -> Vec<String> {
        std::mem::take(&mut self.unhonoured.lock().unwrap_or_else(PoisonError::into_inner).unsaid)
    }

    /// Hangs up on the jump hosts.
    pub async fn close(&self) {
        let hops: Vec<_> = self.hops.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        for (_, hop) in hops {
            if let Some(Ok(session)) = hop.attempts.lock().await.last.take()
                && let Some(session) = Arc::into_inner(session)
            {
                session.close().await;
            }
        }
    }

    async fn open(&self, target: &Target) -> Result<Session, Reason> {
        let known = self.known_hosts(target).await?;
        let hop = match &target.route {
            Route::Jump(hop) => Some((hop.host.clone(), self.hop(hop).await?)),
            _ => None,
        };
        let deadline = Instant::now() + target.connect_timeout;
        let user = target.login_name()?;
        let Way { stream, hop, program } = way(target, hop, deadline).await?;
        let peer = target.peer();
        let greeting = stream.greeting();
        let heard = Heard::default();
        let config = Arc::new(client::Config {
            preferred: algorithms::preferred(&known),
            keepalive_interval: Some(target.alive_interval),
            keepalive_max: target.alive_count,
            ..client::Config::default()
        });
        let checker = Checker::new(target, known, heard.clone());
        let mut handle = match timeout_at(deadline, client::connect_stream(config, stream, checker)).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(halt)) => {
                let reason = halt.into_reason(peer, &greeting.text(), heard.goodbye());
                let better = match (program, &reason) {
                    (Some(program), Reason::Closed { .. } | Reason::Protocol { .. }) => {
                        program.reason().await
                    }
                    _ => None,
                };
                return Err(better.unwrap_or(reason));
            }
            Err(_) => {
                let silent = greeting.text().is_empty();
                return Err(Reason::HandshakeTimeout { peer, after: target.connect_timeout, silent });
            }
        };
        match timeout_at(deadline, auth::login(&mut handle, target, &self.keys, &user, &heard)).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(Reason::LoginTimeout { peer, user, after: target.connect_timeout }),
        }
        let carrier =
            hop.map(|hop| Box::new(hop) as Carrier).or(program.map(|program| Box::new(program) as Carrier));
        Ok(Session::new(handle, peer, heard, carrier))
    }

    /// Returns what known_hosts says of a node. Reading a long file of hashed names costs milliseconds, so it leaves the
    /// event loop alone, and what was read once is used once more.
    async fn known_hosts(&self, target: &Target) -> Result<Known, Reason> {
        if target.host_key_checking == HostKeyChecking::Off {
            return Ok(Known::default());
        }
        let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&known_as(target));
        if let Some(known) = before {
            return Ok(known);
        }
        let (files, revoked) = (target.known_hosts_files(), target.revoked.clone());
        let (name, port) = target.recorded_as();
        let name = name.to_owned();
        let lookup = move || Known::lookup(&files, &name, port)?.without_revoked(revoked.as_deref());
        match tokio::task::spawn_blocking(lookup).await {
            Ok(known) => known,
            Err(gone) => Err(Reason::Protocol { doing: "reading known_hosts", detail: gone.to_string() }),
        }
    }

    /// Returns the connection to a jump host, shared by all who go through it; who waited while it failed is told so.
    async fn hop(&self, target: &Target) -> Result<Arc<Session>, Reason> {
        let name = format!(
            "{:?}",
            (&target.address, target.port, &target.user, &target.identity_files, &target.route)
        );
        let hop = self.hops.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone();
        let seen = hop.count.load(Ordering::Acquire);
        let mut attempts = hop.attempts.lock().await;
        match &attempts.last {
            Some(Ok(session)) if !session.is_closed() => return Ok(session.clone()),
            Some(Err(reason)) if attempts.count > seen => return Err(reason.clone()),
            _ => {}
        }
        let opened = Box::pin(self.open(target)).await.map(Arc::new).map_err(|reason| match reason {
            // The hop before it is named already.
            reason @ (Reason::JumpHost { .. } | Reason::NoForward { .. }) => reason,
            reason => Reason::JumpHost { hop: target.host.clone(), reason: Box::new(reason) },
        });
        attempts.count += 1;
        hop.count.store(attempts.count, Ordering::Release);
        attempts.last = Some(opened.clone());
        opened
    }
}

/// Opens the stream to a node.
async fn way(target: &Target, hop: Option<(String, Arc<Session>)>, deadline: Instant) -> Result<Way, Reason> {
    let peer = target.peer();
    match (&target.route, hop) {
        (Route::Command(command), _) => {
            let (stream, program) = ProxyCommand::start(command)?;
            Ok(Way { stream: Greeted::new(stream), hop: None, program: Some(program) })
        }
        (Route::Jump(_), Some((name, session))) => {
            let channel = timeout_at(deadline, session.forward(&peer, &name)).await.unwrap_or_else(|_| {
                Err(Reason::NoForward { hop: name, peer, detail: "does not get an answer from" })
            })?;
            Ok(Way { stream: Greeted::new(channel), hop: Some(session), program: None })
        }
        _ => {
            let stream = tcp::connect(&peer, target.family, deadline, target.connect_timeout).await?;
            Ok(Way { stream: Greeted::new(stream), hop: None, program: None })
        }
    }
}

/// Tells targets apart as far as known_hosts goes.
fn known_as(target: &Target) -> String {
    format!("{:?}", (target.recorded_as(), &target.known_hosts, &target.revoked))
}
