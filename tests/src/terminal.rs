//! A program at a terminal: what it shows, and what is typed.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::sshd::poll;

/// A program that runs at a terminal of its own. Dropping it kills it.
pub struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    seen: usize,
}

impl Terminal {
    /// Starts a command at a terminal; its standard streams are that terminal.
    ///
    /// # Errors
    /// If `script` is not installed.
    pub fn start(command: &Command) -> io::Result<Self> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--echo", "never", "--command"]);
        script.arg(format!("exec {}", line.join(" "))).arg("/dev/null").env_clear();
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.env("SHELL", "/bin/sh").env("TERM", "dumb");
        if let Some(folder) = command.get_current_dir() {
            script.current_dir(folder);
        }
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let screen = Arc::new(Mutex::new(Vec::new()));
        let reader = child.stdout.take().map(|mut out| {
            let screen = screen.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = out.read(&mut bytes) {
                    screen.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..count]);
                }
            })
        });
        let keyboard = child.stdin.take();
        Ok(Self { child, keyboard, screen, reader, seen: 0 })
    }

    /// Waits until this is shown, after what was waited for before.
    ///
    /// # Errors
    /// If it is not shown in time; the message has what is.
    pub fn expect(&mut self, text: &str) -> io::Result<()> {
        let from = self.seen;
        let found = poll(|| Ok(self.shown()[from..].find(text).map(|at| from + at + text.len())));
        match found {
            Ok(end) => {
                self.seen = end;
                Ok(())
            }
            Err(error) => Err(io::Error::other(format!("{error}: no {text:?} in {:?}", self.shown()))),
        }
    }

    /// Types a text.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn type_in(&mut self, text: &str) -> io::Result<()> {
        let keyboard = self.keyboard.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        keyboard.write_all(text.as_bytes())?;
        keyboard.flush()
    }

    /// Returns what was shown so far, with plain line ends.
    pub fn shown(&self) -> String {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&screen).replace('\r', "")
    }

    /// Waits for the end; returns what was shown, and the exit code.
    ///
    /// # Errors
    /// If it does not end.
    pub fn finish(mut self) -> io::Result<(String, Option<i32>)> {
        let status = poll(|| self.child.try_wait())?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok((self.shown(), status.code()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
