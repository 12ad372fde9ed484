//! Why there is no answer, in the words that Ansible's modules have from Python.

use std::io;

use crate::os_error::reason;

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// The address is none.
    Url(String),
    /// The host's name is not known.
    UnknownHost,
    /// No connection.
    Connect(io::Error),
    /// Not in time.
    TimedOut,
    /// TLS failed: the server's certificate is not trusted.
    Certificate(String),
    /// TLS failed.
    Tls(String),
    /// A file for TLS cannot be used.
    TlsFile(String),
    /// The proxy refuses.
    Proxy(String),
    /// The connection broke.
    Broken(io::Error),
    /// The answer is no HTTP.
    NoHttp(String),
    /// The answer ends too early.
    Incomplete,
    /// The answer is longer than so many bytes.
    TooLong(u64),
    /// The file that shall be sent cannot be read.
    Body(io::Error),
    /// Redirects without end.
    Redirects,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed =
            |f: &mut std::fmt::Formatter<'_>, why: &str| write!(f, "Request failed: <urlopen error {why}>");
        let system = |error: &io::Error| match error.raw_os_error() {
            Some(number) => format!("[Errno {number}] {}", reason(error)),
            None => reason(error),
        };
        match self {
            Self::Url(why) => f.write_str(why),
            Self::UnknownHost => failed(f, "[Errno -2] Name or service not known"),
            Self::Connect(error) => failed(f, &system(error)),
            Self::TimedOut => failed(f, "timed out"),
            Self::Certificate(why) => failed(
                f,
                &format!("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why}"),
            ),
            Self::Tls(why) => failed(f, &format!("[SSL] {why}")),
            Self::TlsFile(why) => f.write_str(why),
            Self::Proxy(why) => failed(f, &format!("Tunnel connection failed: {why}")),
            Self::Broken(error) => write!(f, "Connection failure: {}", system(error)),
            Self::NoHttp(line) => write!(
                f,
                "Connection failure: connection was closed before a valid response was received: {line}"
            ),
            Self::Incomplete => f.write_str("Connection failure: the answer ends before its end"),
            Self::TooLong(limit) => {
                write!(f, "the answer has more than {limit} bytes, too many for a result: use dest")
            }
            Self::Body(error) => write!(f, "cannot read what shall be sent: {}", reason(error)),
            Self::Redirects => f.write_str(
                "HTTP Error 302: The HTTP server returned a redirect error that would lead to an infinite loop.",
            ),
        }
    }
}

impl Error {
    /// Returns the error behind one that came up while an answer was read or a request was written.
    pub(super) fn of_reading(error: io::Error) -> Self {
        if is_timeout(&error) {
            return Self::TimedOut;
        }
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return match tls {
                rustls::Error::InvalidCertificate(why) => Self::Certificate(certificate(why)),
                other => Self::Tls(other.to_string()),
            };
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Incomplete,
            _ => Self::Broken(error),
        }
    }
}

/// Returns whether a wait on a socket took too long.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn certificate(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match why {
        E::UnknownIssuer => "self-signed certificate, or one of an issuer that is not trusted".into(),
        E::Expired | E::ExpiredContext { .. } => "certificate has expired".into(),
        E::NotValidYet | E::NotValidYetContext { .. } => "certificate is not yet valid".into(),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "Hostname mismatch, certificate is not valid for this host".into()
        }
        other => format!("{other}"),
    }
}
