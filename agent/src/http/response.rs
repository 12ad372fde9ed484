//! What a server answers.

use std::io::Read;

use super::error::Error;
use super::url::Url;

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

    pub(super) fn own_cookies(&self) -> Vec<(String, String)> {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        let pairs = set.filter_map(|(_, value)| value.split(';').next()?.split_once('='));
        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    pub(super) fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
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
