//! HTTP/1.1 and HTTPS, one request per connection: what `uri` and `get_url` need, and no more.
//!
//! Names of hosts are resolved as everywhere in the agent ([`Look::addresses`]), never by libc.

mod args;
mod body;
mod connect;
mod error;
mod exchange;
mod proxy;
mod tls;
pub mod url;

use std::fs::File;
use std::io::{self, Read, Seek, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use args::HttpArgs;
pub use error::Error;
pub use url::Url;

use crate::failure::Failure;
use crate::system::{Look, cannot};

/// How many redirects are followed.
const REDIRECTS: usize = 10;

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

/// An answer.
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Such as `OK`.
    pub reason: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Where it came from, after redirects.
    pub url: Url,
    /// Cookies that were set on the way, names and values.
    pub cookies: Vec<(String, String)>,
    /// Its content.
    pub body: Box<dyn Read>,
}

/// Returns cookies as a header has them.
pub fn joined(cookies: &[(String, String)]) -> String {
    cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

impl Response {
    /// Returns a header; of several with this name all, joined by commas.
    pub fn header(&self, name: &str) -> Option<String> {
        let all: Vec<&str> =
            self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn own_cookies(&self) -> Vec<(String, String)> {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        let pairs = set.filter_map(|(_, value)| value.split(';').next()?.split_once('='));
        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// Sends a request and returns the answer, whatever its status.
///
/// # Errors
/// If there is no answer.
pub fn send(look: &Look, mut request: Request) -> Result<Response, Error> {
    let origin = request.url.clone();
    let mut sent_login = request.login_at_once;
    let mut cookies = Vec::new();
    for _ in 0..=REDIRECTS {
        // What the user must not be told elsewhere either.
        let login = request.login.clone().filter(|_| sent_login && request.url.has_origin_of(&origin));
        let mut response = exchange::exchange(look, &mut request, login)?;
        cookies.extend(response.own_cookies());
        let asked = response.header("www-authenticate").is_some_and(|how| basic(&how));
        if response.status == 401 && asked && !sent_login && request.login.is_some() {
            sent_login = true;
            rewind(&mut request)?;
            continue;
        }
        let Some(next) = redirected(&mut request, &response)? else {
            response.cookies = cookies;
            return Ok(response);
        };
        if next.has_origin_of(&request.url) && !cookies.is_empty() {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("cookie"));
            request.headers.push(("Cookie".into(), joined(&cookies)));
        }
        request.url = next;
        rewind(&mut request)?;
    }
    Err(Error::Redirects)
}

fn basic(challenge: &str) -> bool {
    challenge
        .split(',')
        .any(|part| part.trim().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("basic")))
}

fn rewind(request: &mut Request) -> Result<(), Error> {
    match &mut request.body {
        Body::File(file) => file.rewind().map_err(Error::Body),
        _ => Ok(()),
    }
}

/// Returns where a redirect leads if it is followed, and makes the request ready for it.
fn redirected(request: &mut Request, response: &Response) -> Result<Option<Url>, Error> {
    let Some(location) = response.header("location").filter(|_| response.is_redirect()) else {
        return Ok(None);
    };
    let safe = matches!(request.method.as_str(), "GET" | "HEAD");
    let follow = match request.follow {
        Follow::All | Follow::Yes => true,
        Follow::No | Follow::None => false,
        Follow::Safe => safe,
        Follow::Urllib2 => safe || (request.method == "POST" && matches!(response.status, 301..=303)),
    };
    if !follow {
        return Ok(None);
    }
    let next = request.url.join(&location)?;
    let away = !next.has_origin_of(&request.url);
    let secret = |name: &str| away && matches!(name, "authorization" | "cookie");
    let dropped = |name: &str| request.unredirected.iter().any(|other| other.eq_ignore_ascii_case(name));
    request.headers.retain(|(name, _)| !dropped(name) && !secret(&name.to_ascii_lowercase()));
    if !matches!(response.status, 307 | 308) {
        request.body = Body::None;
        request.headers.retain(|(name, _)| {
            !["content-length", "content-type", "transfer-encoding"].contains(&&*name.to_ascii_lowercase())
        });
        let to_get = match response.status {
            302 | 303 => request.method != "HEAD",
            _ => request.method == "POST",
        };
        if to_get {
            request.method = "GET".into();
        }
    }
    Ok(Some(next))
}

/// Reads an answer's content, at most `limit` bytes.
///
/// # Errors
/// If it cannot be read or is longer.
pub fn read_all(body: &mut dyn Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    body.take(limit + 1).read_to_end(&mut bytes).map_err(Error::of_reading)?;
    if bytes.len() as u64 > limit { Err(Error::TooLong(limit)) } else { Ok(bytes) }
}

/// Copies an answer's content into a file; returns how long it is.
///
/// # Errors
/// If it cannot be read or written.
pub fn save(body: &mut dyn Read, mut file: &File, path: &Path) -> Result<u64, Failure> {
    let (mut buffer, mut length) = (vec![0; 128 * 1024], 0);
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(n) => {
                file.write_all(&buffer[..n]).map_err(|error| cannot("write", path, &error))?;
                length += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::new(Error::of_reading(error).to_string())),
        }
    }
}

/// Returns the name that the answer's content shall have, by what the server or the address says.
pub fn file_name(response: &Response) -> String {
    let said = response.header("content-disposition").unwrap_or_default();
    let said = said.split(';').find_map(|part| part.trim().strip_prefix("filename="));
    let said =
        said.map(|name| name.trim_matches('"').rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
    [said.unwrap_or_default(), response.url.file_name().to_owned()]
        .into_iter()
        .find(|name| !matches!(name.as_str(), "" | "." | "..") && !name.contains('\0'))
        .unwrap_or_else(|| "index.html".into())
}

/// Returns what a server says is wrong, as Python words it.
pub fn status_text(response: &Response) -> String {
    format!("HTTP Error {}: {}", response.status, response.reason)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
