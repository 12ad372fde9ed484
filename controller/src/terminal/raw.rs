//! A terminal in raw mode: keys are read one by one, nothing is shown by itself, and Ctrl-C is a key.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::{Terminal, open_controlling};

/// What Ctrl-C sends in raw mode.
pub(super) const CTRL_C: u8 = 3;

/// A terminal that is in raw mode until this is dropped.
pub(super) struct RawMode {
    /// `/dev/tty`; without it, standard input and output.
    device: Option<File>,
    before: Termios,
    when: OptionalActions,
}

impl RawMode {
    /// Puts a terminal into raw mode.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn enter(terminal: Terminal) -> io::Result<Self> {
        let (device, when) = match terminal {
            Terminal::Standard => (None, OptionalActions::Now),
            Terminal::Controlling => (Some(open_controlling()?), OptionalActions::Flush),
        };
        let before = tcgetattr(input(device.as_ref()))?;
        let mut raw = before.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(input(device.as_ref()), when, &raw)?;
        Ok(Self { device, before, when })
    }

    /// Waits for a key; returns its next byte.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(super) fn read_key(&self) -> io::Result<u8> {
        let mut byte = [0];
        let read = || rustix::io::read(input(self.device.as_ref()), &mut byte);
        match rustix::io::retry_on_intr(read)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(byte[0]),
        }
    }

    /// Writes to the terminal at once.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub(super) fn show(&self, text: &[u8]) -> io::Result<()> {
        match &self.device {
            Some(device) => (&*device).write_all(text),
            None => {
                let mut out = io::stdout();
                out.write_all(text)?;
                out.flush()
            }
        }
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing can be done if the terminal is gone.
        let _ = tcsetattr(input(self.device.as_ref()), self.when, &self.before);
    }
}

fn input(device: Option<&File>) -> BorrowedFd<'_> {
    match device {
        Some(device) => device.as_fd(),
        None => stdin(),
    }
}
