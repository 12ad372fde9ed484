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

pub use options::{Format, Options};
pub use screen::Sink;

use crate::events::Reporter;

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
