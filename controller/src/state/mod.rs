//! What changes while a run is in progress, and what a task that executes sees of it.
//!
//! [`world::World`] is owned by the scheduler. A task is prepared and executed with a [`snapshot::Snapshot`] of the variables,
//! and asks for changes by [`request::Request`].

pub mod async_jobs;
pub mod batch;
pub mod cursor;
pub mod custom_stats;
pub mod fact_cache;
pub mod irreversible;
pub mod pending;
pub mod prefetched;
pub mod request;
pub mod resume_log;
pub mod section;
pub mod snapshot;
pub mod undo_blocks;
pub mod world;
