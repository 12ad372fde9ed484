//! What is asked of a server.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use super::url::Url;

crate::choices! {
    /// Which redirects are followed.
    pub enum Follow {
        /// All.
        All = "all",
        /// None.
        No = "no",
        /// None.
        None = "none",
        /// Those of `GET` and `HEAD`.
        Safe = "safe",
        /// Those of `GET` and `HEAD`, and of `POST` by a `GET`.
        Urllib2 = "urllib2",
        /// All.
        Yes = "yes",
    }
}

/// What is sent after the headers.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file.
    File(File),
}

/// A request.
#[derive(Debug)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// Where to.
    pub url: Url,
    /// Headers, in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// Names of headers that are not sent after a redirect.
    pub unredirected: Vec<String>,
    /// What is sent.
    pub body: Body,
    /// How long to wait for the connection, and for each piece of the answer.
    pub timeout: Duration,
    /// Which redirects are followed.
    pub follow: Follow,
    /// User and password.
    pub login: Option<(String, String)>,
    /// Whether these are sent before the server asks for them.
    pub login_at_once: bool,
    /// Whether the environment's proxies are used.
    pub use_proxy: bool,
    /// Whether the answer may be compressed on its way.
    pub decompress: bool,
    /// A socket of the node, instead of the host.
    pub unix_socket: Option<PathBuf>,
    /// How `https` is checked.
    pub tls: Tls,
}

impl Request {
    /// Asks for `url` with nothing special about it.
    pub fn new(method: &str, url: Url, timeout: Duration) -> Self {
        Self {
            method: method.to_owned(),
            login: url.login.clone(),
            url,
            headers: Vec::new(),
            unredirected: Vec::new(),
            body: Body::None,
            timeout,
            follow: Follow::Urllib2,
            login_at_once: false,
            use_proxy: true,
            decompress: true,
            unix_socket: None,
            tls: Tls { validate: true, ca: None, cert: None, key: None },
        }
    }
}

/// How the two sides of a TLS connection know each other.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Whether the server's certificate is checked.
    pub validate: bool,
    /// The certificates that are trusted, instead of the node's.
    pub ca: Option<PathBuf>,
    /// Our own certificate, and maybe its key.
    pub cert: Option<PathBuf>,
    /// The key of it.
    pub key: Option<PathBuf>,
}
