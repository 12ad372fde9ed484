//! Undoes the changes of a run, the last one first. Everything is planned before anything is changed.

mod perform;
mod plan;
mod problem;
mod projection;
mod step;

pub(crate) use perform::perform;
pub(crate) use plan::{Plan, plan};
pub(crate) use problem::Problem;
pub(crate) use step::{Action, Step};
