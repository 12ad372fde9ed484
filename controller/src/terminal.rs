//! Questions to the user, at the terminal itself: standard input and output may be anything.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Returns whether there is a terminal to ask at.
pub fn is_there() -> bool {
    open().is_ok()
}

/// Asks for something that is not shown while it is typed.
///
/// # Errors
/// If there is no terminal, or the user interrupts.
pub fn ask_secret(prompt: &str) -> io::Result<String> {
    ask(prompt, false)
}

/// Asks for a line.
///
/// # Errors
/// As [`ask_secret`].
pub fn ask_line(prompt: &str) -> io::Result<String> {
    ask(prompt, true)
}

fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// The terminal while keys are read one by one; it is put back in any case.
struct Keyboard {
    terminal: File,
    before: Termios,
}

impl Keyboard {
    fn new() -> io::Result<Self> {
        let terminal = open()?;
        let before = tcgetattr(&terminal)?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &now)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // Nothing can be done if the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn ask(prompt: &str, echo: bool) -> io::Result<String> {
    let mut keyboard = Keyboard::new()?;
    keyboard.terminal.write_all(prompt.as_bytes())?;
    let mut typed = Vec::new();
    let outcome = loop {
        let mut key = [0];
        if keyboard.terminal.read(&mut key)? == 0 {
            break Err(io::ErrorKind::UnexpectedEof.into());
        }
        match key[0] {
            b'\r' | b'\n' => break Ok(()),
            // Ctrl-C: for all who wait for it, as if the terminal had sent it.
            0x03 => break Err(io::Error::from(io::ErrorKind::Interrupted)),
            0x04 if typed.is_empty() => break Err(io::ErrorKind::UnexpectedEof.into()),
            0x15 => rub_out(&mut keyboard.terminal, &mut typed, usize::MAX, echo)?,
            0x08 | 0x7f => rub_out(&mut keyboard.terminal, &mut typed, 1, echo)?,
            key => {
                typed.push(key);
                if echo {
                    keyboard.terminal.write_all(&[key])?;
                }
            }
        }
    };
    keyboard.terminal.write_all(b"\r\n")?;
    drop(keyboard);
    if let Err(error) = outcome {
        if error.kind() == io::ErrorKind::Interrupted {
            kill_process(getpid(), Signal::INT)?;
        }
        return Err(error);
    }
    Ok(String::from_utf8_lossy(&typed).into_owned())
}

/// Takes back up to `count` characters.
fn rub_out(terminal: &mut File, typed: &mut Vec<u8>, count: usize, echo: bool) -> io::Result<()> {
    for _ in 0..count {
        let Some(mut last) = typed.pop() else { break };
        // The bytes of one character beyond the first begin with the bits 10.
        while last & 0xc0 == 0x80 {
            last = typed.pop().unwrap_or_default();
        }
        if echo {
            terminal.write_all(b"\x08 \x08")?;
        }
    }
    Ok(())
}
