//! The scheduler: plays, batches, the order of tasks, look-ahead, and what results do to the run.

pub mod apply;
pub mod batch;
pub mod engine;
pub mod facts;
pub mod free;
pub mod handlers;
pub mod headings;
pub mod host_keys;
pub mod include;
pub mod lookahead;
pub mod meta;
pub mod play;
pub mod session;
pub mod step;
pub mod vars_files;
pub mod vars_prompt;
