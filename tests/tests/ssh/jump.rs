//! Hosts behind other hosts: `ProxyJump` and `ProxyCommand`.

use std::fs;

use convoy::ssh::{Connector, Exit, HostSettings, Query, Target};
use convoy_tests::sshd::{Sshd, SshdOptions, poll};

use crate::client::{Client, run};

/// A client with an ssh configuration to which tests add hosts.
struct Site {
    client: Client,
    config: String,
}

impl Site {
    fn new() -> Self {
        let client = Client::new();
        fs::write(client.path("known_hosts"), "").unwrap();
        let config = format!(
            "Host *\n  HostName 127.0.0.1\n  IdentityFile {}\n  IdentityAgent none\n  UserKnownHostsFile {}\n",
            client.key.path.display(),
            client.path("known_hosts").display()
        );
        Self { client, config }
    }

    /// Adds a host with an sshd of its own.
    fn sshd(&mut self, name: &str, config: &str, configuration: &[&str]) -> Sshd {
        let mut options = SshdOptions::new(&self.client.key);
        options.home = Some(self.client.path("."));
        options.configuration.extend(configuration.iter().map(|line| (*line).to_owned()));
        let sshd = Sshd::start(&options).unwrap();
        let known = fs::read_to_string(self.client.path("known_hosts")).unwrap();
        fs::write(self.client.path("known_hosts"), known + &sshd.known_hosts("ed25519").unwrap()).unwrap();
        self.host(name, &format!("Port {}\n  {config}", sshd.port));
        sshd
    }

    fn host(&mut self, name: &str, config: &str) {
        self.config = format!("Host {name}\n  {config}\n{}", self.config);
    }

    async fn target(&self, connector: &Connector, host: &str) -> Target {
        let file = self.client.path("config");
        // Another task may be reading it.
        if fs::read_to_string(&file).ok().as_ref() != Some(&self.config) {
            fs::write(file, &self.config).unwrap();
        }
        let query =
            Query { host: host.to_owned(), file: Some(self.client.path("config")), ..Query::default() };
        let settings = HostSettings { host: host.to_owned(), query, ..HostSettings::default() };
        connector.target(&settings).await.expect("a target")
    }

    async fn connection_error(&self, host: &str) -> String {
        let connector = Connector::default();
        let target = self.target(&connector, host).await;
        match connector.connect(&target).await {
            Ok(_) => "connected".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

#[tokio::test]
async fn hosts_behind_a_jump_host_share_one_connection_to_it() {
    let mut site = Site::new();
    let hop = site.sshd("hop", "", &[]);
    let target_hosts: Vec<Sshd> =
        ["far1", "far2", "far3"].map(|name| site.sshd(name, "ProxyJump hop", &[])).into();
    let connector = Connector::default();
    let connect = async |name: &str| {
        let target = site.target(&connector, name).await;
        let session = connector.connect(&target).await.expect("a session");
        let big = vec![b'x'; 1 << 20];
        assert_eq!(run(&session, "cat", &big).await, (big, String::new(), Exit::Status(0)));
        session.close().await;
    };
    tokio::join!(connect("far1"), connect("far2"), connect("far3"));
    connector.close().await;
    assert_eq!(hop.log().matches("Accepted publickey").count(), 1, "{}", hop.log());
    assert!(target_hosts.iter().all(|host| host.log().matches("Accepted publickey").count() == 1));
    poll(|| Ok(hop.log().contains("Disconnected from user").then_some(()))).unwrap();
}

#[tokio::test]
async fn a_connection_can_pass_several_jump_hosts() {
    let mut site = Site::new();
    let first = site.sshd("first", "", &[]);
    let second = site.sshd("second", "ProxyJump never", &[]);
    let third = site.sshd("third", "ProxyJump first,second", &[]);
    let _far = site.sshd("far", "ProxyJump third", &[]);
    let connector = Connector::default();
    let target = site.target(&connector, "far").await;
    let session = connector.connect(&target).await.expect("a session");
    assert_eq!(run(&session, "cat", b"hello").await.0, b"hello");
    for hop in [&first, &second, &third] {
        assert_eq!(hop.log().matches("Accepted publickey").count(), 1, "{}", hop.log());
    }
}

#[tokio::test]
async fn errors_name_the_jump_host_that_failed() {
    let mut site = Site::new();
    let start = "Failed to connect to the host via ssh: jump host";
    let closed = 1;
    site.host("down", &format!("Port {closed}"));
    let hop = site.sshd("hop", "", &[]);
    let strict = site.sshd("strict", "", &["AllowTcpForwarding no"]);
    site.host("behind-down", "Port 22\n  ProxyJump hop,down");
    site.host("not-there", &format!("Port {closed}\n  ProxyJump hop"));
    site.host("not-allowed", &format!("Port {}\n  ProxyJump strict", hop.port));
    let denied = site.sshd("denied", "", &["AuthorizedKeysFile none"]);
    site.host("behind-denied", "ProxyJump denied");
    for (host, expected) in [
        ("behind-down", format!("{start} hop: cannot connect to 127.0.0.1 port {closed}")),
        ("not-there", format!("{start} hop: cannot connect to 127.0.0.1 port {closed}")),
        (
            "not-allowed",
            format!("{start} strict: does not allow a connection to 127.0.0.1 port {}", hop.port),
        ),
        (
            "behind-denied",
            format!(
                "{start} denied: {}@127.0.0.1: Permission denied (publickey); tried {}",
                denied.user,
                site.client.key.path.display()
            ),
        ),
    ] {
        assert_eq!(site.connection_error(host).await, expected, "{host}");
    }
    // A jump host whose key is unknown is rejected.
    let known = fs::read_to_string(site.client.path("known_hosts")).unwrap();
    let port = format!("[127.0.0.1]:{} ", strict.port);
    let without: String =
        known.lines().filter(|line| !line.starts_with(&port)).map(|line| format!("{line}\n")).collect();
    fs::write(site.client.path("known_hosts"), without).unwrap();
    let error = site.connection_error("not-allowed").await;
    assert!(
        error.starts_with(&format!("{start} strict: the host key of strict (127.0.0.1 port ")),
        "{error}"
    );
}

#[tokio::test]
async fn a_failing_jump_host_is_tried_once_for_all_waiting_hosts() {
    let mut site = Site::new();
    // It accepts connections and sends nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let counted = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok(Ok((socket, _))) =
            tokio::time::timeout(std::time::Duration::from_secs(4), listener.accept()).await
        {
            kept.push(socket);
        }
        kept.len()
    });
    site.host("hop", &format!("Port {port}\n  ConnectTimeout 1"));
    site.host("far*", "ProxyJump hop");
    let connector = Connector::default();
    let try_one = async |host: &str| {
        let target = site.target(&connector, host).await;
        connector.connect(&target).await.err().map(|error| error.to_string())
    };
    let (a, b, c) = tokio::join!(try_one("far1"), try_one("far2"), try_one("far3"));
    let expected = format!(
        "Failed to connect to the host via ssh: jump host hop: 127.0.0.1 port {port}: accepted the connection but sent \
         nothing within 1 s"
    );
    assert_eq!([a, b, c], [Some(expected.clone()), Some(expected.clone()), Some(expected)]);
    assert_eq!(counted.await.unwrap(), 1);
}

#[tokio::test]
async fn proxy_command_is_run_and_ended() {
    let mut site = Site::new();
    let _hop = site.sshd("hop", "", &[]);
    let pid = site.client.path("pid");
    let config = site.client.path("config");
    let command = format!(
        "sh -c 'sleep 1000 & echo $! > {}; exec ssh -F {} -o BatchMode=yes -W %%h:%%p hop'",
        pid.display(),
        config.display()
    );
    let _far = site.sshd("far", &format!("ProxyCommand {}", command.replace("%%", "%")), &[]);
    let connector = Connector::default();
    let target = site.target(&connector, "far").await;
    let session = connector.connect(&target).await.expect("a session");
    assert_eq!(run(&session, "cat", b"hello").await.0, b"hello");
    session.close().await;
    let sleeper = fs::read_to_string(pid).unwrap();
    let status = format!("/proc/{}/stat", sleeper.trim());
    // Its parent has ended, so the process that adopts it must reap it.
    poll(|| Ok(fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z ")).then_some(())))
        .unwrap();
}

#[tokio::test]
async fn errors_of_proxy_command_are_reported() {
    let mut site = Site::new();
    let start = "Failed to connect to the host via ssh: ";
    for (host, command, expected) in [
        ("none", "/none/nc %h", "ended with status 127 and printed "),
        ("fails", "sh -c 'echo no way >&2; exit 3'", "ended with status 3 and printed \"no way\""),
        ("silent", "true", "ended with status 0"),
        ("dies", "kill -9 $$", "was killed by a signal"),
    ] {
        site.host(host, &format!("ProxyCommand {command}"));
        let error = site.connection_error(host).await;
        let command = command.replace("%h", "127.0.0.1");
        let expected = format!("{start}ProxyCommand `{command}`: {expected}");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
    site.host("talks", "ProxyCommand echo hello");
    assert_eq!(
        site.connection_error("talks").await,
        format!("{start}127.0.0.1 port 22: not an SSH server; it sent \"hello\"")
    );
    site.host("hangs", "ConnectTimeout 1\n  ProxyCommand sleep 1000");
    assert_eq!(
        site.connection_error("hangs").await,
        format!("{start}127.0.0.1 port 22: accepted the connection but sent nothing within 1 s")
    );
}
