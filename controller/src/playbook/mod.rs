//! Reads playbooks, task files and roles into typed plays, and reports all errors in them before any node is touched.
//!
//! [`Loader`] is the entry point; [`ast`] has the types. A `Reader` reads one set of files; each part of the language
//! adds its methods in a file of its own: plays, blocks, tasks, action calls, imports and includes, roles. It collects
//! problems and continues. `keywords` says which keyword is allowed where and what it takes; `arguments` checks the
//! literal arguments of modules and actions, by the same specification by which they are read when the task runs.

mod action_name;
mod argument_specs;
mod arguments;
pub mod ast;
mod block;
mod call;
mod defaults;
mod files;
pub mod gathering;
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
pub use loader::{LoadedPlaybooks, LoadedTasks, Loader, Playbook};
pub use reader::Render;
pub use role::LoadedRole;
