//! Asking the user for a password.

use std::io::{self, Write as _};

use crate::terminal;

/// Asks on the terminal, without showing what is typed. Without a terminal a line of standard input is the answer.
///
/// # Errors
/// If neither gives an answer.
pub fn ask(question: &str) -> io::Result<String> {
    if terminal::is_there() {
        return terminal::ask_secret(question);
    }
    io::stderr().write_all(question.as_bytes())?;
    line(io::stdin().lock())
}

/// Asks as [`ask`], but what is typed is seen.
///
/// # Errors
/// As [`ask`].
pub fn ask_openly(question: &str) -> io::Result<String> {
    io::stderr().write_all(question.as_bytes())?;
    line(io::stdin().lock())
}

/// Reads a line, and not a byte more: what follows may be meant for another reader.
fn line(mut input: impl io::Read) -> io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while input.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer was given"));
    }
    String::from_utf8(line).map_err(|_| io::Error::other("the answer is not UTF-8"))
}
