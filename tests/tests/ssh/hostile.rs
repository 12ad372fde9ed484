//! Servers that misbehave: each results in an error within a few seconds, and in bounded memory.

use std::process::Command;
use std::time::{Duration, Instant};

use convoy::ssh::RemoteCommand;
use convoy_tests::sshd::output;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::client::{Client, connect, connection_error, run};

/// Starts a server that sends `first`, then `repeated` for ever with a pause in between. Returns its port.
async fn start_server(first: Vec<u8>, repeated: Vec<u8>, pause: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (first, repeated) = (first.clone(), repeated.clone());
            tokio::spawn(async move {
                // Until the client disconnects.
                let mut going = socket.write_all(&first).await;
                while going.is_ok() && !repeated.is_empty() {
                    going = socket.write_all(&repeated).await;
                    tokio::time::sleep(pause).await;
                }
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest).await;
            });
        }
    });
    port
}

/// Returns an unencrypted SSH packet.
fn unencrypted_packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = u32::try_from(payload.len() + padding + 1).unwrap();
    [&length.to_be_bytes()[..], &[u8::try_from(padding).unwrap()], payload, &vec![0; padding]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_breaks_the_protocol_is_rejected_within_seconds() {
    let client = Client::new();
    let greeting = || b"SSH-2.0-Hostile\r\n".to_vec();
    let ignore = unencrypted_packet(&[2, 0, 0, 0, 4, b'x', b'x', b'x', b'x']);
    let drip = vec![b'S'];
    let (none, now) = (Vec::new(), Duration::ZERO);
    let long = "A".repeat(80);
    let cases = [
        (
            "floods without a line",
            vec![b'A'; 4096],
            vec![b'A'; 65536],
            now,
            format!("not an SSH server; it sent {long:?}"),
        ),
        (
            "floods with lines",
            b"hello\n".to_vec(),
            b"hello\n".repeat(1000),
            now,
            "not an SSH server; it sent \"hello\"".to_owned(),
        ),
        (
            "drips",
            b"SSH-2.0-".to_vec(),
            drip,
            Duration::from_millis(100),
            "did not finish the SSH key exchange within 1 s".to_owned(),
        ),
        ("sends a giant length", [greeting(), vec![0xff; 64]].concat(), none.clone(), now, String::new()),
        ("sends an empty packet", [greeting(), vec![0; 64]].concat(), none.clone(), now, String::new()),
        (
            "sends noise",
            [greeting(), unencrypted_packet(&[20; 40])].concat(),
            vec![0x55; 65536],
            now,
            String::new(),
        ),
        ("never comes to the point", greeting(), ignore.repeat(100), now, String::new()),
        ("never answers", greeting(), none, now, "did not finish the SSH key exchange within 1 s".to_owned()),
    ];
    for (what, first, repeated, pause, expected) in cases {
        let port = start_server(first, repeated, pause).await;
        let mut target = client.target("deploy", port, "");
        target.connect_timeout = Duration::from_secs(1);
        let started_at = Instant::now();
        let error = connection_error(&target).await;
        let start = "Failed to connect to the host via ssh: ";
        assert!(
            error.starts_with(start) && error.contains(&format!("127.0.0.1 port {port}: {expected}")),
            "{what}: {error}"
        );
        assert!(started_at.elapsed() < Duration::from_secs(5), "{what}: {:?}", started_at.elapsed());
    }
    let peak = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak =
        peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
    assert!(peak.parse::<u64>().unwrap() < 300_000, "{peak} kB");
}

#[tokio::test]
async fn a_server_that_stops_responding_is_detected() {
    let client = Client::new();
    let (_sshd, mut target) = client.sshd();
    target.alive_interval = Duration::from_secs(1);
    target.alive_count = 2;
    let session = connect(&target).await;
    let (server_pid, ..) = run(&session, "echo $PPID", b"").await;
    let server_pid = String::from_utf8(server_pid).unwrap();
    let RemoteCommand { mut stream, .. } = session.exec("cat").await.unwrap();
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    output(Command::new("kill").args(["-STOP", server_pid.trim()])).unwrap();
    let silent =
        tokio::time::timeout(Duration::from_secs(15), stream.read_u8()).await.expect("an error within 15 s");
    let error = silent.unwrap_err().to_string();
    output(Command::new("kill").args(["-CONT", server_pid.trim()])).unwrap();
    assert_eq!(error, "the connection to the node was lost");
}

#[tokio::test]
async fn flow_control_limits_memory_in_both_directions() {
    let client = Client::new();
    let (_sshd, target) = client.sshd();
    let session = connect(&target).await;
    let RemoteCommand { mut stream, .. } = session.exec("sleep 1000").await.unwrap();
    let much = vec![0; 64 << 20];
    let stuck = tokio::time::timeout(Duration::from_secs(2), stream.write_all(&much)).await;
    assert!(stuck.is_err(), "64 MiB do not fit into a window");
    drop(stream);
    drop(session);
    let session = connect(&target).await;
    let RemoteCommand { mut stream, .. } = session.exec("yes").await.unwrap();
    // The command now waits until its output is read.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut some = [0; 4];
    stream.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"y\ny\n");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let now =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().trim_end_matches(" kB");
    assert!(now.parse::<u64>().unwrap() < 300_000, "{now} kB");
}
