//! Asynchronous jobs: orders that outlive the agent that received them. A process of its own runs the order, and leaves
//! its output and its outcome in a directory, where any later agent of the same user finds them.
//!
//! The directory is `runs/RUN/jobs/ID` in the [state directory](crate::state). In it are:
//!
//! - `alive`, which the job holds locked while it lives: the kernel releases it however the job ends;
//! - `begun`, which the job creates right before it starts. Only one process can create it, so the order runs at most once;
//! - `output`, what its processes print, as they print it;
//! - `outcome`, which is either complete or missing.
//!
//! This module reads and writes that directory. [`serve::jobs`](crate::serve) starts the process.

mod answer;
mod directory;

pub(crate) use answer::{JobStatus, common_values, follow, forget, ran_outcome, removable, status};
pub(crate) use directory::{JobDirectory, JobResult, JobStart, JobState, VARIABLE, prune, uptime};
