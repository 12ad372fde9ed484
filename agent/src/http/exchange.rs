//! One request and its answer.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};

use super::body::{self, Framing};
use super::connect::Stream;
use super::error::Error;
use super::head::{basic, read_head};
use super::request::{Body, Request};
use super::response::Response;
use super::{connect, proxy};
use crate::system::SystemView;

/// Sends the request once.
pub(super) fn exchange(
    view: &SystemView,
    request: &mut Request,
    login: Option<(String, String)>,
) -> Result<Response, Error> {
    let proxy = proxy::of(view, &request.url).filter(|_| request.use_proxy && request.unix_socket.is_none());
    let mut stream = connect::connect(view, request, proxy.as_ref())?;
    let head = head(request, login, proxy.as_ref().filter(|_| !request.url.secure));
    let sent = stream.write_all(head.as_bytes()).and_then(|()| send_body(&mut stream, &mut request.body));
    if let Err(error) = sent.and_then(|()| stream.flush()) {
        // A server that refuses may answer and close before it has read all.
        if error.kind() != io::ErrorKind::BrokenPipe && error.kind() != io::ErrorKind::ConnectionReset {
            return Err(Error::of_reading(error));
        }
    }
    receive(request, stream)
}

fn send_body(stream: &mut impl Write, body: &mut Body) -> io::Result<()> {
    match body {
        Body::None => Ok(()),
        Body::Bytes(bytes) => stream.write_all(bytes),
        Body::File(file) => io::copy(file, stream).map(drop),
    }
}

fn head(request: &Request, login: Option<(String, String)>, proxy: Option<&proxy::Proxy>) -> String {
    let url = &request.url;
    let mut head = match proxy {
        Some(_) => format!("{} http://{}{} HTTP/1.1\r\n", request.method, url.authority(), url.path),
        None => format!("{} {} HTTP/1.1\r\n", request.method, url.path),
    };
    let mut add = |name: &str, value: &str| {
        // The user's own headers win.
        if !request.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    };
    add("Host", &url.authority());
    add("Accept-Encoding", if request.decompress { "gzip" } else { "identity" });
    add("Connection", "close");
    let length = match &request.body {
        Body::None if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") => Some(0),
        Body::None => None,
        Body::Bytes(bytes) => Some(bytes.len() as u64),
        Body::File(file) => file.metadata().ok().map(|meta| meta.len()),
    };
    if let Some(length) = length {
        add("Content-Length", &length.to_string());
    }
    if let Some((user, password)) = login {
        add("Authorization", &basic(&user, &password));
    }
    if let Some(value) = proxy.and_then(proxy::Proxy::authorization) {
        add("Proxy-Authorization", &value);
    }
    for (name, value) in &request.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head
}

fn receive(request: &Request, stream: Box<dyn Stream>) -> Result<Response, Error> {
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let (status, reason, headers) = loop {
        let head = read_head(&mut |byte| {
            // From the buffer, which is filled by as much as there is.
            if stream.fill_buf()?.is_empty() { Ok(0) } else { stream.read(byte) }
        })?;
        // 100 Continue and its like come before the answer.
        if head.0 >= 200 || head.0 == 101 {
            break head;
        }
    };
    let all = |name: &str| {
        headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let framing = if request.method == "HEAD" || matches!(status, 101 | 204 | 304) {
        Framing::Length(0)
    } else if all("transfer-encoding").iter().any(|value| value.to_ascii_lowercase().contains("chunked")) {
        Framing::Chunked
    } else {
        match all("content-length").first().map(|value| value.parse()) {
            Some(Ok(length)) => Framing::Length(length),
            Some(Err(_)) => return Err(Error::NoHttp("a length that is no number".into())),
            None => Framing::Close,
        }
    };
    let packed =
        request.decompress && all("content-encoding").iter().any(|value| value.eq_ignore_ascii_case("gzip"));
    let body = body::of(stream, framing, packed);
    Ok(Response { status, reason, headers, url: request.url.clone(), cookies: Vec::new(), body })
}
