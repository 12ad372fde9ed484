//! From the user's files to typed plays: everything that can be wrong in them is found here, before any node is touched.

mod action_name;
mod argument_specs;
mod arguments;
pub mod ast;
mod block;
mod call;
mod defaults;
mod files;
mod handlers;
mod import;
mod inherited;
mod keywords;
pub mod kv;
mod loader;
mod play;
mod prompts;
mod reader;
mod role;
mod role_use;
mod search;
mod task;
mod template;
#[cfg(test)]
mod tests;
pub mod walk;

pub use ast::Inherited;
pub use files::Options;
pub use loader::{Loaded, Loader, Playbook, TasksLoaded};
pub use reader::Render;
pub use role::RoleLoaded;
