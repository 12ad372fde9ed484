//! Addresses of `http` and `https`.

use std::fmt;

use super::error::Error;

/// An address. Shown without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`.
    pub secure: bool,
    /// Name or number of the host; an IPv6 number without brackets.
    pub host: String,
    /// The port, if it says one.
    pub port: Option<u16>,
    /// Path and query, from the slash on.
    pub path: String,
    /// User and password that it carries.
    pub login: Option<(String, String)>,
    fragment: String,
}

/// Returns `text` with `%41` and its like replaced.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    /// If it is none of `http` or `https`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Error::Url(
                "unknown url type: the address has no http:// or https:// before it".into(),
            ));
        };
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => {
                return Err(Error::Url(format!("unknown url type: {other}: convoy knows http and https")));
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (Some((decoded(user), decoded(password))), host)
            }
            None => (None, authority),
        };
        let (host, port) = host_and_port(host)?;
        let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
        let path = match path {
            "" => "/".to_owned(),
            path if path.starts_with('?') => format!("/{path}"),
            path => path.to_owned(),
        };
        Ok(Self { secure, host, port, path: escaped(&path), login, fragment: fragment.to_owned() })
    }

    /// Returns the address that `location` names as seen from this one.
    ///
    /// # Errors
    /// If it is none of `http` or `https`.
    pub fn join(&self, location: &str) -> Result<Self, Error> {
        let scheme = if self.secure { "https" } else { "http" };
        if location.contains("://") {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let without_query = self.path.split('?').next().unwrap_or_default();
        let path = if location.starts_with('/') {
            location.to_owned()
        } else if location.starts_with('?') {
            format!("{without_query}{location}")
        } else {
            let directory = without_query.rsplit_once('/').map_or("", |(directory, _)| directory);
            plain(&format!("{directory}/{location}"))
        };
        let mut next = Self::parse(&format!("{scheme}://{}{path}", self.authority()))?;
        next.login.clone_from(&self.login);
        Ok(next)
    }

    /// Returns host and port as a request names them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        self.port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.secure { 443 } else { 80 })
    }

    /// Returns whether the same server is asked in the same way.
    pub fn has_origin_of(&self, other: &Self) -> bool {
        (self.secure, self.port(), self.host.to_ascii_lowercase())
            == (other.secure, other.port(), other.host.to_ascii_lowercase())
    }

    /// Returns the last part of the path.
    pub fn file_name(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), Error> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) =
                rest.split_once(']').ok_or_else(|| Error::Url("the address has no host".into()))?;
            (host, rest.strip_prefix(':').unwrap_or_default())
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Error::Url("no host given".into()));
    }
    let port = match port {
        "" => None,
        digits => Some(digits.parse().map_err(|_| Error::Url(format!("nonnumeric port: '{digits}'")))?),
    };
    Ok((host.to_owned(), port))
}

/// Returns a path in which what must not be in a request is written as `%20` and its like.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic();
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Returns a path without `.` and `..`.
fn plain(path: &str) -> String {
    let (path, query) = path.find('?').map_or((path, ""), |at| path.split_at(at));
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}{query}", parts.join("/"))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)?;
        if self.fragment.is_empty() { Ok(()) } else { write!(f, "#{}", self.fragment) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let url = Url::parse("https://us%65r:p%40ss@[::1]:9443/a b?q=1#top").unwrap();
        assert_eq!(url.login, Some(("user".into(), "p@ss".into())));
        assert_eq!((url.host.as_str(), url.port(), url.path.as_str()), ("::1", 9443, "/a%20b?q=1"));
        assert_eq!(url.to_string(), "https://[::1]:9443/a%20b?q=1#top");
        assert_eq!(Url::parse("http://host").unwrap().to_string(), "http://host/");
        assert_eq!(Url::parse("http://host/a/b.zip?x=/y").unwrap().file_name(), "b.zip");
        for wrong in ["host/a", "ftp://host/", "http:///a", "http://host:x/", "http://a b/"] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn redirects_are_joined() {
        let url = Url::parse("http://u:p@host:8080/a/b?q=1").unwrap();
        for (location, expected) in [
            ("/c", "http://host:8080/c"),
            ("c?d", "http://host:8080/a/c?d"),
            ("../c", "http://host:8080/c"),
            ("?d", "http://host:8080/a/b?d"),
            ("//other/c", "http://other/c"),
            ("https://other/c", "https://other/c"),
        ] {
            assert_eq!(url.join(location).unwrap().to_string(), expected);
        }
    }
}
