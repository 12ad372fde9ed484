//! The transport: one authenticated SSH connection to a node, and commands on it.

mod algorithms;
mod auth;
mod error;
mod host_key;
mod identity;
mod known_hosts;
mod session;
mod target;
mod tcp;

pub use error::{NewHostKey, Reason, Unreachable};
pub use russh::keys::{PrivateKey, PublicKey};
pub use session::{ByteStream, Exit, Process, Running, Session};
pub use target::{HostKeyChecking, Target};

use std::sync::Arc;
use std::time::Duration;

use russh::client;
use tokio::time::{Instant, timeout_at};

use error::Peer;
use host_key::{Checker, Heard};
use known_hosts::Known;

/// How often the node is asked for a sign of life on an idle connection.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Connects to a node, checks its host key and logs in, all within `target.connect_timeout`.
///
/// # Errors
/// [`Unreachable`] says what stood in the way: name, network, host key or login.
pub async fn connect(target: &Target) -> Result<Session, Unreachable> {
    let deadline = Instant::now() + target.connect_timeout;
    let peer = Peer { address: target.address.clone(), port: target.port };
    let user = target.login_name()?;
    let known = known_hosts(target).await?;
    let stream = tcp::connect(&peer, deadline, target.connect_timeout).await?;
    let greeting = stream.greeting();

    let heard = Heard::default();
    let config = Arc::new(client::Config {
        preferred: algorithms::preferred(&known),
        keepalive_interval: Some(KEEPALIVE),
        ..client::Config::default()
    });
    let checker = Checker::new(target, known, heard.clone());
    let mut handle = match timeout_at(deadline, client::connect_stream(config, stream, checker)).await {
        Ok(Ok(handle)) => handle,
        Ok(Err(halt)) => return Err(halt.into_reason(peer, &greeting.text(), heard.goodbye()).into()),
        Err(_) => {
            let silent = greeting.text().is_empty();
            return Err(Reason::HandshakeTimeout { peer, after: target.connect_timeout, silent }.into());
        }
    };
    match timeout_at(deadline, auth::login(&mut handle, target, &user, &heard)).await {
        Ok(outcome) => outcome?,
        Err(_) => return Err(Reason::LoginTimeout { peer, user, after: target.connect_timeout }.into()),
    }
    Ok(Session::new(handle, peer, heard))
}

/// Reading a long file of hashed names costs milliseconds, so it leaves the event loop alone.
async fn known_hosts(target: &Target) -> Result<Known, Reason> {
    if target.host_key_checking == HostKeyChecking::Off {
        return Ok(Known::default());
    }
    let files = target.known_hosts_files();
    let (name, port) = target.recorded_as();
    let name = name.to_owned();
    let lookup = tokio::task::spawn_blocking(move || Known::lookup(&files, &name, port));
    match lookup.await {
        Ok(known) => known,
        Err(gone) => Err(Reason::Protocol { doing: "reading known_hosts", detail: gone.to_string() }),
    }
}
