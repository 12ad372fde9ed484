//! Logins with a password, to a server in this process: sshd would need a real account.

use std::borrow::Cow;
use std::time::Duration;

use russh::keys::Algorithm;
use russh::server::{self, Auth, Config, Response};
use tokio::net::TcpListener;

use super::*;
use crate::ssh::{Connector, HostKeyChecking};

#[derive(Clone)]
struct Server {
    password: &'static str,
    methods: &'static [MethodKind],
    prompts: &'static [&'static str],
}

impl Server {
    fn check(&self, password: &[u8]) -> Auth {
        if password == self.password.as_bytes() { Auth::Accept } else { Auth::reject() }
    }

    async fn start(self) -> u16 {
        let host_key =
            PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).expect("a key");
        let config = Arc::new(Config {
            keys: vec![host_key],
            methods: MethodSet::from(self.methods),
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let session = server::run_stream(config.clone(), socket, self.clone()).await;
                tokio::spawn(async { session.ok()?.await.ok() });
            }
        });
        port
    }
}

impl server::Handler for Server {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        let offered = self.methods.contains(&MethodKind::Password);
        Ok(if offered { self.check(password.as_bytes()) } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(response) = response else {
            let prompts: Vec<_> = self.prompts.iter().map(|prompt| (Cow::Borrowed(*prompt), false)).collect();
            return Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() });
        };
        let answers: Vec<_> = response.collect();
        Ok(self.check(&answers.concat()))
    }
}

/// The methods that the server offers, its prompts, the password, and the outcome.
type Case = (&'static [MethodKind], &'static [&'static str], Option<&'static str>, String);

#[tokio::test]
async fn a_password_is_sent_by_the_method_that_the_server_offers() {
    use MethodKind::{KeyboardInteractive, Password, PublicKey};
    let start = "Failed to connect to the host via ssh: deploy@127.0.0.1: ";
    let end = "; /none/id does not exist";
    let denied = |accepts| format!("{start}Permission denied ({accepts}); tried the password{end}");
    let cases: [Case; 7] = [
        (&[Password], &[], Some("sesame"), "logged in".to_owned()),
        (&[KeyboardInteractive], &["Password: "], Some("sesame"), "logged in".to_owned()),
        (&[PublicKey, Password], &[], Some("wrong"), denied("publickey")),
        (
            &[PublicKey, KeyboardInteractive],
            &["Password: "],
            Some("wrong"),
            denied("publickey,keyboard-interactive"),
        ),
        (
            &[PublicKey, KeyboardInteractive],
            &["Password: ", "Code: "],
            Some("sesame"),
            format!(
                "{start}Permission denied (publickey,keyboard-interactive); tried the password{end}; the server asks for \
                 more than a password"
            ),
        ),
        (
            &[Password],
            &[],
            Some("wrong"),
            format!("{start}the server closed the connection during the login; tried the password{end}"),
        ),
        (&[Password], &[], None, format!("{start}Permission denied (password); nothing to try{end}")),
    ];
    for (methods, prompts, password, expected) in cases {
        let mut target = Target::new("web1", "127.0.0.1");
        target.port = Server { password: "sesame", methods, prompts }.start().await;
        target.user = Some("deploy".to_owned());
        target.password = password.map(str::to_owned);
        target.agent = None;
        target.host_key_checking = HostKeyChecking::Off;
        // A configured file, though missing, replaces the default files.
        target.identity_files = vec!["/none/id".into()];
        let outcome = match Connector::default().connect(&target).await {
            Ok(session) => {
                session.close().await;
                "logged in".to_owned()
            }
            Err(unreachable) => unreachable.to_string(),
        };
        assert_eq!(outcome, expected, "{methods:?}");
    }
}
