//! The trait of whoever consumes the events of a run: the journal, the terminal, the JSON lines.

use std::fmt;
use std::io;

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
