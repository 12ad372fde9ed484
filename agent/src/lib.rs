//! What convoy runs on a node: the modules, and the loop that serves them to a controller.
//!
//! The controller links this library too, for the modules' argument specifications and documentation alone.

pub mod args;
pub mod content;
pub mod execute;
pub mod files;
pub mod module;
pub mod modules;
pub mod pattern;
pub mod system;

#[doc(hidden)]
pub mod __private {
    //! Names that the macros use.
    pub use convoy_protocol::{Map, Value};
}
