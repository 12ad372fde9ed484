//! The journal: what happened in a run, kept beside the project. `docs/journal.md` describes it.
//!
//! A run's journal is one file, a [`record`] a line. A [`Recorder`] writes the events down before they are shown; a
//! [`Reader`] gives them back, to the same reporters.

mod header;
mod hold;
mod id;
mod of_host;
mod pending;
mod reader;
mod record;
mod recorder;
mod resume;
mod runs;
mod undos;
mod writer;

#[cfg(test)]
mod tests;

pub use header::Header;
pub use hold::Hold;
pub use id::RunId;
pub use of_host::OfHost;
pub use pending::{Due, due};
pub use reader::{Found, Reader, Rest, Unreadable};
pub use recorder::Recorder;
pub use resume::{Resumed, changed};
pub use runs::{Run, Runs, State};
pub use writer::Writer;

use std::io;
use std::path::{Path, PathBuf};

use crate::passwd;

/// The journal's file in the folder of its run.
const FILE: &str = "journal";

/// What cannot be done with a file or a folder of the journal.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {path}: {error}", path = path.display())]
pub struct Fault {
    what: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl Fault {
    fn new(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { what, path: path.to_owned(), error }
    }
}

/// Returns who runs this process, and on which machine.
pub fn by() -> String {
    let id = rustix::process::getuid();
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = passwd::own_name().or_else(|| set("USER")).unwrap_or_else(|| id.as_raw().to_string());
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    match set("SUDO_USER").filter(|_| id.is_root()) {
        Some(behind) => format!("{behind} as {user}@{machine}"),
        None => format!("{user}@{machine}"),
    }
}
