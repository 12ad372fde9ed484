//! HTTP/1.1 and HTTPS, one request per connection: what `uri` and `get_url` need, and no more.
//!
//! Names of hosts are resolved as everywhere in the agent ([`SystemView::addresses`]), never by libc.

mod args;
mod body;
mod connect;
mod download;
mod error;
mod exchange;
mod head;
mod proxy;
mod request;
mod response;
mod tls;
pub mod url;

use std::io::Seek as _;

pub use args::HttpArgs;
pub use download::{Download, download};
pub use error::Error;
pub use request::{Body, Follow, Request, Tls};
pub use response::{Response, file_name, joined, read_all, status_text};
pub use url::Url;

use crate::system::SystemView;

/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// Sends a request and returns the answer, whatever its status.
///
/// # Errors
/// If there is no answer.
pub fn send(view: &SystemView, mut request: Request) -> Result<Response, Error> {
    let origin = request.url.clone();
    let mut sent_login = request.login_at_once;
    let mut cookies = Vec::new();
    for _ in 0..=REDIRECTS {
        // What the user must not be told elsewhere either.
        let login = request.login.clone().filter(|_| sent_login && request.url.has_origin_of(&origin));
        let mut response = exchange::exchange(view, &mut request, login)?;
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
