//! A terminal for a program that prompts for its password only there, as doas does. Its standard streams remain pipes:
//! the agent that it starts talks through them.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The argument that makes our own program [`enter`] a terminal.
const ENTER: &str = "--terminal";

/// A terminal. When it is closed, the kernel ends the processes on it.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Our end.
    end: File,
    /// The path of the program's end.
    path: PathBuf,
    /// The program's end, held open. While nobody has it open, ours cannot be read.
    _held: File,
}

impl Terminal {
    /// Opens a new terminal.
    pub(super) fn open() -> io::Result<Self> {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&end)?;
        unlockpt(&end)?;
        let name = ptsname(&end, Vec::new())?;
        let path = PathBuf::from(OsString::from_vec(name.into_bytes()));
        let not_ours = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
        let held = OpenOptions::new().read(true).write(true).custom_flags(not_ours).open(&path)?;
        Ok(Self { end: end.into(), path, _held: held })
    }

    /// Returns a command that runs `words` on the terminal. It starts our own program, which becomes that of the words.
    pub(super) fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg(ENTER).arg(&self.path).args(words);
        command
    }

    /// Returns another descriptor of our end, for reading.
    pub(super) fn our_end(&self) -> io::Result<File> {
        self.end.try_clone()
    }

    /// Types bytes.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.end).write_all(bytes)
    }
}

/// Becomes the program that the arguments name, on a terminal. [`Terminal::command`] starts this. Returns `None` if the
/// arguments do not ask for it.
pub fn enter(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    words.next().filter(|word| word == ENTER)?;
    let (terminal, program) = (words.next()?, words.next()?);
    // The first terminal that the leader of a new session opens becomes the session's controlling terminal.
    let opened = rustix::process::setsid()
        .map_err(io::Error::from)
        .and_then(|_| OpenOptions::new().read(true).write(true).open(&terminal));
    let failure = match opened {
        Ok(_terminal) => match Command::new(&program).args(words).exec() {
            error if error.kind() == io::ErrorKind::NotFound => "is not installed on this node".to_owned(),
            error => format!("cannot be run: {error}"),
        },
        Err(error) => format!("has no terminal: {error}"),
    };
    writeln!(io::stderr(), "{} {failure}", program.to_string_lossy()).ok();
    Some(ExitCode::from(127))
}
