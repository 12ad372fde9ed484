//! Taking back what a run has changed: looked at first, all of it, the last change first.

mod perform;
mod plan;
mod problem;
mod projection;
mod step;

pub(crate) use perform::perform;
pub(crate) use plan::{Plan, plan};
pub(crate) use problem::Problem;
pub(crate) use step::{Action, Step};
