//! Asks the user: a line, a hidden line, yes or no, a single key.
//!
//! There are two terminals to ask at, [`Terminal::Standard`] and [`Terminal::Controlling`], which differ as Ansible's
//! prompts differ from those of `ssh` and `sudo`:
//!
//! | | `Standard` | `Controlling` |
//! |---|---|---|
//! | device | standard input and output | `/dev/tty`, whatever the standard streams are |
//! | keys pressed before the question | part of the answer | discarded |
//! | Ctrl-C | the error `Interrupted`; the caller decides | the same, and SIGINT for this process |
//! | Ctrl-D in an empty line | an empty answer | the error `UnexpectedEof` |
//! | other control characters | ignored | part of the answer |
//!
//! Where no terminal is needed, [`ask_secret`] and [`read_line`] take a line of standard input.

mod editor;
mod raw;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};

use rustix::process::{Signal, getpid, kill_process};

use self::editor::{LineEditor, Step};
use self::raw::{CTRL_C, RawMode};

/// A terminal that the user is asked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Standard input and output: the question is part of what the run prints.
    Standard,
    /// The controlling terminal of the process, `/dev/tty`.
    Controlling,
}

/// Whether an answer is shown while it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It is shown.
    On,
    /// It is not shown: it is a secret.
    Off,
}

impl Terminal {
    /// Returns whether the user can be asked at this terminal.
    pub fn is_interactive(self) -> bool {
        match self {
            Self::Standard => io::stdin().is_terminal(),
            Self::Controlling => open_controlling().is_ok(),
        }
    }

    /// Asks a question and returns the line that the user types.
    ///
    /// # Errors
    /// If there is no terminal, if it cannot be read, if the answer is not UTF-8, or if the user presses Ctrl-C (of
    /// the kind `Interrupted`).
    pub fn ask(self, question: &str, echo: Echo) -> io::Result<String> {
        let terminal = RawMode::enter(self)?;
        terminal.show(question.as_bytes())?;
        let mut line = LineEditor::new(echo, self == Self::Controlling);
        let step = loop {
            match line.press(terminal.read_key()?) {
                Step::Show(text) => terminal.show(&text)?,
                step => break step,
            }
        };
        if step != Step::Interrupt || self == Self::Controlling {
            terminal.show(b"\n")?;
        }
        drop(terminal);
        match (step, self) {
            (Step::Interrupt, _) => Err(self.interrupted()?),
            (Step::EndOfInput, Self::Controlling) => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => utf8(line.into_bytes()),
        }
    }

    /// Asks a question until the user answers `yes` or `no`; returns whether it was `yes`.
    ///
    /// # Errors
    /// As [`Terminal::ask`].
    pub fn confirm(self, question: &str) -> io::Result<bool> {
        let mut answer = self.ask(question, Echo::On)?;
        loop {
            match answer.trim() {
                "yes" => return Ok(true),
                "no" => return Ok(false),
                _ => answer = self.ask("Please type 'yes' or 'no': ", Echo::On)?,
            }
        }
    }

    /// Waits until the user presses one of these keys, in upper or lower case; returns it in lower case.
    ///
    /// # Errors
    /// As [`Terminal::ask`].
    pub fn wait_for_key(self, wanted: &[char]) -> io::Result<char> {
        let terminal = RawMode::enter(self)?;
        loop {
            let key = terminal.read_key()?;
            if key == CTRL_C {
                drop(terminal);
                return Err(self.interrupted()?);
            }
            let key = char::from(key).to_ascii_lowercase();
            if wanted.contains(&key) {
                return Ok(key);
            }
        }
    }

    /// Returns the error for Ctrl-C, after its signal was sent to this process if it is due.
    fn interrupted(self) -> io::Result<io::Error> {
        if self == Self::Controlling {
            kill_process(getpid(), Signal::INT)?;
        }
        Ok(io::ErrorKind::Interrupted.into())
    }
}

/// Asks for a secret at the controlling terminal. Without one the answer is a line of standard input.
///
/// # Errors
/// As [`Terminal::ask`] and [`read_line`].
pub fn ask_secret(question: &str) -> io::Result<String> {
    if Terminal::Controlling.is_interactive() {
        return Terminal::Controlling.ask(question, Echo::Off);
    }
    read_line(question)
}

/// Writes a question to standard error and returns a line of standard input, which may be a terminal.
///
/// # Errors
/// If standard input cannot be read, or if the line is empty or not UTF-8.
pub fn read_line(question: &str) -> io::Result<String> {
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
    utf8(line)
}

fn utf8(answer: Vec<u8>) -> io::Result<String> {
    String::from_utf8(answer).map_err(|_| io::Error::other("the answer is not UTF-8"))
}

fn open_controlling() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_read_and_the_next_is_left() {
        let mut input: &[u8] = b"first\nsecond\n";
        assert_eq!(line(&mut input).unwrap(), "first");
        assert_eq!(input, b"second\n");
    }

    #[test]
    fn an_empty_line_and_other_encodings_are_errors() {
        for (input, message) in [
            (&b"\n"[..], "no answer was given"),
            (b"", "no answer was given"),
            (b"\xe9", "the answer is not UTF-8"),
        ] {
            assert_eq!(line(input).unwrap_err().to_string(), message);
        }
    }
}
