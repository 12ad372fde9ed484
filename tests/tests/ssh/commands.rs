//! Commands: their input, output and end.

use std::fs;
use std::io;

use convoy::ssh::{Exit, HostKeyChecking, RemoteCommand, Target};
use convoy_tests::sshd::poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, connect, process_of, run};

#[tokio::test]
async fn tells_how_a_command_ended() {
    let client = Client::new();
    let (_sshd, real) = client.sshd();
    // Both targets share one file.
    let known = fs::read_to_string(client.path("known_hosts")).unwrap();
    let (node, embedded) = client.node();
    fs::write(client.path("known_hosts"), known + &node.known_hosts_line()).unwrap();
    for target in [real, embedded] {
        let session = connect(&target).await;
        assert_eq!(
            run(&session, "echo out; echo oops >&2; exit 7", b"").await,
            (b"out\n".to_vec(), "oops\n".to_owned(), Exit::Status(7))
        );
        assert_eq!(run(&session, "kill -KILL $$", b"").await.2, Exit::Signal("KILL".to_owned()));
        let (_, tail, exit) = run(&session, "seq 1 20000 >&2; echo end >&2", b"").await;
        assert_eq!((tail.len(), tail.ends_with("20000\nend\n"), exit), (8192, true, Exit::Status(0)));
    }
}

/// Bytes that repeat with no power of two, so that a lost or doubled packet shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect()
}

async fn moves_both_ways(target: &Target) {
    let session = connect(target).await;
    let RemoteCommand { stream, process } = session.exec("cat").await.expect("a command");
    let (mut from, mut to) = tokio::io::split(stream);
    let sent = pattern(20_000_000);
    let writing = tokio::spawn(async move {
        to.write_all(&sent).await.expect("room");
        to.shutdown().await.expect("the end of the input");
        to
    });
    let mut received = Vec::new();
    from.read_to_end(&mut received).await.expect("output");
    let _to = writing.await.expect("a writer");
    assert!(received == pattern(20_000_000), "{} bytes came back", received.len());
    assert_eq!(process.wait().await, Exit::Status(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_much_both_ways_over_sshd() {
    let client = Client::new();
    let (_sshd, target) = client.sshd();
    moves_both_ways(&target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_much_both_ways_over_a_node() {
    let client = Client::new();
    let (_node, target) = client.node();
    moves_both_ways(&target).await;
}

#[tokio::test]
async fn a_command_ends_with_its_stream() {
    let client = Client::new();
    let (_sshd, target) = client.sshd();
    let session = connect(&target).await;
    let RemoteCommand { mut stream, process } = session.exec("echo $$; exec cat").await.unwrap();
    let status = process_of(&mut stream).await;
    assert_eq!(process.exit(), None);
    drop(stream);
    assert_eq!(process.wait().await, Exit::Lost);
    poll(|| Ok((!status.exists()).then_some(()))).unwrap();
    assert_eq!(run(&session, "echo still here", b"").await.0, b"still here\n");
}

/// Passes one connection on to a port, until the task is aborted.
async fn relay(to: u16) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        let mut server = TcpStream::connect(("127.0.0.1", to)).await.expect("a server");
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    (port, task)
}

#[tokio::test]
async fn both_ends_notice_that_the_connection_is_gone() {
    let client = Client::new();
    let (_node, mut target) = client.node();
    let (port, cable) = relay(target.port).await;
    (target.port, target.host_key_checking) = (port, HostKeyChecking::Off);
    let session = connect(&target).await;
    let RemoteCommand { mut stream, process } = session.exec("echo $$; exec sleep 1000").await.unwrap();
    let _status = process_of(&mut stream).await;
    let (mut from, mut to) = tokio::io::split(stream);
    let writing = tokio::spawn(async move {
        loop {
            if let Err(error) = to.write_all(&[0; 32768]).await {
                return error.kind();
            }
        }
    });
    cable.abort();
    let error = from.read_to_end(&mut Vec::new()).await.unwrap_err();
    let expected = (io::ErrorKind::ConnectionReset, "the connection to the node was lost".to_owned());
    assert_eq!((error.kind(), error.to_string()), expected);
    assert_eq!(writing.await.unwrap(), io::ErrorKind::BrokenPipe);
    assert_eq!(process.wait().await, Exit::Lost);
    let gone = session.exec("true").await.err().map(|unreachable| unreachable.to_string());
    let expected = format!(
        "Failed to connect to the host via ssh: 127.0.0.1 port {port}: the server closed the connection after the login"
    );
    assert_eq!(gone, Some(expected));
}
