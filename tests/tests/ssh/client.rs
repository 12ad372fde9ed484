//! A client without anything of the user's, and what tests do with it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use convoy::demo::{EmbeddedNode, NodeOptions};
use convoy::ssh::{ByteStream, Connector, Exit, PublicKey, RemoteCommand, Session, Target};
use convoy_tests::sshd::{ClientKey, Sshd, SshdOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A client's folder with a key and a known_hosts file, and nothing of the user's.
pub(crate) struct Client {
    pub(crate) folder: TempDir,
    pub(crate) key: ClientKey,
}

impl Client {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = ClientKey::generate(folder.path(), "ed25519").expect("a key");
        Self { folder, key }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

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

    pub(crate) fn sshd(&self) -> (Sshd, Target) {
        self.sshd_with(&SshdOptions::new(&self.key))
    }

    /// An sshd that logs each step of a login.
    pub(crate) fn talkative_sshd(&self) -> (Sshd, Target) {
        let mut options = SshdOptions::new(&self.key);
        options.configuration.push("LogLevel DEBUG1".to_owned());
        self.sshd_with(&options)
    }

    pub(crate) fn sshd_with(&self, options: &SshdOptions) -> (Sshd, Target) {
        // Not the user's home: what a shell runs there may be slow, or talk.
        let home = options.home.clone().unwrap_or_else(|| self.path("."));
        let sshd = Sshd::start(&SshdOptions { home: Some(home), ..options.clone() }).expect("sshd");
        let target =
            self.target(&sshd.user, sshd.port, &sshd.known_hosts(options.host_key_types[0]).expect("a key"));
        (sshd, target)
    }

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

pub(crate) async fn refusal(target: &Target) -> String {
    match Connector::default().connect(target).await {
        Ok(_) => "connected".to_owned(),
        Err(unreachable) => unreachable.to_string(),
    }
}

/// Runs a command to its end.
pub(crate) async fn run(session: &Session, command: &str, input: &[u8]) -> (Vec<u8>, String, Exit) {
    let RemoteCommand { mut stream, process } = session.exec(command).await.expect("a command");
    stream.write_all(input).await.expect("room for the input");
    stream.shutdown().await.expect("the end of the input");
    let mut output = Vec::new();
    stream.read_to_end(&mut output).await.expect("output");
    let exit = process.wait().await;
    (output, process.stderr_tail(), exit)
}

pub(crate) async fn echoes(target: &Target) {
    let session = connect(target).await;
    assert_eq!(run(&session, "cat", b"hello").await, (b"hello".to_vec(), String::new(), Exit::Status(0)));
    session.close().await;
}

/// Reads a process id and returns the file that is there as long as it lives.
pub(crate) async fn process_of(stream: &mut ByteStream) -> PathBuf {
    let mut line = String::new();
    while !line.ends_with('\n') {
        line.push(char::from(stream.read_u8().await.expect("a line")));
    }
    let status = PathBuf::from(format!("/proc/{}/stat", line.trim()));
    assert!(status.exists());
    status
}
