//! A long way to a node: a TCP proxy on loopback that keeps every byte for a while, and can be cut or swallow bytes.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often is looked whether bytes are still kept back.
const TICK: Duration = Duration::from_millis(5);

/// A proxy to one port of this machine. What passes it in either direction arrives later; it does not arrive slower.
///
/// It ends with the process that made it.
pub struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    turns: Arc<AtomicU64>,
    line: Arc<Line>,
}

/// What can happen to the way.
#[derive(Default)]
struct Line {
    /// Whether bytes of the client, and of the server, are kept back.
    held: [AtomicBool; 2],
    /// How many bytes of the server are kept back.
    waiting: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Line {
    fn is_held(&self, client: bool) -> bool {
        self.held[usize::from(!client)].load(Ordering::SeqCst)
    }
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
        let line = Arc::<Line>::default();
        let way = line.clone();
        thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming().flatten() {
                // The handshake of TCP is a round trip as well.
                thread::sleep(delay * 2);
                while way.is_held(true) {
                    thread::sleep(TICK);
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                let turn = Turn { turns: counted.clone(), ..Turn::default() };
                if let (Ok(from), Ok(back)) = (client.try_clone(), server.try_clone()) {
                    let ends = [&from, &back].into_iter().filter_map(|end| end.try_clone().ok());
                    way.streams.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
                    pass(from, server, delay, turn.clone(), &way, true);
                    pass(back, client, delay, turn, &way, false);
                }
            }
        })?;
        Ok(Self { port, turns, line })
    }

    /// Ends all connections that there are.
    pub fn cut(&self) {
        for stream in self.line.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Keeps back what the client says, and new connections, and what the server says; or no longer.
    pub fn hold(&self, client: bool, server: bool) {
        self.line.waiting.store(0, Ordering::SeqCst);
        self.line.held[0].store(client, Ordering::SeqCst);
        self.line.held[1].store(server, Ordering::SeqCst);
    }

    /// Returns how many bytes of the server have been kept back since [`hold`](Self::hold).
    pub fn waiting(&self) -> u64 {
        self.line.waiting.load(Ordering::SeqCst)
    }

    /// Returns how often the client has spoken after the server had, in all connections so far.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }
}

/// Passes bytes on, each when its time has come: one thread reads at once, one writes late.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration, turn: Turn, line: &Arc<Line>, client: bool) {
    let _ = to.set_nodelay(true);
    let (line, read) = (line.clone(), line.clone());
    let (sender, late) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if !client && read.is_held(false) {
                read.waiting.fetch_add(n as u64, Ordering::SeqCst);
            }
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in late {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            while line.is_held(client) {
                thread::sleep(TICK);
            }
            turn.speaks(client);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // The other end learns that this one has ended.
        let _ = to.shutdown(Shutdown::Write);
    });
}
