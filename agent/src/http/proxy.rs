//! Proxies that the environment names.

use std::io::{Read, Write};

use super::error::Error;
use super::head::{basic, read_head};
use super::url::Url;
use crate::system::SystemView;

/// A proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) url: Url,
}

/// Returns the proxy for `url`, if the environment names one.
pub(super) fn of(view: &SystemView, url: &Url) -> Option<Proxy> {
    let variable = |name: &str| view.variable(name).or_else(|| view.variable(&name.to_uppercase()));
    if variable("no_proxy").is_some_and(|list| is_exempt(&url.host, &list)) {
        return None;
    }
    let value =
        variable(if url.secure { "https_proxy" } else { "http_proxy" }).filter(|value| !value.is_empty())?;
    let value = if value.contains("://") { value } else { format!("http://{value}") };
    Url::parse(&value).ok().map(|url| Proxy { url })
}

fn is_exempt(host: &str, list: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let entry = entry.trim_start_matches('.');
        entry == "*" || (!entry.is_empty() && (host == entry || host.ends_with(&format!(".{entry}"))))
    })
}

impl Proxy {
    /// Returns the header that tells the proxy who asks.
    pub(super) fn authorization(&self) -> Option<String> {
        self.url.login.as_ref().map(|(user, password)| basic(user, password))
    }

    /// Asks the proxy for a connection to the server of `url`.
    pub(super) fn tunnel(&self, stream: &mut (impl Read + Write), url: &Url) -> Result<(), Error> {
        let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
        let to = format!("{host}:{}", url.port());
        let mut head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
        if let Some(value) = self.authorization() {
            head.push_str(&format!("Proxy-Authorization: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).map_err(Error::of_reading)?;
        // Byte by byte: what follows the head belongs to TLS.
        let (status, reason, _) = read_head(&mut |byte| stream.read(byte))?;
        if status == 200 { Ok(()) } else { Err(Error::Proxy(format!("{status} {reason}"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_need_no_proxy() {
        assert!(is_exempt("localhost", "127.0.0.1, localhost"));
        assert!(is_exempt("A.example.com", ".example.com"));
        assert!(is_exempt("example.com", "example.com"));
        assert!(!is_exempt("badexample.com", "example.com"));
        assert!(is_exempt("any", "*"));
        assert!(!is_exempt("any", ""));
    }
}
