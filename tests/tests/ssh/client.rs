//! A client with its own key and `known_hosts` file, and helpers to connect and run commands.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use convoy::demo::{EmbeddedNode, NodeOptions};
use convoy::ssh::{ByteStream, Connector, Exit, PublicKey, RemoteCommand, Session, Target};
use convoy_tests::sshd::{ClientKey, Sshd, SshdOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A directory with a key and a `known_hosts` file. Nothing of the user's is read.
pub(crate) struct Client {
    pub(crate) dir: TempDir,
    pub(crate) key: ClientKey,
}

impl Client {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let key = ClientKey::generate(dir.path(), "ed25519").expect("a key");
        Self { dir, key }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the `known_hosts` file and returns a target on loopback.
    pub(crate) fn target(&self, user: &str, port: u16, known_hosts: &str) -> Target {
        fs::write(self.path("known_hosts"), known_hosts).expect("a known_hosts file");
        let mut target = Target::new("web1", "127.0.0.1");
        target.port = port;
        target.user = Some(user.to_owned());
        target.agent = None;
        target.identity_files = vec![self.key.path.clone()];
        target.known_hosts = Some(vec![self.path("known_hosts")]);
        target.connect_timeout = Duration::from_secs(60);
        target
    }

    /// Starts an sshd that accepts the client's key.
    pub(crate) fn sshd(&self) -> (Sshd, Target) {
        self.sshd_with(&SshdOptions::new(&self.key))
    }

    /// Starts an sshd that logs each step of a login.
    pub(crate) fn verbose_sshd(&self) -> (Sshd, Target) {
        let mut options = SshdOptions::new(&self.key);
        options.configuration.push("LogLevel DEBUG1".to_owned());
        self.sshd_with(&options)
    }

    /// Starts an sshd with these options.
    pub(crate) fn sshd_with(&self, options: &SshdOptions) -> (Sshd, Target) {
        // Not the user's home, where the start-up files of a shell may be slow or print something.
        let home = options.home.clone().unwrap_or_else(|| self.path("."));
        let sshd = Sshd::start(&SshdOptions { home: Some(home), ..options.clone() }).expect("sshd");
        let target =
            self.target(&sshd.user, sshd.port, &sshd.known_hosts(options.host_key_types[0]).expect("a key"));
        (sshd, target)
    }

    /// Starts an embedded node that accepts the client's key.
    pub(crate) fn node(&self) -> (EmbeddedNode, Target) {
        let key = PublicKey::from_openssh(&self.key.public).expect("a public key");
        let node = EmbeddedNode::start(NodeOptions::new(self.path("node"), "deploy", key)).expect("a node");
        let target = self.target("deploy", node.port, &node.known_hosts_line());
        (node, target)
    }
}

pub(crate) async fn connect(target: &Target) -> Session {
    Connector::default().connect(target).await.expect("a session")
}

/// Returns the error of a connection that must fail.
pub(crate) async fn connection_error(target: &Target) -> String {
    match Connector::default().connect(target).await {
        Ok(_) => "connected".to_owned(),
        Err(unreachable) => unreachable.to_string(),
    }
}

/// Runs a command to its end and returns its output, the end of its standard error, and its exit status.
pub(crate) async fn run(session: &Session, command: &str, input: &[u8]) -> (Vec<u8>, String, Exit) {
    let RemoteCommand { mut stream, process } = session.exec(command).await.expect("a command");
    stream.write_all(input).await.expect("room for the input");
    stream.shutdown().await.expect("the end of the input");
    let mut output = Vec::new();
    stream.read_to_end(&mut output).await.expect("output");
    let exit = process.wait().await;
    (output, process.stderr_tail(), exit)
}

/// Asserts that the target can be connected to and runs commands.
pub(crate) async fn assert_connects(target: &Target) {
    let session = connect(target).await;
    assert_eq!(run(&session, "cat", b"hello").await, (b"hello".to_vec(), String::new(), Exit::Status(0)));
    session.close().await;
}

/// Reads a process id and returns the path of a file that exists as long as the process does.
pub(crate) async fn read_process_file(stream: &mut ByteStream) -> PathBuf {
    let mut line = String::new();
    while !line.ends_with('\n') {
        line.push(char::from(stream.read_u8().await.expect("a line")));
    }
    let status = PathBuf::from(format!("/proc/{}/stat", line.trim()));
    assert!(status.exists());
    status
}
