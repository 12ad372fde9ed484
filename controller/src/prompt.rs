//! Asks the user at the terminal.

use std::io::{self, IsTerminal, Write as _};

use console::{Key, Term};

/// Returns whether there is a user to be asked.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Asks a question and returns the answer; a private one is not shown while it is typed.
///
/// # Errors
/// If the terminal cannot be read, or the user interrupts (of the kind `Interrupted`).
pub fn ask(question: &str, private: bool) -> io::Result<String> {
    let mut out = io::stdout();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    line(!private)
}

/// Reads a line; key by key, so that Ctrl-C ends it.
fn line(echo: bool) -> io::Result<String> {
    let terminal = Term::stdout();
    let mut typed = String::new();
    loop {
        match terminal.read_key_raw()? {
            Key::Enter => break,
            Key::CtrlC => return Err(io::ErrorKind::Interrupted.into()),
            Key::Backspace if typed.pop().is_some() && echo => terminal.clear_chars(1)?,
            Key::Char(key) => {
                typed.push(key);
                if echo {
                    terminal.write_str(key.encode_utf8(&mut [0; 4]))?;
                }
            }
            _ => {}
        }
    }
    terminal.write_line("")?;
    Ok(typed)
}

/// Waits for one of these keys, in either case, and returns it.
///
/// # Errors
/// As [`ask`].
pub fn key(wanted: &[char]) -> io::Result<char> {
    let terminal = Term::stdout();
    loop {
        match terminal.read_key_raw()? {
            Key::CtrlC => return Err(io::ErrorKind::Interrupted.into()),
            Key::Char(key) if wanted.contains(&key.to_ascii_lowercase()) => {
                return Ok(key.to_ascii_lowercase());
            }
            _ => {}
        }
    }
}
