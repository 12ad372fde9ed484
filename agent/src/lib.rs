//! The part of convoy that runs on a node: the modules, and the program that runs them for a controller.
//!
//! The controller links this library too, but only for the modules' metadata: arguments, behavior and documentation.

pub mod args;
pub mod carry;
pub mod changes;
pub mod content;
mod dates;
pub mod digest_cache;
pub mod failure;
pub mod files;
pub mod formats;
mod hex;
pub mod http;
mod job;
mod key_changes;
pub mod metadata;
pub mod module;
pub mod modules;
pub mod os_error;
mod outputs;
pub mod pattern;
mod processes;
pub mod serve;
pub mod services;
pub mod stat;
mod state;
mod sync;
pub mod system;
mod undo;
pub mod user_command;
pub mod words;

pub use serve::{enter_job, enter_terminal};

#[doc(hidden)]
pub mod __private {
    //! Names used by the macros.
    pub use convoy_protocol::{Map, Value};
}
