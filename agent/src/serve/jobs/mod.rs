//! Asynchronous jobs: their start, and the process that does their work.
//!
//! What a job leaves for later agents is the business of [`job`](crate::job).

mod begin;
mod run;
mod work;

pub(crate) use begin::{Jobs, plan};
pub use run::enter;
