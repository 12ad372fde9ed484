//! Jobs: orders that outlive the agent that was given them. A process of its own does one order, and leaves what it prints
//! and its outcome in a directory, where any later agent of the same user finds it.
//!
//! The directory is `runs/RUN/jobs/ID` in the [state directory](crate::state). In it:
//! - `alive`, on which the job holds a lock as long as it lives: the system takes it away however the job ends;
//! - `begun`, made by the job right before it begins, which only one process can: so nothing is done twice;
//! - `output`, what its processes print, as it comes;
//! - `outcome`, which is there whole or not at all.

mod answer;
mod directory;

pub(crate) use answer::{JobStatus, common_values, follow, forget, ran_outcome, removable, status};
pub(crate) use directory::{JobDirectory, JobResult, JobStart, JobState, VARIABLE, prune, uptime};
