//! A node in this process: an SSH server on the loopback interface that runs commands in a directory of its own.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::sync::{mpsc, oneshot};

use super::command::{Children, Command};
use super::options::NodeOptions;

/// How long killed commands may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// A running node. Dropping it closes its connections and kills its commands.
pub struct EmbeddedNode {
    /// The port on 127.0.0.1 that it listens on.
    pub port: u16,
    /// Its host key, generated for this node.
    pub host_public_key: PublicKey,
    /// Its options.
    pub options: NodeOptions,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedNode {
    /// Starts a node on a free port, with a thread and a host key of its own. Makes its home directory.
    ///
    /// # Errors
    /// If the directory, the socket, the key or the thread cannot be created.
    pub fn start(options: NodeOptions) -> io::Result<Self> {
        std::fs::create_dir_all(&options.home)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let mut rng = russh::keys::key::safe_rng();
        let host_key = PrivateKey::random(&mut rng, Algorithm::Ed25519).map_err(io::Error::other)?;
        let host_public_key = host_key.public_key().clone();
        let config = Arc::new(server_config(host_key));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = options.clone();
        let thread = std::thread::Builder::new().name(format!("node-{port}")).spawn(move || {
            // If the accept loop fails, the port is closed, which a client reports.
            let _ = runtime.block_on(serve(listener, config, shared, stopped));
        })?;
        Ok(Self { port, host_public_key, options, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the known_hosts line for the node's key.
    pub fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.host_public_key.to_openssh().unwrap_or_default())
    }
}

impl Drop for EmbeddedNode {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The message of a panic there has been printed already.
            let _ = thread.join();
        }
    }
}

fn server_config(host_key: PrivateKey) -> Config {
    Config {
        keys: vec![host_key],
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        // All clients are on this machine: there is no attacker to slow down.
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}

/// Serves connections until `stopped`, then kills the commands that are still running.
async fn serve(
    listener: TcpListener,
    config: Arc<Config>,
    options: NodeOptions,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (options, children) = (Arc::new(options), Children::default());
    let (running, mut all_ended) = mpsc::channel::<()>(1);
    loop {
        let socket = tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => accepted?.0,
        };
        socket.set_nodelay(true)?;
        let connection = Connection {
            options: options.clone(),
            children: children.clone(),
            channels: HashMap::new(),
            running: running.clone(),
        };
        let config = config.clone();
        tokio::spawn(async move {
            if let Ok(session) = russh::server::run_stream(config, socket, connection).await {
                // How a connection ends matters only to the client.
                let _ = session.await;
            }
        });
    }
    drop(running);
    children.kill();
    // Connections that are still open hold a clone of `running`, hence the time limit.
    let _ = tokio::time::timeout(END_TIMEOUT, children.all_ended()).await;
    all_ended.close();
    Ok(())
}

/// One client.
struct Connection {
    options: Arc<NodeOptions>,
    children: Children,
    /// Channels without a command so far.
    channels: HashMap<ChannelId, Channel<Msg>>,
    running: mpsc::Sender<()>,
}

impl Connection {
    fn admits(&self, user: &str, key: &PublicKey) -> Auth {
        let known = user == self.options.user && key.key_data() == self.options.authorized.key_data();
        if known { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.admits(user, offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(self.admits(user, key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        let command =
            Command { line: data.to_vec(), options: self.options.clone(), children: self.children.clone() };
        match command.start() {
            Ok(command) => {
                session.channel_success(id)?;
                let (handle, running) = (session.handle(), self.running.clone());
                tokio::spawn(async move {
                    command.serve(channel, handle).await;
                    drop(running);
                });
                Ok(())
            }
            Err(error) => {
                tracing::warn!("the node cannot start sh: {error}");
                session.channel_failure(id)
            }
        }
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }
}
