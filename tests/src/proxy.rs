//! A slow or broken network link to a node: a TCP proxy on loopback that delays, holds back or disconnects.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often to check whether traffic is still held back.
const TICK: Duration = Duration::from_millis(5);

/// A proxy to one port of this machine. It adds latency in both directions and does not limit the bandwidth.
///
/// It lives as long as the process that started it.
pub struct Proxy {
    /// The port on 127.0.0.1 where it listens.
    pub port: u16,
    round_trips: Arc<AtomicU64>,
    link: Arc<LinkState>,
}

/// The state of the link that tests can change.
#[derive(Default)]
struct LinkState {
    /// Whether bytes of the client, and bytes of the server, are held back.
    held: [AtomicBool; 2],
    /// The number of bytes of the server that are held back.
    held_bytes: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl LinkState {
    fn is_held(&self, client: bool) -> bool {
        self.held[usize::from(!client)].load(Ordering::SeqCst)
    }
}

/// Counts round trips: one begins when the client sends something after the server did.
#[derive(Clone, Default)]
struct RoundTripCounter {
    client_sent_last: Arc<Mutex<bool>>,
    round_trips: Arc<AtomicU64>,
}

impl RoundTripCounter {
    fn record_sender(&self, client: bool) {
        let mut client_sent_last = self.client_sent_last.lock().unwrap_or_else(PoisonError::into_inner);
        if client && !*client_sent_last {
            self.round_trips.fetch_add(1, Ordering::Relaxed);
        }
        *client_sent_last = client;
    }
}

impl Proxy {
    /// Starts a proxy to a port that delays each direction by `delay`.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn start(to: u16, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let round_trips = Arc::new(AtomicU64::new(0));
        let counted = round_trips.clone();
        let link = Arc::<LinkState>::default();
        let link_state = link.clone();
        thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming().flatten() {
                // The TCP handshake is a round trip as well.
                thread::sleep(delay * 2);
                while link_state.is_held(true) {
                    thread::sleep(TICK);
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                let counter =
                    RoundTripCounter { round_trips: counted.clone(), ..RoundTripCounter::default() };
                if let (Ok(from), Ok(back)) = (client.try_clone(), server.try_clone()) {
                    let ends = [&from, &back].into_iter().filter_map(|end| end.try_clone().ok());
                    link_state.streams.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
                    forward(from, server, delay, counter.clone(), &link_state, true);
                    forward(back, client, delay, counter, &link_state, false);
                }
            }
        })?;
        Ok(Self { port, round_trips, link })
    }

    /// Closes all open connections.
    pub fn disconnect(&self) {
        for stream in self.link.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Sets whether to hold back what the client sends, including new connections, and what the server sends.
    pub fn hold(&self, client: bool, server: bool) {
        self.link.held_bytes.store(0, Ordering::SeqCst);
        self.link.held[0].store(client, Ordering::SeqCst);
        self.link.held[1].store(server, Ordering::SeqCst);
    }

    /// Returns the number of bytes of the server that were held back since the last [`hold`](Self::hold).
    pub fn held_bytes(&self) -> u64 {
        self.link.held_bytes.load(Ordering::SeqCst)
    }

    /// Returns the number of round trips in all connections so far.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }
}

/// Forwards bytes with a delay: one thread reads without waiting, another one writes each chunk when it is due.
fn forward(
    mut from: TcpStream,
    mut to: TcpStream,
    delay: Duration,
    counter: RoundTripCounter,
    link: &Arc<LinkState>,
    client: bool,
) {
    let _ = to.set_nodelay(true);
    let (link, reader_link) = (link.clone(), link.clone());
    let (sender, delayed) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if !client && reader_link.is_held(false) {
                reader_link.held_bytes.fetch_add(n as u64, Ordering::SeqCst);
            }
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in delayed {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            while link.is_held(client) {
                thread::sleep(TICK);
            }
            counter.record_sender(client);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Tell the other end that this one has closed.
        let _ = to.shutdown(Shutdown::Write);
    });
}
