//! A terminal for a program that asks for its password there and nowhere else, as doas does. Its standard streams stay
//! pipes: what it starts speaks with us through them.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// What tells our own program to [`enter`] a terminal.
const ENTER: &str = "--terminal";

/// A terminal. When it is closed, what runs there is ended by the kernel.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Our end.
    end: File,
    /// The name of the program's end.
    path: PathBuf,
    /// That end, held open: as long as nobody has it, ours cannot be read.
    _held: File,
}

impl Terminal {
    /// Makes one.
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

    /// Returns the command that runs these words there: our own program, which becomes theirs.
    pub(super) fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg(ENTER).arg(&self.path).args(words);
        command
    }

    /// Returns our end once more, to be read.
    pub(super) fn our_end(&self) -> io::Result<File> {
        self.end.try_clone()
    }

    /// Types something.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.end).write_all(bytes)
    }
}

/// Becomes the program that the words name, on a terminal: what [`Terminal::command`] starts. `None` if the words do not
/// ask for it.
pub fn enter(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    words.next().filter(|word| word == ENTER)?;
    let (terminal, program) = (words.next()?, words.next()?);
    // The first terminal that a session without any opens is that of the session.
    let opened = rustix::process::setsid()
        .map_err(io::Error::from)
        .and_then(|_| OpenOptions::new().read(true).write(true).open(&terminal));
    let failure = match opened {
        Ok(_terminal) => match Command::new(&program).args(words).exec() {
            error if error.kind() == io::ErrorKind::NotFound => "is not installed on this node".to_owned(),
            error => format!("cannot be run: {error}"),
        },
        Err(error) => format!("gets no terminal: {error}"),
    };
    writeln!(io::stderr(), "{} {failure}", program.to_string_lossy()).ok();
    Some(ExitCode::from(127))
}
