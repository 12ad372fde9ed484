//! Shows the events of a run: as text, as JSON lines, and live on a terminal.
//!
//! | reporter | used by | like |
//! |---|---|---|
//! | [`Plain`](plain::Plain) | `apply` and others | Ansible's `default` callback, line for line |
//! | [`Live`](live::Live) | the same, on a terminal | `Plain`, with the hosts in progress below the text |
//! | [`Minimal`](minimal::Minimal) | `exec` | Ansible's `minimal` callback |
//! | [`Json`](json::Json) | `--output json` | one object per event |
//!
//! Reporters decide nothing: what happens is in `crate::events`. They never print secrets.

pub mod json;
pub mod live;
pub mod minimal;
pub mod options;
pub mod plain;

mod diff;
mod result_view;
mod screen;
mod text;

#[cfg(test)]
pub(crate) mod sample;

pub use options::{Format, Options};
pub use screen::Sink;

use crate::events::Reporter;

/// Returns the reporter for a run of playbooks.
pub fn open(options: &Options, out: Sink, err: Sink) -> Box<dyn Reporter> {
    match options.format {
        Format::Json => Box::new(json::Json::new(options, out)),
        Format::Text if options.live => Box::new(live::Live::on_terminal(options, out, err)),
        Format::Text => Box::new(plain::Plain::new(options, out, err)),
    }
}

/// Returns the reporter for a single module (`convoy exec`).
pub fn ad_hoc(options: &Options, out: Sink, err: Sink) -> Box<dyn Reporter> {
    match options.format {
        Format::Json => Box::new(json::Json::new(options, out)),
        Format::Text => Box::new(minimal::Minimal::new(options, out, err)),
    }
}
