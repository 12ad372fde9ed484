//! What changes while a run is in progress.

pub mod async_jobs;
pub mod cursor;
pub mod custom_stats;
pub mod irreversible;
pub mod pending;
pub mod resume_log;
pub mod section;
pub mod undo_blocks;
