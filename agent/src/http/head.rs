//! The heads of messages: their first line and their headers.

use std::io;

use convoy_protocol::base64;

use super::error::Error;

/// The longest head of an answer, in bytes.
const HEAD: usize = 64 * 1024;

pub(super) type Head = (u16, String, Vec<(String, String)>);

/// Reads a head up to the empty line; `next` reads into the one byte that it is given.
pub(super) fn read_head(next: &mut dyn FnMut(&mut [u8]) -> io::Result<usize>) -> Result<Head, Error> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") && !bytes.ends_with(b"\n\n") {
        let mut byte = [0];
        match next(&mut byte) {
            Ok(0) => return Err(Error::NoHttp(first_line(&bytes))),
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::NoHttp(first_line(&bytes)));
            }
            Err(error) => return Err(Error::of_reading(error)),
        }
        if bytes.len() > HEAD {
            return Err(Error::NoHttp("its headers are too long".into()));
        }
    }
    parse_head(&String::from_utf8_lossy(&bytes))
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { "Remote end closed connection without response".into() } else { line.into() }
}

fn parse_head(text: &str) -> Result<Head, Error> {
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default();
    let mut words = line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let status =
        words.next().and_then(|word| word.parse::<u16>().ok()).filter(|status| (100..1000).contains(status));
    let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
        return Err(Error::NoHttp(line.chars().take(200).collect()));
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match (line.starts_with([' ', '\t']), headers.last_mut()) {
            // A line that goes on.
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                let Some((name, value)) = line.split_once(':') else { continue };
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }
    Ok((status, words.next().unwrap_or_default().to_owned(), headers))
}

/// Returns the value of a header that tells user and password.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::encode(format!("{user}:{password}").as_bytes()))
}
