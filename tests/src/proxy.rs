//! A long way to a node: a TCP proxy on loopback that keeps every byte for a while.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy to one port of this machine. What passes it in either direction arrives later; it does not arrive slower.
///
/// It ends with the process that made it.
pub struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    turns: Arc<AtomicU64>,
}

/// Which end spoke last: a question that follows an answer is another round trip.
#[derive(Clone, Default)]
struct Turn {
    client_spoke: Arc<Mutex<bool>>,
    turns: Arc<AtomicU64>,
}

impl Turn {
    fn speaks(&self, client: bool) {
        let mut client_spoke = self.client_spoke.lock().unwrap_or_else(PoisonError::into_inner);
        if client && !*client_spoke {
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
        *client_spoke = client;
    }
}

impl Proxy {
    /// Starts a proxy to a port that is `delay` away in each direction.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn start(to: u16, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let turns = Arc::new(AtomicU64::new(0));
        let counted = turns.clone();
        thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming().flatten() {
                // The handshake of TCP is a round trip as well.
                thread::sleep(delay * 2);
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                let turn = Turn { turns: counted.clone(), ..Turn::default() };
                if let (Ok(from), Ok(back)) = (client.try_clone(), server.try_clone()) {
                    pass(from, server, delay, turn.clone(), true);
                    pass(back, client, delay, turn, false);
                }
            }
        })?;
        Ok(Self { port, turns })
    }

    /// Returns how often the client has spoken after the server had, in all connections so far.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }
}

/// Passes bytes on, each when its time has come: one thread reads at once, one writes late.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration, turn: Turn, client: bool) {
    let _ = to.set_nodelay(true);
    let (sender, late) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in late {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            turn.speaks(client);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other end learns that this one has ended.
        let _ = to.shutdown(Shutdown::Write);
    });
}
