//! What convoy runs on a node: the modules, and the loop that serves them to a controller.
//!
//! The controller links this library too, for the modules' argument specifications and documentation alone.

pub mod args;
mod cache;
pub mod carry;
pub mod changes;
mod child;
pub mod content;
mod dates;
pub mod execute;
pub mod failure;
pub mod files;
mod hex;
pub mod http;
mod job;
pub mod keystore;
pub mod known;
mod line;
pub mod log4j;
pub mod metadata;
pub mod module;
pub mod modules;
mod offers;
pub mod os_error;
mod outputs;
pub mod pattern;
mod processes;
pub mod properties;
pub mod serve;
pub mod services;
pub mod stat;
mod state;
mod sync;
pub mod system;
pub mod toml;
mod window;
pub mod words;
pub mod xml;

pub use child::enter as enter_terminal;
pub use job::enter as enter_job;

#[doc(hidden)]
pub mod __private {
    //! Names that the macros use.
    pub use convoy_protocol::{Map, Value};
}
