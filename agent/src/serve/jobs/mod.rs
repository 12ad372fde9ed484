//! Asynchronous jobs: their start, and the process that does their work.
//!
//! What a job leaves for later agents is the business of [`job`](crate::job).

mod input;
mod run;
mod start;

pub use run::enter;
pub(crate) use start::{Jobs, plan};
