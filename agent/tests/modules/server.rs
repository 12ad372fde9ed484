//! An HTTP server, with or without TLS, that answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The first line.
    pub(crate) line: String,
    /// The headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    secure: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Answer = fn(&Asked) -> String;

impl Server {
    pub(crate) fn new(answer: Answer) -> Self {
        Self::start(None, answer)
    }

    pub(crate) fn secure(config: ServerConfig, answer: Answer) -> Self {
        Self::start(Some(Arc::new(config)), answer)
    }

    fn start(tls: Option<Arc<ServerConfig>>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stopped, secure) = (Arc::clone(&asked), Arc::clone(&stop), tls.is_some());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.unwrap();
                // One who hangs up in the middle is no fault of the server.
                let _ = match &tls {
                    None => serve(stream, &log, answer),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(StreamOwned::new(connection, stream), &log, answer)
                    }
                };
            }
        });
        Self { address, secure, asked, stop, thread: Some(thread) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.address.port())
    }

    /// Returns what was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect_timeout(&self.address, Duration::from_secs(5)));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(stream: impl Read + Write, log: &Mutex<Vec<Asked>>, answer: Answer) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header)? == 0 || header == "\r\n" {
            break;
        }
        let (name, value) = header.trim().split_once(": ").unwrap();
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let asked =
        Asked { line: line.trim().to_owned(), headers, body: String::from_utf8_lossy(&body).into_owned() };
    let reply = answer(&asked);
    log.lock().unwrap().push(asked);
    let stream = stream.get_mut();
    stream.write_all(reply.as_bytes())?;
    stream.flush()
}

/// Returns an answer with this status, these headers and this content.
pub(crate) fn reply(status: &str, headers: &str, content: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{content}", content.len())
}

/// Makes a certificate for `localhost` that is signed by itself, and may sign others if `ca` says so; returns the files
/// of it and of its key.
pub(crate) fn certificate(directory: &Path, name: &str, ca: bool) -> (String, String) {
    let file = |end: &str| directory.join(format!("{name}.{end}")).to_string_lossy().into_owned();
    let (config, cert, key) = (file("cnf"), file("crt"), file("key"));
    let may = if ca { "TRUE" } else { "FALSE" };
    let text = format!(
        "[req]\nprompt=no\ndistinguished_name=who\nx509_extensions=more\n[who]\nCN=localhost\n\
         [more]\nbasicConstraints=critical,CA:{may}\nsubjectAltName=DNS:localhost\n"
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-config", &config, "-out", &cert, "-keyout", &key])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (cert, key)
}

/// Returns how a server with this certificate talks TLS; with `client`, only to who has that certificate.
pub(crate) fn tls(cert: &str, key: &str, client: Option<&str>) -> ServerConfig {
    let read =
        |path: &str| CertificateDer::pem_file_iter(path).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(read(path));
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(read(cert), PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
}
