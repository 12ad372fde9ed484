//! The journal: a record of what happened in a run, kept beside the project. `docs/journal.md` describes the format.
//!
//! Each run has a directory with one file, the journal, which has one record per line. A record is written before the
//! event in it is shown, so that the journal knows at least as much as the user has seen. A run is resumed and undone
//! by its journal alone.
//!
//! | to | read |
//! |---|---|
//! | write events as they happen | [`Recorder`], over [`Writer`] |
//! | read them back | [`Reader`], `record.rs` for one line |
//! | find, list, begin and remove runs | [`Runs`] |
//! | resume a run | [`Runs::resume`] |
//! | know what earlier runs left behind | [`Runs::due_from_last_run`], [`Runs::undone_blocks`] |
//!
//! Three rules keep it sound. A journal is read up to the first record that is not as it was written; nothing after
//! that counts, and whoever continues the file truncates it there. The process that writes a journal holds an exclusive
//! lock on its file, so that a run in progress is told apart from one that was killed. And whoever resumes or undoes a
//! run holds a lock on its directory ([`RunLock`]).
//!
//! Events themselves are in `crate::events`. What follows from a journal is decided elsewhere: by `crate::state` when a
//! run is resumed, by `crate::undo` when it is undone.

mod due_handlers;
mod file;
mod header;
mod host_filter;
mod id;
mod operator;
mod reader;
mod record;
mod recorder;
mod resume;
mod run_lock;
mod runs;
mod undos;
mod writer;

#[cfg(test)]
mod tests;

pub use due_handlers::{DueHandler, due_handlers};
pub use file::FileError;
pub use header::Header;
pub use host_filter::{HostFilter, hosts_of};
pub use id::RunId;
pub use operator::operator;
pub use reader::{Entry, ReadError, Reader, Tail};
pub use recorder::Recorder;
pub use resume::{ResumedRun, changed_sources};
pub use run_lock::RunLock;
pub use runs::{Run, RunState, Runs};
pub use undos::UndoneBlocks;
pub use writer::Writer;
