//! Asks the user at the terminal.

use std::io::{self, IsTerminal, Write as _};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;
const BACKSPACE: [u8; 2] = [8, 127];

/// Returns whether there is a user to be asked.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Asks a question and returns the answer; a private one is not shown while it is typed.
///
/// # Errors
/// If the terminal cannot be read, or the user presses Ctrl-C (of the kind `Interrupted`).
pub fn ask(question: &str, private: bool) -> io::Result<String> {
    let keys = Keys::open()?;
    show(question.as_bytes())?;
    let mut typed: Vec<u8> = Vec::new();
    loop {
        match keys.next()? {
            b'\r' | b'\n' => break,
            CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
            CTRL_D if typed.is_empty() => break,
            CTRL_U => while erase(&mut typed, private)? {},
            key if BACKSPACE.contains(&key) => {
                erase(&mut typed, private)?;
            }
            // Escapes move a cursor that there is none of.
            key if key < b' ' => {}
            key => {
                typed.push(key);
                if !private {
                    show(&[key])?;
                }
            }
        }
    }
    show(b"\n")?;
    String::from_utf8(typed).map_err(io::Error::other)
}

/// Waits for one of these keys, in either case, and returns it.
///
/// # Errors
/// As [`ask`].
pub fn key(wanted: &[char]) -> io::Result<char> {
    let keys = Keys::open()?;
    loop {
        match keys.next()? {
            CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
            key => {
                let key = char::from(key).to_ascii_lowercase();
                if wanted.contains(&key) {
                    return Ok(key);
                }
            }
        }
    }
}

/// Takes the last character away. Returns whether there was one.
fn erase(typed: &mut Vec<u8>, private: bool) -> io::Result<bool> {
    // The bytes of one character go together.
    while let Some(byte) = typed.pop() {
        if byte & 0xc0 != 0x80 {
            if !private {
                show(b"\x08 \x08")?;
            }
            return Ok(true);
        }
    }
    Ok(false)
}

fn show(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text)?;
    out.flush()
}

/// The terminal while keys are read one by one: nothing is shown by itself, Ctrl-C is a key. What it was before comes
/// back at the end.
struct Keys {
    before: Termios,
}

impl Keys {
    fn open() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut now = before.clone();
        now.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before stays.
        tcsetattr(stdin(), OptionalActions::Now, &now)?;
        Ok(Self { before })
    }

    fn next(&self) -> io::Result<u8> {
        let mut byte = [0];
        match rustix::io::retry_on_intr(|| rustix::io::read(stdin(), &mut byte))? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(byte[0]),
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
