//! From the user's files to typed plays: everything that can be wrong in them is found here, before any node is touched.

mod argument_specs;
mod arguments;
pub mod ast;
mod block;
mod call;
mod defaults;
pub mod gathering;
mod handlers;
mod import;
pub mod inherited;
mod keywords;
pub mod kv;
pub mod loader;
mod play;
mod prompts;
mod reader;
pub mod role;
pub mod search;
mod task;
mod template;
#[cfg(test)]
mod tests;
pub mod walk;

pub use inherited::Inherited;
pub use loader::{Loaded, Loader, Options, Playbook, Render, TasksLoaded};
pub use role::RoleLoaded;
pub use search::Asked;
