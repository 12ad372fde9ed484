//! Carries out plays: the order of tasks, look-ahead, results.

pub mod ahead;
pub mod batch;
pub mod becoming;
mod collected;
pub mod connect;
pub mod cursor;
mod doubt;
pub mod effects;
pub mod endpoint;
pub mod engine;
pub mod event;
pub mod flags;
mod handlers;
pub mod host_keys;
mod include;
pub mod job;
mod land;
mod loops;
mod meta;
pub mod options;
pub mod perform;
pub mod play;
pub mod result;
pub mod session;
mod settle;
pub mod stage;
mod vars_files;
