//! Errors for hosts that cannot be reached or do not speak SSH.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::client::{Client, connection_error};

/// Starts a server that sends `greeting`, if any, on each connection and closes it unless `keep`. Returns its port.
async fn impostor(greeting: Option<&'static [u8]>, keep: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            // Read first: closing with unread data would reset the connection.
            let _ = socket.readable().await;
            let _ = socket.try_read(&mut [0; 256]);
            if let Some(greeting) = greeting {
                let _ = socket.write_all(greeting).await;
            }
            if keep {
                kept.push(socket);
            }
        }
    });
    port
}

#[tokio::test]
async fn errors_say_why_a_host_is_unreachable() {
    let client = Client::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cases = [
        (closed, "connection refused: nothing is listening there"),
        (impostor(None, true).await, "accepted the connection but sent nothing within 0.5 s"),
        (impostor(None, false).await, "the server closed the connection before it sent anything"),
        (
            impostor(Some(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"), false).await,
            "not an SSH server; it sent \"HTTP/1.1 400 Bad Request\"",
        ),
        (
            impostor(Some(b"SSH-2.0-Tarpit\r\n"), true).await,
            "did not finish the SSH key exchange within 0.5 s",
        ),
        (
            impostor(Some(b"SSH-2.0-Tarpit\r\n"), false).await,
            "the server closed the connection during the key exchange",
        ),
    ];
    for (port, reason) in cases {
        let mut target = client.target("deploy", port, "");
        target.connect_timeout = Duration::from_millis(500);
        assert_eq!(
            connection_error(&target).await,
            format!("Failed to connect to the host via ssh: 127.0.0.1 port {port}: {reason}")
        );
    }
}

#[tokio::test]
async fn an_unresolvable_name_is_reported() {
    let client = Client::new();
    let mut target = client.target("deploy", 22, "");
    // A name that cannot exist and is not looked up in DNS.
    target.address = "no such host".to_owned();
    let error = connection_error(&target).await;
    assert!(
        error.starts_with("Failed to connect to the host via ssh: cannot resolve no such host: "),
        "{error}"
    );
}
