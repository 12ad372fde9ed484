//! Asynchronous jobs: starting them, and the process that runs them.
//!
//! See [`job`](crate::job) for what a job leaves for later agents.

mod input;
mod run;
mod start;

pub use run::enter;
pub(crate) use start::{Jobs, plan};
