//! What the user sees of a run: text, JSON lines, and a live display on a terminal.

pub mod json;
pub mod live;
pub mod minimal;
pub mod options;
pub mod plain;

mod diff;
mod screen;
mod shown;
mod text;

#[cfg(test)]
pub(crate) mod sample;

use std::fmt;
use std::io;

pub use options::{Format, Options};
pub use screen::Sink;

use crate::run::event::RunEvent;

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

/// Returns the reporter that `options` ask for.
pub fn open(options: &Options, out: Sink, err: Sink) -> Box<dyn Reporter> {
    match options.format {
        Format::Json => Box::new(json::Json::new(options, out)),
        Format::Text if options.live => Box::new(live::Live::on_terminal(options, out, err)),
        Format::Text => Box::new(plain::Plain::new(options, out, err)),
    }
}

/// Returns the reporter of one module's results that `options` ask for.
pub fn ad_hoc(options: &Options, out: Sink, err: Sink) -> Box<dyn Reporter> {
    match options.format {
        Format::Json => Box::new(json::Json::new(options, out)),
        Format::Text => Box::new(minimal::Minimal::new(options, out, err)),
    }
}
