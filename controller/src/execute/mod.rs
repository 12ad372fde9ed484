//! Runs one prepared task on one host: sends, retries, follows jobs, downloads, and returns what became of it.

pub mod async_job;
pub mod call;
pub mod collect;
pub mod download;
pub mod effects;
pub mod invocation;
pub mod node;
pub mod outcome;
pub mod pause;
pub mod redaction;
pub mod replay;
pub mod run;
