//! A program on a pseudoterminal: types input and waits for output.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::program::shell_line;
use crate::sshd::poll;

/// A program that runs on a terminal of its own. Dropping it kills the program.
pub struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// The end of the last expected text in what is shown.
    matched: usize,
}

impl Terminal {
    /// Starts a command whose standard streams are a new terminal.
    ///
    /// # Errors
    /// If `script` is not installed.
    pub fn start(command: &Command) -> io::Result<Self> {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--echo", "never", "--command"]);
        script.arg(format!("exec {}", shell_line(command))).arg("/dev/null").env_clear();
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.env("SHELL", "/bin/sh").env("TERM", "dumb");
        if let Some(dir) = command.get_current_dir() {
            script.current_dir(dir);
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
        Ok(Self { child, keyboard, screen, reader, matched: 0 })
    }

    /// Waits until `text` is shown after the text that was expected before.
    ///
    /// # Errors
    /// If it is not shown in time; the message includes what is.
    pub fn expect(&mut self, text: &str) -> io::Result<()> {
        let from = self.matched;
        let found = poll(|| Ok(self.shown()[from..].find(text).map(|at| from + at + text.len())));
        match found {
            Ok(end) => {
                self.matched = end;
                Ok(())
            }
            Err(error) => Err(io::Error::other(format!("{error}: no {text:?} in {:?}", self.shown()))),
        }
    }

    /// Types a text.
    ///
    /// # Errors
    /// If the program has ended.
    pub fn type_in(&mut self, text: &str) -> io::Result<()> {
        let keyboard = self.keyboard.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        keyboard.write_all(text.as_bytes())?;
        keyboard.flush()
    }

    /// Waits until `question` is shown after the text that was expected before, then types `answer`.
    ///
    /// # Errors
    /// If the question is not shown in time, or the program has ended.
    pub fn answer(&mut self, question: &str, answer: &str) -> io::Result<()> {
        self.expect(question)?;
        self.type_in(answer)
    }

    /// Returns what was shown so far, without carriage returns.
    pub fn shown(&self) -> String {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&screen).replace('\r', "")
    }

    /// Waits until the program ends; returns what was shown, and the exit code.
    ///
    /// # Errors
    /// If it does not end in time.
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
