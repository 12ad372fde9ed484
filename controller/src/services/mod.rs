//! What all tasks of a run share: options, connections, caches.

pub mod connections;
pub mod endpoint;
pub mod fact_cache;
pub mod host_error;
pub mod options;
