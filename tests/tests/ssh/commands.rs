//! Commands on a session: input, output, exit status and lost connections.

use std::fs;
use std::io;

use convoy::ssh::{Exit, HostKeyChecking, RemoteCommand, Target};
use convoy_tests::sshd::poll;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, connect, read_process_file, run};

#[tokio::test]
async fn exit_status_signal_and_standard_error_of_a_command_are_reported() {
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

/// Returns bytes whose period is no power of two, so that a lost or repeated packet changes them.
fn aperiodic_bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect()
}

async fn assert_data_passes_both_ways(target: &Target) {
    let session = connect(target).await;
    let RemoteCommand { stream, process } = session.exec("cat").await.expect("a command");
    let (mut from, mut to) = tokio::io::split(stream);
    let sent = aperiodic_bytes(20_000_000);
    let writing = tokio::spawn(async move {
        to.write_all(&sent).await.expect("room");
        to.shutdown().await.expect("the end of the input");
        to
    });
    let mut received = Vec::new();
    from.read_to_end(&mut received).await.expect("output");
    let _to = writing.await.expect("a writer");
    assert!(received == aperiodic_bytes(20_000_000), "{} bytes came back", received.len());
    assert_eq!(process.wait().await, Exit::Status(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_data_passes_both_ways_with_sshd() {
    let client = Client::new();
    let (_sshd, target) = client.sshd();
    assert_data_passes_both_ways(&target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_data_passes_both_ways_with_an_embedded_node() {
    let client = Client::new();
    let (_node, target) = client.node();
    assert_data_passes_both_ways(&target).await;
}

#[tokio::test]
async fn dropping_the_stream_ends_the_command() {
    let client = Client::new();
    let (_sshd, target) = client.sshd();
    let session = connect(&target).await;
    let RemoteCommand { mut stream, process } = session.exec("echo $$; exec cat").await.unwrap();
    let status = read_process_file(&mut stream).await;
    assert_eq!(process.exit(), None);
    drop(stream);
    assert_eq!(process.wait().await, Exit::Lost);
    poll(|| Ok((!status.exists()).then_some(()))).unwrap();
    assert_eq!(run(&session, "echo still here", b"").await.0, b"still here\n");
}

/// Forwards one connection to a port until the task is aborted.
async fn forward_one_connection(to: u16) -> (u16, tokio::task::JoinHandle<()>) {
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
async fn reads_and_writes_fail_when_the_connection_is_lost() {
    let client = Client::new();
    let (_node, mut target) = client.node();
    let (port, forwarding) = forward_one_connection(target.port).await;
    (target.port, target.host_key_checking) = (port, HostKeyChecking::Off);
    let session = connect(&target).await;
    let RemoteCommand { mut stream, process } = session.exec("echo $$; exec sleep 1000").await.unwrap();
    let _status = read_process_file(&mut stream).await;
    let (mut from, mut to) = tokio::io::split(stream);
    let writing = tokio::spawn(async move {
        loop {
            if let Err(error) = to.write_all(&[0; 32768]).await {
                return error.kind();
            }
        }
    });
    forwarding.abort();
    let error = from.read_to_end(&mut Vec::new()).await.unwrap_err();
    let expected = (io::ErrorKind::ConnectionReset, "the connection to the node was lost".to_owned());
    assert_eq!((error.kind(), error.to_string()), expected);
    assert_eq!(writing.await.unwrap(), io::ErrorKind::BrokenPipe);
    assert_eq!(process.wait().await, Exit::Lost);
    let error_after_loss = session.exec("true").await.err().map(|unreachable| unreachable.to_string());
    let expected = format!(
        "Failed to connect to the host via ssh: 127.0.0.1 port {port}: the server closed the connection after the login"
    );
    assert_eq!(error_after_loss, Some(expected));
}
