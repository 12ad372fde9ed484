//! The traits of those who consume the events of a run (journal, terminal, JSON lines), and of those who produce them beside
//! the scheduler.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use super::RunEvent;

/// Shows a run as it goes.
pub trait Reporter: Send + fmt::Debug {
    /// Shows what happened. Everything is given out before this returns.
    fn event(&mut self, event: &RunEvent);

    /// Takes the live display away, before something else writes to the terminal, such as a prompt. It comes back
    /// with the next [`RunEvent::Working`].
    fn hide(&mut self) {}

    /// Returns the first error of writing, after which nothing more is written. [`io::ErrorKind::BrokenPipe`]
    /// means that the reader has enough (`| head`): no fault to tell anybody about.
    fn fault(&self) -> Option<&io::Error>;
}

/// Where something that works beside the scheduler, such as a connection, has events shown.
pub trait Screen {
    /// Has an event shown and recorded.
    fn show(&self, event: RunEvent);

    /// Takes the live display away before a question is put to the user; returns when that is done.
    fn hide(&self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}
